package p2p

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"contactsd/contact"
	"contactsd/transport"
)

// location is an address taken apart.
type location struct {
	addr ma.Multiaddr // where, without whom
	peer peer.ID      // who, empty if the address does not say
}

// parse reads "/ip4/…/udp/…/quic-v1" or "/ip4/…/tcp/…" (ip6 and dns too), with
// or without "/p2p/…" at its end, or "host:port", which means both. It returns
// ErrAddress for anything else.
func parse(a transport.Address) ([]location, error) {
	text := strings.TrimSpace(string(a))
	bad := func(why string) ([]location, error) {
		return nil, fmt.Errorf("%w: %s; write it like 192.0.2.1:4001 or /ip4/192.0.2.1/udp/4001/quic-v1", transport.ErrAddress, why)
	}
	if len(text) > maxAddressLength {
		return bad(fmt.Sprintf("%d characters, at most %d", len(text), maxAddressLength))
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		ip := "ip4"
		if ap.Addr().Is6() {
			ip = "ip6"
		}
		var both []location
		for _, form := range []string{"/%s/%s/udp/%d/quic-v1", "/%s/%s/tcp/%d"} {
			m, err := ma.NewMultiaddr(fmt.Sprintf(form, ip, ap.Addr().WithZone(""), ap.Port()))
			if err != nil || !dialable(m) {
				return bad("nobody can be there")
			}
			both = append(both, location{addr: m})
		}
		return both, nil
	}
	m, err := ma.NewMultiaddr(text)
	if err != nil {
		return bad("it can't be read")
	}
	m, id := peer.SplitAddr(m)
	if m == nil || !isTransport(m) {
		return bad("neither QUIC nor TCP")
	}
	if !dialable(m) {
		return bad("nobody can be there")
	}
	return []location{{m, id}}, nil
}

// isTransport reports whether a is IP or DNS, then QUIC or TCP, and no more.
func isTransport(a ma.Multiaddr) bool {
	var codes []int
	for _, c := range a {
		if c.Protocol().Code != ma.P_IP6ZONE {
			codes = append(codes, c.Protocol().Code)
		}
	}
	if len(codes) < 2 || !slices.Contains([]int{ma.P_IP4, ma.P_IP6, ma.P_DNS, ma.P_DNS4, ma.P_DNS6}, codes[0]) {
		return false
	}
	return slices.Equal(codes[1:], []int{ma.P_UDP, ma.P_QUIC_V1}) || slices.Equal(codes[1:], []int{ma.P_TCP})
}

func isTCP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_TCP)
	return err == nil
}

func isLoopback(a ma.Multiaddr) bool { return manet.IsIPLoopback(a) }

// dialable reports whether somebody could be at a: a port, and an IP address of
// one host or a name.
func dialable(a ma.Multiaddr) bool {
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		if port, err := a.ValueForProtocol(code); err == nil && port == "0" {
			return false
		}
	}
	ip, ok := ipOf(a)
	return !ok || !ip.IsUnspecified() && !ip.IsMulticast() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func ipOf(a ma.Multiaddr) (netip.Addr, bool) {
	raw, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	ip, ok := netip.AddrFromSlice(raw)
	return ip.Unmap(), ok
}

