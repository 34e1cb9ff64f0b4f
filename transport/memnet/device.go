package memnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/transport"
	"contactsd/transport/internal/connected"
	"contactsd/transport/internal/dials"
	"contactsd/transport/internal/inbound"
)

// ErrCrashed is returned by the Run of a device that Network.Crash took away.
var ErrCrashed = errors.New("crashed")

// Device is one life of a device. It implements transport.Network,
// transport.Addresses, transport.Routes and transport.Neighbourhood.
type Device struct {
	net   *Network
	id    contact.ODID
	peers connected.Set
	dials dials.Log
	limit inbound.Limit

	started chan struct{} // closed when Run has begun
	stopped chan struct{} // closed when it ends
	work    sync.WaitGroup

	// Guarded by net.mu.
	mayDial  func(contact.ODID) bool
	where    func(contact.ODID) []transport.Address // nil knows nothing
	handlers map[transport.Protocol]transport.Handler
	ctx      context.Context // of handlers, set by Run
	crashed  bool
	conns    []*conn
	dialling map[contact.ODID]*attempt
	known    map[contact.ODID]bool
	named    map[contact.ODID]int
}

// Device returns a new device of that identity, not on the network before Run.
// It may dial every device until SetMayDial says otherwise.
func (n *Network) Device(id contact.ODID) *Device {
	return &Device{
		net:      n,
		id:       id,
		started:  make(chan struct{}),
		stopped:  make(chan struct{}),
		mayDial:  func(contact.ODID) bool { return true },
		handlers: make(map[transport.Protocol]transport.Handler),
		dialling: make(map[contact.ODID]*attempt),
		known:    make(map[contact.ODID]bool),
		named:    make(map[contact.ODID]int),
	}
}

// SetMayDial says which devices may be dialled without being named (contacts).
// It must not use the device.
func (d *Device) SetMayDial(f func(contact.ODID) bool) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.mayDial = f
}

// SetWhere says where devices were the last time. It is asked for one that is to
// be dialled and of which nothing was learnt; it must not use the device.
func (d *Device) SetWhere(f func(contact.ODID) []transport.Address) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.where = f
}

// Run keeps the device on the network until ctx ends and returns nil, or
// ErrCrashed. It returns when every handler has. A device runs once.
func (d *Device) Run(ctx context.Context) error {
	n := d.net
	n.mu.Lock()
	if d.ctx != nil || n.up[d.id] != nil {
		n.mu.Unlock()
		return fmt.Errorf("run %s: it runs already or has run", d.id.Short())
	}
	hctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.ctx = hctx
	n.up[d.id] = d
	close(d.started)
	n.broadcast()
	n.mu.Unlock()

	select {
	case <-ctx.Done():
	case <-d.stopped:
	}
	n.mu.Lock()
	var told []*Device
	if !d.gone() {
		for _, c := range d.conns {
			told = append(told, c.dev[1-c.of(d)])
		}
		d.halt(false)
	}
	crashed := d.crashed
	n.mu.Unlock()
	cancel()
	deliver(append(told, d)...)
	d.work.Wait()
	if crashed {
		return ErrCrashed
	}
	return nil
}

// gone reports whether the device's life is over; net.mu is held.
func (d *Device) gone() bool {
	select {
	case <-d.stopped:
		return true
	default:
		return false
	}
}

// halt takes the device off the network; net.mu is held.
func (d *Device) halt(crashed bool) {
	d.crashed = crashed
	delete(d.net.up, d.id)
	for a := range d.net.shows {
		if a.dev == d {
			delete(d.net.shows, a)
		}
	}
	for _, c := range slices.Clone(d.conns) {
		c.leave(c.of(d), crashed)
	}
	close(d.stopped)
	d.net.broadcast()
}

// Self implements transport.Network.
func (d *Device) Self() contact.ODID { return d.id }

// Serve implements transport.Network.
func (d *Device) Serve(p transport.Protocol, h transport.Handler) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.handlers[p] = h
}

// Connected implements transport.Network.
func (d *Device) Connected() []contact.ODID { return d.peers.List() }

// Watch implements transport.Network.
func (d *Device) Watch(f func(contact.ODID, bool)) (cancel func()) { return d.peers.Watch(f) }

// Disconnect implements transport.Disconnecter.
func (d *Device) Disconnect(peer contact.ODID) {
	d.net.mu.Lock()
	var told []*Device
	for _, c := range slices.Clone(d.conns) {
		if other := c.dev[1-c.of(d)]; other.id == peer {
			c.leave(c.of(d), false)
			told = append(told, d, other)
		}
	}
	d.net.mu.Unlock()
	deliver(told...)
}

// Open implements transport.Network. Before Run it waits for it. If the peer is
// there it costs no latency, but for ErrRefused two.
func (d *Device) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	s, err := d.open(ctx, peer, p)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", p, peer.Short(), err)
	}
	return s, nil
}

func (d *Device) open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	for {
		if err := d.connect(ctx, peer, false); err != nil {
			return nil, err
		}
		d.net.mu.Lock()
		c := d.newest(peer)
		if c == nil {
			d.net.mu.Unlock()
			continue
		}
		s, err := c.open(d, p)
		d.net.mu.Unlock()
		if errors.Is(err, transport.ErrRefused) {
			if err := d.sleep(ctx, d.net.latency(d.id, peer)+d.net.latency(peer, d.id)); err != nil {
				return nil, err
			}
		}
		return s, err
	}
}

func (d *Device) newest(peer contact.ODID) *conn {
	for _, c := range slices.Backward(d.conns) {
		if c.dev[1-c.of(d)].id == peer {
			return c
		}
	}
	return nil
}

// open opens a stream from d; net.mu is held.
func (c *conn) open(d *Device, p transport.Protocol) (transport.Stream, error) {
	i := c.of(d)
	to := c.dev[1-i]
	h, served := to.handlers[p]
	if c.up[1-i] && !served {
		return nil, fmt.Errorf("%w: the peer does not serve it", transport.ErrRefused)
	}
	pipe := newPipe(c, i, p)
	c.streams[pipe] = struct{}{}
	if c.up[1-i] {
		to.work.Add(1)
		go to.serve(h, stream{pipe, 1 - i})
	}
	return stream{pipe, i}, nil
}

func (d *Device) serve(h transport.Handler, s stream) {
	defer d.work.Done()
	if s.accepted(s.i) != nil {
		return
	}
	leave, ok := d.limit.Enter(s.Peer(), d.stopped)
	if !ok {
		s.Reset()
		return
	}
	defer leave()
	h(d.ctx, s)
}

// sleep waits, unless ctx or the device ends.
func (d *Device) sleep(ctx context.Context, t time.Duration) error {
	if t == 0 {
		return nil
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.stopped:
		return transport.ErrClosed
	}
}
