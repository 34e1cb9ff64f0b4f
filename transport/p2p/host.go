package p2p

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// parts is what a host is made of. They are put together here and not by
// libp2p.New, whose package links every transport that there is, WebRTC among
// them: what those set up when a process starts was a third of the start.
type parts struct {
	key         crypto.PrivKey
	resources   network.ResourceManager
	connections *connmgr.BasicConnMgr
	peers       peerstore.Peerstore
	bus         event.Bus
	swarm       *swarm.Swarm
	udp         *quicreuse.ConnManager
}

// closingHost closes what a BasicHost leaves open.
type closingHost struct {
	*basichost.BasicHost
	udp *quicreuse.ConnManager
}

// Close closes the host and then its UDP sockets, which its connections use to
// say goodbye.
func (h *closingHost) Close() error { return errors.Join(h.BasicHost.Close(), h.udp.Close()) }

// newHost starts the libp2p host; it listens nowhere yet.
func newHost(t *Transport) (host.Host, error) {
	p := parts{bus: eventbus.NewBus()}
	err := p.make(t)
	if err == nil {
		err = p.addTransports(t.gate)
	}
	var h *basichost.BasicHost
	if err == nil {
		h, err = basichost.NewHost(p.swarm, &basichost.HostOpts{
			EventBus:        p.bus,
			ConnManager:     p.connections,
			AddrsFactory:    func([]ma.Multiaddr) []ma.Multiaddr { return nil },
			UserAgent:       "contactsd",
			ProtocolVersion: "contacts/1",
		})
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	h.Start()
	return &closingHost{h, p.udp}, nil
}

// make makes all but the transports.
func (p *parts) make(t *Transport) (err error) {
	if p.key, err = crypto.UnmarshalEd25519PrivateKey(t.cfg.Identity.TransportKey()); err != nil {
		return err
	}
	p.resources, err = rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits()),
		rcmgr.WithConnRateLimiters(rateLimits()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: 64}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: 64}, {PrefixLength: 48, ConnCount: 256}}),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return err
	}
	if p.connections, err = connmgr.NewConnManager(keptConnections, mostConnections, connmgr.WithGracePeriod(trimGrace)); err != nil {
		return err
	}
	if p.peers, err = t.book.peerstore(); err != nil {
		return err
	}
	self := peerOf(t.self)
	if err := errors.Join(p.peers.AddPrivKey(self, p.key), p.peers.AddPubKey(self, p.key.GetPublic())); err != nil {
		return err
	}
	if p.udp, err = newUDP(p.key, p.resources); err != nil {
		return err
	}
	p.swarm, err = swarm.NewSwarm(self, p.peers, p.bus,
		swarm.WithConnectionGater(t.gate),
		swarm.WithResourceManager(p.resources),
		swarm.WithDialTimeout(dialTimeout),
		swarm.WithDialRanker(rank),
		// A device that was offline for an hour has only failures behind it; that
		// must not keep it from dialling.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	return err
}

// addTransports has the swarm use QUIC and TCP. Each makes a certificate of its
// own, which is most of what takes time here, so they do it at once.
func (p *parts) addTransports(gate *gate) error {
	var overUDP, overTCP transport.Transport
	var udpErr, tcpErr error
	var both sync.WaitGroup
	both.Go(func() { overUDP, udpErr = libp2pquic.NewTransport(p.key, p.udp, nil, gate, p.resources) })
	both.Go(func() { overTCP, tcpErr = p.newTCP(gate, yamux.DefaultTransport) })
	both.Wait()
	if err := errors.Join(udpErr, tcpErr); err != nil {
		return err
	}
	return errors.Join(p.swarm.AddTransport(overUDP), p.swarm.AddTransport(overTCP))
}

func (p *parts) newTCP(gate *gate, muxer *yamux.Transport) (transport.Transport, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: muxer}}
	tls, err := libp2ptls.New(libp2ptls.ID, p.key, muxers)
	if err != nil {
		return nil, err
	}
	noise, err := noise.New(noise.ID, p.key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{tls, noise}, muxers, nil, p.resources, gate)
	if err != nil {
		return nil, err
	}
	// From the port it listens on, two devices that dial each other at once
	// would meet in one TCP connection with two clients.
	return tcp.NewTCPTransport(up, p.resources, nil, tcp.DisableReuseport())
}

// newUDP makes what has the UDP sockets. A connection counts from its first
// packet on, and whoever sends many has to show that its address is its own.
func newUDP(key crypto.PrivKey, resources network.ResourceManager) (*quicreuse.ConnManager, error) {
	secret, err := key.Raw()
	if err != nil {
		return nil, err
	}
	reset, err := hkdf.Key(sha256.New, secret, nil, "libp2p quic stateless reset key", len(quic.StatelessResetKey{}))
	if err != nil {
		return nil, err
	}
	token, err := hkdf.Key(sha256.New, secret, nil, "libp2p quic token generator key", len(quic.TokenGeneratorKey{}))
	if err != nil {
		return nil, err
	}
	count := func(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
		addr, err := quicreuse.ToQuicMultiaddr(client.RemoteAddr, quic.Version1)
		if err != nil {
			addr = nil // the resource manager decides without
		}
		scope, err := resources.OpenConnection(network.DirInbound, false, addr)
		if err != nil {
			return ctx, err
		}
		ctx = network.WithConnManagementScope(ctx, scope)
		context.AfterFunc(ctx, scope.Done)
		return ctx, nil
	}
	return quicreuse.NewConnManager(quic.StatelessResetKey(reset), quic.TokenGeneratorKey(token),
		quicreuse.ConnContext(count),
		quicreuse.VerifySourceAddress(func(addr net.Addr) bool { return resources.VerifySourceAddress(addr) }))
}

// close closes the parts of a host that did not come about.
func (p *parts) close() error {
	var errs []error
	if p.swarm != nil {
		errs = append(errs, p.swarm.Close())
	}
	if p.udp != nil {
		errs = append(errs, p.udp.Close())
	}
	if p.connections != nil {
		errs = append(errs, p.connections.Close())
	}
	if p.peers != nil {
		errs = append(errs, p.peers.Close())
	}
	if p.resources != nil {
		errs = append(errs, p.resources.Close())
	}
	return errors.Join(errs...)
}
