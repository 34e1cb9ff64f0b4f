package p2p

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
)

func TestParse(t *testing.T) {
	who := peerOf(newID(t).Self())
	for _, c := range []struct {
		text string
		want string // the addresses, empty if the text is none
	}{
		{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/udp/4001/quic-v1"},
		{" /ip6/2001:db8::1/tcp/4001\n", "/ip6/2001:db8::1/tcp/4001"},
		{"/dns4/example.org/tcp/4001", "/dns4/example.org/tcp/4001"},
		{"/ip4/192.0.2.1/tcp/4001/p2p/" + who.String(), "/ip4/192.0.2.1/tcp/4001"},
		{"192.0.2.1:4001", "/ip4/192.0.2.1/udp/4001/quic-v1 /ip4/192.0.2.1/tcp/4001"},
		{"[2001:db8::1]:4001", "/ip6/2001:db8::1/udp/4001/quic-v1 /ip6/2001:db8::1/tcp/4001"},
		{"", ""},
		{"garbage", ""},
		{"192.0.2.1", ""},
		{"192.0.2.1:0", ""},
		{"192.0.2.1:70000", ""},
		{"/ip4/192.0.2.1", ""},
		{"/ip4/192.0.2.1/tcp/0", ""},
		{"/ip4/0.0.0.0/tcp/4001", ""},
		{"/ip6/::/tcp/4001", ""},
		{"/ip4/224.0.0.1/udp/4001/quic-v1", ""},
		{"/ip4/255.255.255.255/udp/4001/quic-v1", ""},
		{"/ip4/192.0.2.1/udp/4001", ""},
		{"/ip4/192.0.2.1/tcp/4001/ws", ""},
		{"/ip4/192.0.2.1/udp/4001/quic-v1/webtransport", ""},
		{"/ip4/192.0.2.1/tcp/4001/p2p/" + who.String() + "/p2p-circuit", ""},
		{"/p2p/" + who.String(), ""},
		{"/unix/tmp/socket", ""},
		{"/dns4/" + strings.Repeat("a", 250) + "/tcp/1", ""},
	} {
		locations, err := parse(transport.Address(c.text))
		if c.want == "" {
			if !errors.Is(err, transport.ErrAddress) {
				t.Errorf("%q: %v, %v", c.text, locations, err)
			}
			continue
		}
		var got []string
		for _, l := range locations {
			got = append(got, l.addr.String())
			if strings.Contains(c.text, "/p2p/") != (l.peer == who) {
				t.Errorf("%q is the address of %q", c.text, l.peer)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/ip4/192.0.2.1/udp/4001/quic-v1")
	f.Add("/ip6/2001:db8::1/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")
	f.Add("192.0.2.1:4001")
	f.Add("[fe80::1%eth0]:4001")
	f.Add("/ip6zone/eth0/ip6/fe80::1/tcp/1")
	f.Fuzz(func(t *testing.T, text string) {
		locations, err := parse(transport.Address(text))
		if err != nil {
			if !errors.Is(err, transport.ErrAddress) {
				t.Errorf("the error is no ErrAddress: %v", err)
			}
			return
		}
		for _, l := range locations {
			again, err := parse(transport.Address(l.addr.String()))
			if err != nil || !again[0].addr.Equal(l.addr) {
				t.Errorf("%q was read as %s, which is read as %v, %v", text, l.addr, again, err)
			}
		}
	})
}

func FuzzReadEntry(f *testing.F) {
	const id = "/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
	f.Add("/ip4/192.0.2.1/tcp/4001"+id, "/ip4/192.0.2.1/udp/4001/quic-v1"+id)
	f.Add("/ip4/127.0.0.1/tcp/4001"+id, "")
	f.Add(id, "/ip4/192.0.2.1/tcp/4001")
	f.Fuzz(func(t *testing.T, one, two string) {
		p, addrs, err := readEntry([]string{one, two})
		if err != nil {
			return
		}
		if p == "" || len(addrs) == 0 || len(addrs) > 2 {
			t.Errorf("read %q at %v", p, addrs)
		}
		for _, a := range addrs {
			if !isTransport(a) || isLoopback(a) || !dialable(a) {
				t.Errorf("took %s", a)
			}
		}
	})
}

func TestReadEntryBoundsAndChecks(t *testing.T) {
	one, two := peerOf(newID(t).Self()).String(), peerOf(newID(t).Self()).String()
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("/ip4/192.0.2.1/tcp/%d/p2p/%s", i+1, one))
	}
	if _, addrs, err := readEntry(many); err != nil || len(addrs) != maxAddresses {
		t.Errorf("%d addresses, %v", len(addrs), err)
	}
	for name, texts := range map[string][]string{
		"nothing":       {},
		"two devices":   {"/ip4/192.0.2.1/tcp/1/p2p/" + one, "/ip4/192.0.2.1/tcp/2/p2p/" + two},
		"no device":     {"/ip4/192.0.2.1/tcp/1"},
		"no address":    {"/p2p/" + one},
		"only loopback": {"/ip4/127.0.0.1/tcp/1/p2p/" + one},
		"a name":        {"/dns4/example.org/tcp/1/p2p/" + one},
	} {
		if p, addrs, err := readEntry(texts); err == nil {
			t.Errorf("%s was read as %s at %v", name, p, addrs)
		}
	}
}

func TestReachable(t *testing.T) {
	for _, c := range []struct{ all, want string }{
		{"/ip4/127.0.0.1/tcp/1 /ip4/192.168.1.2/tcp/1 /ip6/::1/tcp/1 /ip6/fe80::1/tcp/1", "/ip4/192.168.1.2/tcp/1"},
		{"/ip4/127.0.0.1/tcp/1 /ip6/fe80::1/tcp/1", "/ip4/127.0.0.1/tcp/1"},
		{"/ip4/0.0.0.0/tcp/1", ""},
		{"", ""},
	} {
		if got := join(reachable(addrs(t, c.all))); got != c.want {
			t.Errorf("of %q others can use %q, want %q", c.all, got, c.want)
		}
	}
}

func TestRankPrefersNearAndQUIC(t *testing.T) {
	got := rank(addrs(t, "/ip4/198.51.100.1/tcp/1 /ip4/198.51.100.1/udp/1/quic-v1 /ip4/127.0.0.1/tcp/1 /ip4/192.168.1.2/udp/1/quic-v1 /ip4/127.0.0.1/udp/1/quic-v1"))
	want := []struct {
		addr  string
		delay time.Duration
	}{
		{"/ip4/127.0.0.1/udp/1/quic-v1", 0},
		{"/ip4/192.168.1.2/udp/1/quic-v1", 10 * time.Millisecond},
		{"/ip4/198.51.100.1/udp/1/quic-v1", 20 * time.Millisecond},
		{"/ip4/127.0.0.1/tcp/1", 70 * time.Millisecond},
		{"/ip4/198.51.100.1/tcp/1", 80 * time.Millisecond},
	}
	if len(got) != len(want) {
		t.Fatalf("%d of %d addresses", len(got), len(want))
	}
	for i, w := range want {
		if got[i].Addr.String() != w.addr || got[i].Delay != w.delay {
			t.Errorf("attempt %d is %s after %v, want %s after %v", i, got[i].Addr, got[i].Delay, w.addr, w.delay)
		}
	}
	if got := rank(addrs(t, "/ip4/127.0.0.1/tcp/1")); got[0].Delay != 0 {
		t.Errorf("TCP alone waits %v", got[0].Delay)
	}
}

func TestLearn(t *testing.T) {
	me, peer, other := newID(t), newID(t).Self(), newID(t).Self()
	mine := true
	for name, c := range map[string]struct{ listen, learn, want string }{
		"both kinds":             {"/ip4/0.0.0.0/tcp/0", "/ip4/192.0.2.1/tcp/1 192.0.2.2:2", "/ip4/192.0.2.1/tcp/1 /ip4/192.0.2.2/tcp/2 /ip4/192.0.2.2/udp/2/quic-v1"},
		"suffix":                 {"/ip4/0.0.0.0/tcp/0", "/ip4/192.0.2.1/tcp/1/p2p/" + peerOf(peer).String(), "/ip4/192.0.2.1/tcp/1"},
		"suffix of another":      {"/ip4/0.0.0.0/tcp/0", "/ip4/192.0.2.1/tcp/1/p2p/" + peerOf(other).String(), ""},
		"twice the same":         {"/ip4/0.0.0.0/tcp/0", "/ip4/192.0.2.1/tcp/1 /ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1"},
		"loopback from afar":     {"/ip4/0.0.0.0/tcp/0", "/ip4/127.0.0.1/tcp/22 /ip6/::1/tcp/22", ""},
		"loopback on loopback":   {"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/22", "/ip4/127.0.0.1/tcp/22"},
		"names are not resolved": {"/ip4/0.0.0.0/tcp/0", "/dns4/example.org/tcp/1", ""},
	} {
		d, err := New(Config{Identity: me, Listen: []string{c.listen}, MayDial: func(contact.ODID) bool { return mine }})
		if err != nil {
			t.Fatal(err)
		}
		var learn []transport.Address
		for text := range strings.FieldsSeq(c.learn) {
			learn = append(learn, transport.Address(text))
		}
		mine = true
		d.Learn(peer, learn)
		if got := join(d.book.addrs(peerOf(peer))); got != c.want {
			t.Errorf("%s: learnt %q, want %q", name, got, c.want)
		}
		mine = false
		d.Learn(peer, learn)
		if got := join(d.book.addrs(peerOf(peer))); got != "" {
			t.Errorf("%s: learnt %q of a stranger", name, got)
		}
	}
}

func TestLearnIsBounded(t *testing.T) {
	d, err := New(Config{Identity: newID(t), MayDial: func(contact.ODID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	var many []transport.Address
	for i := range 1000 {
		many = append(many, transport.Address(fmt.Sprintf("/ip4/192.0.2.1/tcp/%d", i+1)))
	}
	peer := newID(t).Self()
	d.Learn(peer, many)
	if got := d.book.addrs(peerOf(peer)); len(got) != maxAddresses || !slices.ContainsFunc(got, addrs(t, string(many[0]))[0].Equal) {
		t.Errorf("learnt %d addresses", len(got))
	}
	for range 2 * maxFound {
		d.book.find(peerOf(newID(t).Self()), addrs(t, "/ip4/192.0.2.1/tcp/1"), false)
	}
	if n := len(d.book.found); n != maxFound {
		t.Errorf("found %d devices", n)
	}
	// Whoever fills the LAN with devices keeps no contact from being found there.
	d.book.find(peerOf(peer), addrs(t, "/ip4/192.0.2.7/tcp/7"), true)
	if !slices.ContainsFunc(d.book.addrs(peerOf(peer)), addrs(t, "/ip4/192.0.2.7/tcp/7")[0].Equal) {
		t.Error("no room for a contact among strangers")
	}
}

func TestNamingEnds(t *testing.T) {
	b := newBook()
	p := peerOf(newID(t).Self())
	first, second := b.name(p, addrs(t, "/ip4/192.0.2.1/tcp/1")), b.name(p, addrs(t, "/ip4/192.0.2.2/tcp/1"))
	first()
	first()
	if got := join(b.addrs(p)); got != "/ip4/192.0.2.2/tcp/1" || !b.isNamed(p) {
		t.Errorf("named is %q", got)
	}
	second()
	if got := join(b.addrs(p)); got != "" || b.isNamed(p) || len(b.named) != 0 {
		t.Errorf("named is still %q", got)
	}
}

// fakeConn is an inbound connection as far as the gate looks at it.
type fakeConn struct {
	network.Conn
	peer   peer.ID
	closed chan struct{}
}

func (c *fakeConn) RemotePeer() peer.ID { return c.peer }
func (c *fakeConn) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: network.DirInbound}}
}

func (c *fakeConn) Close() error {
	close(c.closed)
	return nil
}

func newFakeConn(id contact.ODID) *fakeConn {
	return &fakeConn{peer: peerOf(id), closed: make(chan struct{})}
}

func (c *fakeConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Whoever takes all the places of strangers keeps nobody out: the oldest yields.
func TestStrangersAreBoundedAndContactsAreNot(t *testing.T) {
	friend := newID(t).Self()
	var paired contact.ODID
	g := &gate{book: newBook(), mayDial: func(id contact.ODID) bool { return id == friend || id == paired }}
	var conns []*fakeConn
	admit := func(id contact.ODID) *fakeConn {
		t.Helper()
		c := newFakeConn(id)
		if ok, _ := g.InterceptUpgraded(c); !ok {
			t.Fatal("refused")
		}
		return c
	}
	for range maxStrangers {
		conns = append(conns, admit(newID(t).Self()))
	}
	admit(friend)
	for i, c := range conns {
		if c.isClosed() {
			t.Fatalf("stranger %d of %d had to go", i+1, maxStrangers)
		}
	}
	paired, _ = odidOf(conns[0].peer)
	g.gone(conns[1])
	admit(newID(t).Self())
	if conns[2].isClosed() {
		t.Error("a stranger that left keeps its place")
	}
	admit(newID(t).Self()) // in the place of the contact, which needs none
	admit(newID(t).Self())
	<-conns[2].closed
	if conns[0].isClosed() || conns[3].isClosed() {
		t.Error("another one than the oldest stranger had to go")
	}
	if n := len(g.strangers); n > maxStrangers {
		t.Errorf("%d strangers, at most %d", n, maxStrangers)
	}
}

func TestPeersWithoutODIDAreRefused(t *testing.T) {
	g := &gate{book: newBook()}
	good := peerOf(newID(t).Self())
	if !g.InterceptSecured(network.DirInbound, good, nil) {
		t.Error("a good key was refused")
	}
	for name, p := range map[string]peer.ID{
		"empty":       "",
		"short":       good[:37],
		"other kind":  peer.ID("\x00\x24\x08\x02\x12\x20") + good[6:],
		"small order": peerOf(contact.ODID{1}),
	} {
		if g.InterceptSecured(network.DirInbound, p, nil) {
			t.Errorf("%s was let in", name)
		}
	}
}

func TestPeerIDIsTheODID(t *testing.T) {
	id := newID(t).Self()
	p, err := peer.Decode(peerOf(id).String())
	if err != nil {
		t.Fatal(err)
	}
	key, err := p.ExtractPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := key.Raw(); err != nil || contact.ODID(raw) != id {
		t.Errorf("the key of the peer ID is %x, %v", raw, err)
	}
	if back, ok := odidOf(p); !ok || back != id {
		t.Error("the peer ID is another ODID's")
	}
}

func newID(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func addrs(t *testing.T, texts string) (all []ma.Multiaddr) {
	t.Helper()
	for text := range strings.FieldsSeq(texts) {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func join(all []ma.Multiaddr) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, " ")
}
