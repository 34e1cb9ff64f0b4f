package p2p

import (
	"net"
	"net/netip"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Prefixes by which devices that are not of this link count together: what a
// provider gives to one customer, near enough.
const (
	prefix4 = 24
	prefix6 = 56
)

// Place implements transport.Located.
func (s *stream) Place() string {
	return place(s.Stream.Conn().RemoteMultiaddr(), onLink())
}

// onLink returns the networks that this machine is on.
func onLink() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // everybody counts by prefix, which is the stricter way
	}
	var list []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Masked())
		}
	}
	return list
}

// place names where an address is, for sharing things fairly.
func place(addr ma.Multiaddr, links []netip.Prefix) string {
	if _, err := addr.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		// All who come through one relay count together: it can't be told who they are.
		first, _ := ma.SplitFirst(addr)
		return "relay " + first.String()
	}
	ip, err := manet.ToIP(addr)
	if err != nil {
		return addr.String()
	}
	at, ok := netip.AddrFromSlice(ip)
	if !ok {
		return addr.String()
	}
	at = at.Unmap()
	if at.IsLoopback() {
		return ""
	}
	bits := prefix4
	switch {
	case near(at, links):
		return at.String()
	case at.Is6():
		bits = prefix6
	}
	p, err := at.Prefix(bits)
	if err != nil {
		return at.String()
	}
	return p.String()
}

// near reports whether an address is on one of the networks.
func near(at netip.Addr, links []netip.Prefix) bool {
	return at.IsLinkLocalUnicast() || slices.ContainsFunc(links, func(l netip.Prefix) bool { return l.Contains(at) })
}
