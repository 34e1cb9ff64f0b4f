package p2p

import (
	"context"
	"io"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

const (
	bulkProtocol  transport.Protocol = "/contacts/bulk/1"
	smallProtocol transport.Protocol = "/contacts/small/1"
)

// bulkDevice is a running device that says for each stream what it came over.
func bulkDevice(t *testing.T, listen ...string) *Transport {
	t.Helper()
	d, err := New(Config{
		Identity: newID(t), Listen: listen, MayDial: func(contact.ODID) bool { return true }, Bulk: []transport.Protocol{bulkProtocol},
	})
	if err == nil {
		err = d.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []transport.Protocol{bulkProtocol, smallProtocol} {
		d.Serve(p, func(_ context.Context, st transport.Stream) {
			io.ReadAll(st)
			st.Write([]byte(over(st)))
			st.Close()
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

// over says what a stream goes over, and who dialled.
func over(st transport.Stream) string {
	c := st.(*stream).Conn()
	return carrier(c.RemoteMultiaddr()) + " " + c.Stat().Direction.String()
}

// opens opens a stream and returns what it goes over, at this end and at the other.
func (t *Transport) opens(test *testing.T, peer *Transport, p transport.Protocol) (here, there string) {
	test.Helper()
	st, err := t.Open(test.Context(), peer.self, p)
	if err != nil {
		test.Fatal(err)
	}
	defer st.Reset()
	if err := st.CloseWrite(); err != nil {
		test.Fatal(err)
	}
	said, err := io.ReadAll(st)
	if err != nil {
		test.Fatal(err)
	}
	here = over(st)
	st.Close()
	return here, string(said)
}

func TestBulkHasAConnectionOfItsOwn(t *testing.T) {
	const quic, tcp = "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"
	ana, bob := bulkDevice(t, quic, tcp), bulkDevice(t, quic, tcp)
	if err := ana.Dial(t.Context(), bob.self, bob.Own()...); err != nil {
		t.Fatal(err)
	}
	ana.Learn(bob.self, bob.Own())
	for range 3 {
		if here, there := ana.opens(t, bob, bulkProtocol); here != "tcp Outbound" || there != "tcp Inbound" {
			t.Errorf("bulk goes over %s, there %s", here, there)
		}
		if here, there := ana.opens(t, bob, smallProtocol); here != "quic Outbound" || there != "quic Inbound" {
			t.Errorf("small things go over %s, there %s", here, there)
		}
		// The other one does not take the connection for bulk, which has more streams.
		if here, there := bob.opens(t, ana, smallProtocol); here != "quic Inbound" || there != "quic Outbound" {
			t.Errorf("small things back go over %s, there %s", here, there)
		}
	}
	if n := len(ana.Connected()); n != 1 {
		t.Errorf("connected with %d", n)
	}
}

// Whoever knows no TCP address of a peer uses the connection that there is.
func TestBulkWithoutTCP(t *testing.T) {
	const quic = "/ip4/127.0.0.1/udp/0/quic-v1"
	ana, bob := bulkDevice(t, quic), bulkDevice(t, quic)
	if err := ana.Dial(t.Context(), bob.self, bob.Own()...); err != nil {
		t.Fatal(err)
	}
	if here, _ := ana.opens(t, bob, bulkProtocol); here != "quic Outbound" {
		t.Errorf("bulk goes over %s", here)
	}
}

// A connection for bulk that is all that is left serves for everything.
func TestBulkConnectionCarriesTheRest(t *testing.T) {
	const quic, tcp = "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"
	ana, bob := bulkDevice(t, quic, tcp), bulkDevice(t, quic, tcp)
	if err := ana.Dial(t.Context(), bob.self, bob.Own()...); err != nil {
		t.Fatal(err)
	}
	ana.Learn(bob.self, bob.Own())
	st, err := ana.Open(t.Context(), bob.self, bulkProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Reset()
	if _, err := st.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	ana.opens(t, bob, bulkProtocol) // so that the first one has arrived
	ana.Disconnect(bob.self)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(bob.Route(ana.self).Connections) > 1 && t.Context().Err() == nil {
		<-tick.C
	}
	if here, there := bob.opens(t, ana, smallProtocol); here != "tcp Inbound" || there != "tcp Outbound" {
		t.Errorf("it goes over %s, there %s", here, there)
	}
}