// nearestFirst orders addresses by how near they are: loopback, LAN, the rest.
func nearestFirst(addrs []ma.Multiaddr) []ma.Multiaddr {
	distance := func(a ma.Multiaddr) int {
		switch ip, ok := ipOf(a); {
		case !ok:
			return 3
		case ip.IsLoopback():
			return 0
		case ip.IsPrivate(), ip.IsLinkLocalUnicast():
			return 1
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(addrs), func(a, b ma.Multiaddr) int { return cmp.Compare(distance(a), distance(b)) })
}

// Own implements transport.Addresses: the addresses of the interfaces that are
// listened on, those of loopback only where nothing else is.
func (t *Transport) Own() []transport.Address {
	var texts []transport.Address
	for _, a := range t.interfaces() {
		texts = append(texts, transport.Address(a.String()))
	}
	return texts
}

// everywhere returns each address at which this device listens.
func (t *Transport) everywhere() []ma.Multiaddr {
	t.mu.Lock()
	bound, over := t.bound, t.state == stopped
	t.mu.Unlock()
	if len(bound) == 0 || over {
		return nil
	}
	all, err := manet.ResolveUnspecifiedAddresses(bound, nil)
	if err != nil {
		t.log.Warn("can't read the addresses of the interfaces", "err", err)
	}
	return all
}

func (t *Transport) interfaces() []ma.Multiaddr { return reachable(t.everywhere()) }

// reachable returns those of the addresses that others can use, or loopback if
// that is all there is.
func reachable(all []ma.Multiaddr) []ma.Multiaddr {
	var near, local []ma.Multiaddr
	for _, a := range all {
		switch ip, ok := ipOf(a); {
		case !ok || ip.IsUnspecified() || ip.IsLinkLocalUnicast():
		case ip.IsLoopback():
			local = append(local, a)
		default:
			near = append(near, a)
		}
	}
	if len(near) > 0 {
		return near
	}
	return local
}

// Learn implements transport.Addresses. Of more than 16 addresses the first are
// kept. Loopback and names are skipped unless this device listens on loopback:
// a contact has no business in naming them.
func (t *Transport) Learn(id contact.ODID, addrs []transport.Address) {
	if id == t.self {
		return
	}
	var good []ma.Multiaddr
	if t.cfg.MayDial(id) {
		good = t.fit(id, addrs)
	}
	t.book.put(t.book.learnt, peerOf(id), good)
}

// fit returns those of addrs that the device may be dialled at.
func (t *Transport) fit(id contact.ODID, addrs []transport.Address) (good []ma.Multiaddr) {
	for _, a := range addrs[:min(len(addrs), 2*maxAddresses)] {
		locations, err := parse(a)
		if err != nil {
			continue
		}
		for _, l := range locations {
			if l.peer != "" && l.peer != peerOf(id) {
				continue
			}
			if ip, ok := ipOf(l.addr); ok && (t.book.loopback.Load() || !ip.IsLoopback()) {
				good = append(good, l.addr)
			}
		}
	}
	return good
}

// Knows implements transport.Addresses.
func (t *Transport) Knows(id contact.ODID) bool { return t.book.has(peerOf(id)) }

// recall learns where a device was before the start, if nothing is known since.
func (t *Transport) recall(id contact.ODID) {
	if p := peerOf(id); !t.book.hasLearnt(p) {
		if good := t.fit(id, t.cfg.Where(id)); len(good) > 0 && t.cfg.MayDial(id) {
			t.book.recall(p, good)
		}
	}
}

// Dial implements transport.Addresses. An address that is none, or that says it
// is another device's, is ErrAddress.
func (t *Transport) Dial(ctx context.Context, id contact.ODID, addrs ...transport.Address) error {
	if err := t.dial(ctx, id, addrs); err != nil {
		return fmt.Errorf("dial %s: %w", id.Short(), err)
	}
	return nil
}

func (t *Transport) dial(ctx context.Context, id contact.ODID, addrs []transport.Address) error {
	var where []ma.Multiaddr
	for _, a := range addrs {
		locations, err := parse(a)
		if err != nil {
			return err
		}
		for _, l := range locations {
			if l.peer != "" && l.peer != peerOf(id) {
				return fmt.Errorf("%w of that device: it names another one", transport.ErrAddress)
			}
			where = append(where, l.addr)
		}
	}
	defer t.book.name(peerOf(id), where)()
	return t.connect(ctx, id)
}

// Resolve implements transport.Addresses.
func (t *Transport) Resolve(ctx context.Context, addr transport.Address) (contact.ODID, error) {
	id, err := t.resolve(ctx, addr)
	if err != nil {
		return contact.ODID{}, fmt.Errorf("resolve %s: %w", addr, err)
	}
	return id, nil
}

func (t *Transport) resolve(ctx context.Context, addr transport.Address) (contact.ODID, error) {
	locations, err := parse(addr)
	if err != nil {
		return contact.ODID{}, err
	}
	who := locations[0].peer
	if who == "" {
		if who, err = t.ask(ctx, locations); err != nil {
			return contact.ODID{}, err
		}
	}
	id, ok := odidOf(who)
	if !ok {
		return id, fmt.Errorf("%w: it is no contactsd that answers there", transport.ErrUnreachable)
	}
	return id, t.dial(ctx, id, []transport.Address{addr})
}

// ask finds out who is at an address: it dials somebody who can't be there, and
// the handshake fails with who is. That is a hint, no proof; the dial that
// follows proves it.
func (t *Transport) ask(ctx context.Context, locations []location) (peer.ID, error) {
	key, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	nobody := peerOf(contact.ODID(key))
	var where []ma.Multiaddr
	for _, l := range locations {
		where = append(where, l.addr)
	}
	if slices.ContainsFunc(t.everywhere(), func(own ma.Multiaddr) bool { return ma.Contains(where, own) }) {
		return peerOf(t.self), nil
	}
	defer t.book.name(nobody, where)()
	_, _, err = t.dialOnce(ctx, contact.ODID(key))
	var other *found
	if errors.As(err, &other) {
		return other.peer, nil
	}
	return "", err
}

// found is the error of a dial that reached another device than it looked for.
type found struct{ peer peer.ID }

func (f *found) Error() string { return "another device answers at that address" }

// mismatch returns who answered if that is why err happened.
func mismatch(err error) *found {
	var wrong sec.ErrPeerIDMismatch
	if errors.As(err, &wrong) {
		return &found{wrong.Actual}
	}
	return nil
}

// brief is the text of a failed dial in one line.
func brief(err error) string {
	var dial *swarm.DialError
	if !errors.As(err, &dial) {
		return err.Error()
	}
	var parts []string
	for _, e := range dial.DialErrors {
		parts = append(parts, fmt.Sprintf("%s: %s", e.Address, e.Cause))
	}
	if len(parts) == 0 && dial.Cause != nil {
		return dial.Cause.Error()
	}
	return strings.Join(parts, "; ")
}
