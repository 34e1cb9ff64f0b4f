package p2p_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

const patience = 10 * time.Second

// TestStrangerLearnsNoAddress connects with a bare libp2p host and reads all it is told.
func TestStrangerLearnsNoAddress(t *testing.T) {
	d := running(t, p2p.Config{MayDial: func(contact.ODID) bool { return false }})
	d.Serve("/test/echo/1", func(_ context.Context, s transport.Stream) { s.Close() })
	stranger, _ := newStranger(t)
	seen := identifies(t, stranger, d)

	if n := len(seen.ListenAddrs); n != 0 {
		t.Errorf("Identify tells %d listen addresses: %v", n, seen.ListenAddrs)
	}
	if seen.SignedPeerRecord != nil {
		record, err := seen.SignedPeerRecord.Record()
		if err != nil {
			t.Fatal(err)
		}
		if addrs := record.(*peer.PeerRecord).Addrs; len(addrs) != 0 {
			t.Errorf("the signed record tells %v", addrs)
		}
	}
	for _, a := range stranger.Peerstore().Addrs(seen.Peer) {
		if !a.Equal(seen.Conn.RemoteMultiaddr()) {
			t.Errorf("the stranger knows %s", a)
		}
	}
	if seen.AgentVersion != "contactsd" {
		t.Errorf("the user agent is %q", seen.AgentVersion)
	}
	var protocols []string
	for _, p := range seen.Protocols {
		protocols = append(protocols, string(p))
	}
	slices.Sort(protocols)
	want := []string{"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/test/echo/1"}
	if !slices.Equal(protocols, want) {
		t.Errorf("offered are %v, want %v", protocols, want)
	}
}

// TestNothingIsDialledThatAPeerNames checks that an address which a peer puts
// into Identify is not dialled, be the peer a stranger or a contact.
func TestNothingIsDialledThatAPeerNames(t *testing.T) {
	for name, isContact := range map[string]bool{"stranger": false, "contact": true} {
		t.Run(name, func(t *testing.T) {
			d := running(t, p2p.Config{MayDial: func(contact.ODID) bool { return isContact }})
			told := make(chan bool, 10)
			defer d.Watch(func(_ contact.ODID, up bool) { told <- up })()
			peer, victim := newStranger(t)
			seen := identifies(t, peer, d)
			who := d.Connected()[0]
			seen.Conn.Close()
			for up := range told {
				if !up {
					break
				}
			}
			for doing, err := range map[string]error{
				"open": func() error {
					_, err := d.Open(t.Context(), who, "/test/x/1")
					return err
				}(),
				"dial": d.Dial(t.Context(), who),
			} {
				if err == nil {
					t.Errorf("%s found the peer where it said it was", doing)
				}
			}
			select {
			case <-victim:
				t.Error("somebody was dialled whom the peer named")
			case <-time.After(100 * time.Millisecond):
			}
		})
	}
}

// newStranger returns a libp2p host as it comes, which names itself and a victim
// in Identify. The channel is closed when the victim is dialled.
func newStranger(t *testing.T) (host.Host, <-chan struct{}) {
	t.Helper()
	dialled := make(chan struct{})
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { victim.Close() })
	go func() {
		if c, err := victim.Accept(); err == nil {
			c.Close()
			close(dialled)
		}
	}()
	named, err := ma.NewMultiaddr("/ip4/127.0.0.1/tcp/" + port(victim.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.ListenAddrStrings(loopbackTCP), libp2p.DisableMetrics(),
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr { return append(slices.Clone(own), named) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, dialled
}

func port(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// identifies connects h with d and returns what h was told of d. When it returns
// d has heard h too.
func identifies(t *testing.T, h host.Host, d *p2p.Transport) event.EvtPeerIdentificationCompleted {
	t.Helper()
	sub, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	info, err := peer.AddrInfoFromString(d.ListenAddresses()[1] + "/p2p/" + peerID(t, d.Self()).String())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), *info); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-sub.Out():
		return e.(event.EvtPeerIdentificationCompleted)
	case <-time.After(patience):
		t.Fatal("no Identify")
		panic("unreachable")
	}
}

func peerID(t *testing.T, id contact.ODID) peer.ID {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PublicKey(id[:])
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.IDFromPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
