// Package p2p is the transport over libp2p: QUIC and TCP, secured by TLS 1.3 or
// Noise with the device's own key, and mDNS on the LAN.
//
// Who learns addresses. libp2p as it comes tells every peer where the device
// listens and dials what a peer names. Here Identify carries no address, what it
// brings is not remembered (book), and only addresses that were learnt for a
// contact or given by the user are dialled (gate). So a stranger learns no more
// than what it knew to get here.
package p2p

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/internal/connected"
	"contactsd/transport/internal/dials"
	"contactsd/transport/internal/inbound"
)

// Config of a Transport.
type Config struct {
	Identity *identity.Identity
	// Listen has the multiaddrs to listen on, "/ip4/0.0.0.0/udp/4001/quic-v1" or
	// "/ip4/0.0.0.0/tcp/4001"; port 0 chooses one, see ListenAddresses. With none
	// the device dials only.
	Listen []string
	// MDNS says whether to find contacts on the LAN. Without it nothing is sent there.
	MDNS bool
	// MayDial reports whether the device may be dialled without the user naming
	// it: the contacts. It must not block, nor use the Transport.
	MayDial func(contact.ODID) bool
	// Where returns where a device was the last time. It is asked when the device is
	// to be dialled and nothing was learnt of it since the start. Like MayDial it
	// must neither block nor use the Transport; nil knows nothing.
	Where func(contact.ODID) []transport.Address
	// Bulk has the protocols that carry much. They get TCP connections of their own
	// where they can.
	Bulk []transport.Protocol
	Log  *slog.Logger
}

// Transport implements transport.Network, transport.Addresses, transport.Routes
// and transport.Neighbourhood.
type Transport struct {
	cfg    Config
	self   contact.ODID
	listen []ma.Multiaddr
	log    *slog.Logger
	book   *book
	gate   *gate
	peers  connected.Set
	dials  dials.Log
	limit  inbound.Limit
	bulk   bulk

	ready   chan struct{} // closed when the host listens
	stopped chan struct{} // closed when it is about to stop
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup // handlers and everything else that Run waits for

	mu       sync.Mutex
	state    state
	prepared host.Host // made by Prepare, nil when there is none or Listen has taken it
	host     host.Host
	bound    []ma.Multiaddr // what the host listens on
	swarm    *swarm.Swarm
	handlers map[transport.Protocol]transport.Handler
}

type state uint8

const (
	fresh state = iota
	listening
	running
	stopped
)

