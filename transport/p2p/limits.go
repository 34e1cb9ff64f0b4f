package p2p

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/transport/internal/inbound"
)

// What a device takes on. Of its contacts package relation keeps some tens
// connected; whoever asks for more than this is broken or hostile.
const (
	keptConnections = 64                             // trimmed to, of strangers alone
	mostConnections = keptConnections + maxStrangers // before trimming begins
	trimGrace       = 30 * time.Second

	maxConnections = 512
	maxHandshakes  = 128
	maxStrangers   = 64 // connections with devices that are no contacts
	maxPerPeer     = 8  // connections: both dial, over QUIC and TCP, and anew after a change of network
	maxStreams     = 4096
	maxPeerStreams = 512
	maxMemory      = 512 << 20
	maxPeerMemory  = 64 << 20

	dialTimeout = 10 * time.Second
)

func limits() rcmgr.ConcreteLimitConfig {
	return rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: maxConnections, ConnsInbound: maxConnections, ConnsOutbound: maxConnections,
			Streams: maxStreams, StreamsInbound: maxStreams, StreamsOutbound: maxStreams,
			FD: maxConnections, Memory: maxMemory,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: maxHandshakes, ConnsInbound: maxHandshakes, ConnsOutbound: maxHandshakes,
			Streams: maxPeerStreams, StreamsInbound: maxPeerStreams, StreamsOutbound: maxPeerStreams,
			FD: maxHandshakes, Memory: maxPeerMemory,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: maxPerPeer, ConnsInbound: maxPerPeer, ConnsOutbound: maxPerPeer,
			Streams: maxPeerStreams, StreamsInbound: 3 * inbound.Serving, StreamsOutbound: maxPeerStreams,
			FD: maxPerPeer, Memory: maxPeerMemory,
		},
		Conn:   rcmgr.ResourceLimits{Conns: 1, ConnsInbound: 1, ConnsOutbound: 1, FD: 1, Memory: 32 << 20},
		Stream: rcmgr.ResourceLimits{Streams: 1, StreamsInbound: 1, StreamsOutbound: 1, Memory: 16 << 20},
	}.Build(rcmgr.InfiniteLimits)
}

// rateLimits bounds new connections by address. libp2p's own are so low (16,
// then one in five seconds) that a household behind one address runs into them.
func rateLimits() *rate.Limiter {
	host := rate.Limit{RPS: 5, Burst: 64}
	site := rate.Limit{RPS: 20, Burst: 256}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, // no limit
			{Prefix: netip.MustParsePrefix("::1/128")},
		},
		GlobalLimit: rate.Limit{RPS: 200, Burst: 512},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: host}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 64, Limit: host}, {PrefixLength: 48, Limit: site}},
			GracePeriod:      time.Minute,
		},
	}
}

// rank spreads the attempts of a dial in time. QUIC is a round trip faster and
// better for small things, so TCP follows only where QUIC stays silent; nearer
// addresses go first. The steps are what a handshake takes on a LAN, so several
// addresses cost little time and rarely more than one connection.
func rank(addrs []ma.Multiaddr) []network.AddrDelay {
	const step, patience = 10 * time.Millisecond, 40 * time.Millisecond
	var delays []network.AddrDelay
	var next time.Duration
	for _, tcpTurn := range []bool{false, true} {
		if tcpTurn && len(delays) > 0 {
			next += patience
		}
		for _, a := range nearestFirst(addrs) {
			if isTCP(a) == tcpTurn {
				delays = append(delays, network.AddrDelay{Addr: a, Delay: next})
				next += step
			}
		}
	}
	return delays
}
