package p2p

import (
	"net/netip"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"contactsd/transport"
)

var _ transport.Located = (*stream)(nil)

// Devices of the same link count by address, others by prefix, those of this
// machine each for itself.
func TestPlace(t *testing.T) {
	links := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("2001:db8:1:2::/64")}
	for addr, want := range map[string]string{
		"/ip4/127.0.0.1/tcp/4001":                   "",
		"/ip6/::1/udp/4001/quic-v1":                 "",
		"/ip4/192.168.1.7/tcp/4001":                 "192.168.1.7",
		"/ip4/192.168.1.7/udp/9/quic-v1":            "192.168.1.7",
		"/ip6/::ffff:192.168.1.7/tcp/4001":          "192.168.1.7",
		"/ip4/192.168.2.7/tcp/4001":                 "192.168.2.0/24",
		"/ip4/203.0.113.9/udp/1/quic-v1":            "203.0.113.0/24",
		"/ip6/2001:db8:1:2::9/tcp/1":                "2001:db8:1:2::9",
		"/ip6/2001:db8:1:299::9/tcp/1":              "2001:db8:1:200::/56",
		"/ip6/2001:db8:1:2ff::1/tcp/1":              "2001:db8:1:200::/56",
		"/ip6zone/eth0/ip6/fe80::1/udp/1/quic-v1":   "fe80::1",
		"/ip4/169.254.3.4/tcp/1":                    "169.254.3.4",
		"/ip4/192.0.2.1/tcp/1/p2p-circuit":          "relay /ip4/192.0.2.1",
		"/ip4/192.0.2.1/tcp/1/ws/p2p-circuit/tcp/2": "relay /ip4/192.0.2.1",
	} {
		m, err := ma.NewMultiaddr(addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if got := place(m, links); got != want {
			t.Errorf("%s is at %q, want %q", addr, got, want)
		}
	}
}
