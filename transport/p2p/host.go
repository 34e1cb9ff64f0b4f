package p2p

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/transport/internal/inbound"
)

// What a device takes on. A contact list has hundreds of entries, of which some
// tens are connected; whoever asks for more than this is broken or hostile.
const (
	keptConnections = 64 // trimmed to, strangers and idle ones first
	mostConnections = 96 // before trimming begins
	trimGrace       = 30 * time.Second
	contactWeight   = 100

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

// newHost starts the libp2p host; it listens nowhere yet.
func newHost(t *Transport) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(t.cfg.Identity.TransportKey())
	if err != nil {
		return nil, err
	}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits()),
		rcmgr.WithConnRateLimiters(rateLimits()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 64}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: 64}, {PrefixLength: 48, ConnCount: 256}}),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	connections, err := connmgr.NewConnManager(keptConnections, mostConnections, connmgr.WithGracePeriod(trimGrace))
	if err != nil {
		return nil, err
	}
	store, err := t.book.peerstore()
	if err != nil {
		return nil, err
	}
	return libp2p.New(
		libp2p.Identity(key),
		libp2p.NoListenAddrs, // Listen does it, and fails if one fails
		libp2p.Transport(libp2pquic.NewTransport),
		// From the port it listens on, two devices that dial each other at once
		// would meet in one TCP connection with two clients.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.Peerstore(store),
		libp2p.ConnectionGater(t.gate),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(connections),
		libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return nil }),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPrivate(), // else an AutoNAT client asks peers to dial back
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.Ping(false),
		libp2p.UserAgent("contactsd"),
		libp2p.ProtocolVersion("contacts/1"),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.SwarmOpts(swarm.WithDialRanker(rank)),
		// A device that was offline for an hour has only failures behind it; that
		// must not keep it from dialling.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	)
}

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
