package p2p

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
	"contactsd/transport"
)

const (
	bulkDial   = 5 * time.Second  // after which the connection that there is has to do
	bulkIdle   = 10 * time.Second // for which a bulk connection stays without streams
	bulkWindow = 8 << 20          // bytes that a stream may be ahead of its reader
)

// bulk has connections of its own for what carries much: TCP, which is faster than
// QUIC both on a LAN and on a path that loses packets, and apart from those over which
// small things go, so that none of them waits behind it. It dials and does not listen.
type bulk struct {
	protocols []transport.Protocol

	mu    sync.Mutex
	swarm *swarm.Swarm // made when it is first needed
	over  bool
	in    map[network.Conn]bool // connections of the main host that peers use for bulk
}

// has reports whether a protocol carries much.
func (b *bulk) has(p transport.Protocol) bool { return slices.Contains(b.protocols, p) }

// mark says that a peer uses a connection for bulk.
func (b *bulk) mark(c network.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.in == nil {
		b.in = make(map[network.Conn]bool)
	}
	b.in[c] = true
}

func (b *bulk) forget(c network.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.in, c)
}

// besides returns a connection with a peer that is not for bulk, nil if that is for
// libp2p to choose: there is none, or all are like that.
func (b *bulk) besides(conns []network.Conn) network.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	var free network.Conn
	marked := false
	for _, c := range conns {
		switch {
		case b.in[c]:
			marked = true
		case free == nil && !c.IsClosed() && !c.Stat().Limited:
			free = c
		}
	}
	if !marked {
		return nil
	}
	return free
}

// network returns the swarm of the bulk connections.
func (b *bulk) network(t *Transport) (*swarm.Swarm, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return nil, transport.ErrClosed
	}
	if b.swarm != nil {
		return b.swarm, nil
	}
	s, err := newBulkSwarm(t.host, t.gate)
	if err == nil {
		b.swarm = s
	}
	return s, err
}

func newBulkSwarm(h host.Host, gate *gate) (*swarm.Swarm, error) {
	// A bus of its own: what happens here is no change of whether a peer is connected.
	s, err := swarm.NewSwarm(h.ID(), h.Peerstore(), eventbus.NewBus(),
		swarm.WithConnectionGater(gate),
		swarm.WithResourceManager(h.Network().ResourceManager()),
		swarm.WithDialTimeout(bulkDial),
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return nil, err
	}
	muxer := *yamux.DefaultTransport
	muxer.MaxStreamWindowSize = bulkWindow
	p := parts{key: h.Peerstore().PrivKey(h.ID()), resources: h.Network().ResourceManager()}
	overTCP, err := p.newTCP(gate, &muxer)
	if err == nil {
		err = s.AddTransport(overTCP)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	// The peer may use the connection for whatever else it wants to say.
	s.SetStreamHandler(func(ns network.Stream) { dispatch(h, ns) })
	return s, nil
}

// dispatch does for a stream what the host does for those of its own swarm.
func dispatch(h host.Host, ns network.Stream) {
	ns.SetDeadline(time.Now().Add(dialTimeout))
	p, handle, err := h.Mux().Negotiate(ns)
	if err == nil {
		err = errors.Join(ns.SetDeadline(time.Time{}), ns.SetProtocol(p))
	}
	if err != nil {
		ns.Reset()
		return
	}
	var rw io.ReadWriteCloser = ns
	handle(p, rw)
}

// open opens a stream for bulk, nil if the connections that there are have to do:
// no TCP address is known, or nobody answers there.
func (b *bulk) open(ctx context.Context, t *Transport, id contact.ODID, p transport.Protocol) *stream {
	pid := peerOf(id)
	if !slices.ContainsFunc(t.book.addrs(pid), func(a ma.Multiaddr) bool { return isTCP(a) }) {
		return nil
	}
	s, err := b.network(t)
	if err != nil {
		t.log.Debug("no connection for bulk", "err", err)
		return nil
	}
	ns, err := b.newStream(ctx, s, pid)
	if err != nil {
		t.log.Debug("no connection for bulk", "peer", id.Short(), "err", err)
		return nil
	}
	st := &stream{Stream: ns, peer: id, say: lines(p), hear: lines(p), ended: sync.OnceFunc(func() { endBulk(ns.Conn()) })}
	if err := t.negotiate(ctx, st, p); err != nil {
		t.log.Debug("a connection for bulk is of no use", "peer", id.Short(), "err", err)
		st.Reset()
		return nil
	}
	return st
}

func (b *bulk) newStream(ctx context.Context, s *swarm.Swarm, pid peer.ID) (network.Stream, error) {
	s.Backoff().Clear(pid)
	ctx, cancel := context.WithTimeout(ctx, bulkDial)
	defer cancel()
	return s.NewStream(network.WithDialPeerTimeout(ctx, bulkDial), pid)
}

// endBulk closes a connection that no stream has used for a while.
func endBulk(c network.Conn) {
	time.AfterFunc(bulkIdle, func() {
		if len(c.GetStreams()) == 0 {
			c.Close()
		}
	})
}

func (b *bulk) close() error {
	b.mu.Lock()
	s := b.swarm
	b.over, b.swarm = true, nil
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Close()
}

// newStream opens a stream of the host on a connection that there is, one that is
// not for bulk if it can be chosen.
func (t *Transport) newStream(ctx context.Context, pid peer.ID) (network.Stream, error) {
	if c := t.bulk.besides(t.swarm.ConnsToPeer(pid)); c != nil {
		if ns, err := c.NewStream(ctx); err == nil {
			return ns, nil
		}
	}
	return t.swarm.NewStream(network.WithNoDial(ctx, "connected"), pid)
}