// New returns a transport that has started nothing. It returns ErrAddress for a
// listen address that is none.
func New(cfg Config) (*Transport, error) {
	if cfg.Identity == nil {
		return nil, errors.New("transport: no identity given")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MayDial == nil {
		cfg.MayDial = func(contact.ODID) bool { return false }
	}
	if cfg.Where == nil {
		cfg.Where = func(contact.ODID) []transport.Address { return nil }
	}
	t := &Transport{
		cfg:      cfg,
		self:     cfg.Identity.Self(),
		log:      cfg.Log,
		ready:    make(chan struct{}),
		stopped:  make(chan struct{}),
		handlers: make(map[transport.Protocol]transport.Handler),
	}
	t.book = newBook()
	t.bulk.protocols = cfg.Bulk
	if err := t.SetListen(cfg.Listen); err != nil {
		return nil, err
	}
	t.gate = &gate{mayDial: cfg.MayDial, book: t.book}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

// SetListen replaces Config.Listen, before Listen or Run is called. It returns
// ErrAddress for a listen address that is none, and changes nothing then.
func (t *Transport) SetListen(on []string) error {
	var addrs []ma.Multiaddr
	for _, text := range on {
		a, err := ma.NewMultiaddr(text)
		if err != nil || !isTransport(a) {
			return fmt.Errorf("listen on %q: %w; write it like /ip4/0.0.0.0/udp/4001/quic-v1 or /ip4/0.0.0.0/tcp/4001", text, transport.ErrAddress)
		}
		addrs = append(addrs, a)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listen = addrs
	t.book.loopback.Store(slices.ContainsFunc(addrs, isLoopback))
	return nil
}

// Prepare makes what Listen would make first: most of its time, and no address
// has to be known for it. Then Listen and Run must follow, or Close.
func (t *Transport) Prepare() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != fresh || t.prepared != nil {
		return nil
	}
	h, err := newHost(t)
	if err != nil {
		return fmt.Errorf("prepare the network: %w", err)
	}
	t.prepared = h
	return nil
}

// Listen binds every listen address, or none and says which one failed; then it
// may be called again. Run calls it unless it was called; a caller that wants to
// know early, or needs ListenAddresses before Run, calls it first. Then Run must
// follow, or Close.
func (t *Transport) Listen() error {
	t.mu.Lock()
	h, err := t.bind()
	t.mu.Unlock()
	if err != nil && h != nil {
		err = errors.Join(err, h.Close())
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

// Close closes what Prepare and Listen opened when Run is not to follow.
func (t *Transport) Close() error {
	t.mu.Lock()
	h := cmp.Or(t.host, t.prepared)
	over := t.state == running || t.state == stopped
	t.mu.Unlock()
	if over {
		return errors.New("close: the transport runs or has stopped")
	}
	t.stop()
	var err error
	if h != nil {
		err = h.Close()
	}
	t.work.Wait()
	return err
}

// bind is Listen; t.mu is held. With an error it returns the host to be closed.
func (t *Transport) bind() (host.Host, error) {
	if t.state != fresh {
		return nil, errors.New("the transport listens already or has stopped")
	}
	h := t.prepared
	t.prepared = nil
	if h == nil {
		var err error
		if h, err = newHost(t); err != nil {
			return nil, err
		}
	}
	// Before the first connection can come in, everything that meets it is set.
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { t.connected(h, c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { t.disconnected(h, c) },
	})
	for p := range t.handlers {
		h.SetStreamHandler(protocol.ID(p), t.serve)
	}
	for _, a := range t.listen {
		if err := h.Network().Listen(a); err != nil {
			return h, fmt.Errorf("%s: %w", a, err)
		}
	}
	t.host, t.swarm, t.state = h, h.Network().(*swarm.Swarm), listening
	t.bound = h.Network().ListenAddresses()
	close(t.ready)
	return h, nil
}

// ListenAddresses returns the multiaddrs listened on with the ports that were
// chosen, fit for Config.Listen of the next start. It has none before Listen.
func (t *Transport) ListenAddresses() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var texts []string
	for _, a := range t.bound {
		texts = append(texts, a.String())
	}
	return texts
}

// Run listens, serves and, with Config.MDNS, looks for contacts on the LAN until
// ctx ends; then it closes every connection and returns nil when all its
// goroutines and handlers have ended. A Transport runs once.
func (t *Transport) Run(ctx context.Context) error {
	t.mu.Lock()
	fresh := t.state == fresh
	t.mu.Unlock()
	if fresh {
		if err := t.Listen(); err != nil {
			t.stop()
			t.work.Wait()
			return err
		}
	}
	t.mu.Lock()
	if t.state != listening {
		t.mu.Unlock()
		return errors.New("run: the transport runs already or has stopped")
	}
	t.state = running
	t.mu.Unlock()

	if t.cfg.MDNS {
		t.discover(ctx)
	}
	<-ctx.Done()
	t.stop()
	err := errors.Join(t.bulk.close(), t.host.Close())
	t.work.Wait()
	if err != nil {
		t.log.Warn("closing the transport", "err", err)
	}
	return nil
}

func (t *Transport) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = stopped
	t.cancel()
	close(t.stopped)
}

// start begins work that Run waits for, unless the transport is stopping.
func (t *Transport) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == stopped {
		return false
	}
	t.work.Go(f)
	return true
}

// Self implements transport.Network.
func (t *Transport) Self() contact.ODID { return t.self }

// Connected implements transport.Network.
func (t *Transport) Connected() []contact.ODID { return t.peers.List() }

// Watch implements transport.Network.
func (t *Transport) Watch(f func(contact.ODID, bool)) (cancel func()) { return t.peers.Watch(f) }

// Disconnect implements transport.Disconnecter.
func (t *Transport) Disconnect(peer contact.ODID) {
	for _, c := range t.connections(func(s *swarm.Swarm) []network.Conn { return s.ConnsToPeer(peerOf(peer)) }) {
		if err := c.CloseWithError(network.ConnGarbageCollected); err != nil {
			t.log.Debug("closing a connection", "peer", peer.Short(), "err", err)
		}
	}
}

func (t *Transport) connected(h host.Host, c network.Conn) {
	id, ok := odidOf(c.RemotePeer())
	if !ok {
		return // the gate lets none through
	}
	if t.cfg.MayDial(id) {
		// Which contacts to keep is not for libp2p to say.
		h.ConnManager().Protect(c.RemotePeer(), "contact")
	}
	t.dials.Connected(id)
	t.peers.Add(id)
	t.peers.Deliver()
}

func (t *Transport) disconnected(h host.Host, c network.Conn) {
	t.gate.gone(c)
	t.bulk.forget(c)
	if id, ok := odidOf(c.RemotePeer()); ok {
		t.peers.Remove(id)
		if !t.peers.Has(id) {
			h.ConnManager().Unprotect(c.RemotePeer(), "contact")
		}
		t.peers.Deliver()
	}
}
