// Package memnet is a network of devices in memory, for tests: all of time,
// latency, partition and crash is in the test's hands. It works inside
// testing/synctest bubbles (create the Network in the bubble) and out of them.
//
// A Device is one life of a device: it is on the network while Run runs. A
// restart is a new Device of the same ODID.
//
//	n := memnet.New(memnet.Options{Latency: 20 * time.Millisecond})
//	a, b := n.Device(alice.Self()), n.Device(bob.Self())
//	b.Serve(p, handler)
//	go a.Run(ctx)
//	go b.Run(ctx)
//	s, err := a.Open(ctx, b.Self(), p)
package memnet

import (
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// Options of a Network. The zero value is a network without delay in which every
// device knows where every other is.
type Options struct {
	// Latency is how long each thing sent takes to arrive, one way.
	Latency time.Duration
	// Buffer is how many bytes each direction of a stream holds before writers
	// wait, 64 KiB if 0.
	Buffer int
	// Idle is how long a connection outlives a cut or a crash, 30 s if 0, as
	// QUIC's does in libp2p.
	Idle time.Duration
	// DialTimeout is how long dialling over a cut link takes to fail, 5 s if 0.
	DialTimeout time.Duration
	// Delay is what else the next thing sent takes, on top of Latency. Things of one
	// stream stay in order, whatever it says; those of several do not.
	Delay func(from, to contact.ODID) time.Duration
	// Tap sees what is written to streams, as it leaves. If it returns false, it is
	// as if the connection was lost just before. It must not use the network.
	Tap func(from, to contact.ODID, p transport.Protocol, b []byte) bool
	// Strict devices know only the addresses they learnt or were given.
	Strict bool
}

// Network connects the devices made by Device.
type Network struct {
	opt Options

	mu      sync.Mutex // taken before the mutex of any stream
	up      map[contact.ODID]*Device
	cut     map[link]bool
	conns   map[*conn]struct{}
	shows   map[*announcement]struct{}
	changed chan struct{} // closed and replaced when something above changed
}

// link is one direction between two devices.
type link struct{ from, to contact.ODID }

// New returns a network without devices.
func New(opt Options) *Network {
	if opt.Buffer <= 0 {
		opt.Buffer = 64 << 10
	}
	if opt.Idle <= 0 {
		opt.Idle = 30 * time.Second
	}
	if opt.DialTimeout <= 0 {
		opt.DialTimeout = 5 * time.Second
	}
	return &Network{
		opt:     opt,
		up:      make(map[contact.ODID]*Device),
		cut:     make(map[link]bool),
		conns:   make(map[*conn]struct{}),
		shows:   make(map[*announcement]struct{}),
		changed: make(chan struct{}),
	}
}

// latency returns how long the next thing sent takes.
func (n *Network) latency(from, to contact.ODID) time.Duration {
	if n.opt.Delay == nil {
		return n.opt.Latency
	}
	return n.opt.Latency + n.opt.Delay(from, to)
}

func (n *Network) broadcast() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Cut stops what a and b send each other. It is held until Heal; a connection
// that stays cut is lost after Options.Idle.
func (n *Network) Cut(a, b contact.ODID) {
	n.CutOneWay(a, b)
	n.CutOneWay(b, a)
}

// CutOneWay stops what from sends to to; the other direction flows on. While one
// direction is cut no new connection can be made in either.
func (n *Network) CutOneWay(from, to contact.ODID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[link{from, to}] {
		return
	}
	n.cut[link{from, to}] = true
	for c := range n.conns {
		if from, ok := c.side(from, to); ok {
			c.hold(from)
		}
	}
	n.broadcast()
}

// Heal undoes every cut between a and b. What was held arrives, in order.
func (n *Network) Heal(a, b contact.ODID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range []link{{a, b}, {b, a}} {
		if !n.cut[l] {
			continue
		}
		delete(n.cut, l)
		for c := range n.conns {
			if from, ok := c.side(l.from, l.to); ok {
				c.release(from)
			}
		}
	}
	n.broadcast()
}

// Drop ends the connections between a and b now; both see it. They may connect
// again at once.
func (n *Network) Drop(a, b contact.ODID) {
	n.mu.Lock()
	var told []*Device
	for c := range n.conns {
		if _, ok := c.side(a, b); ok {
			told = append(told, c.dev[0], c.dev[1])
			c.lose(0)
			c.lose(1)
		}
	}
	n.mu.Unlock()
	deliver(told...)
}

// Double makes another connection between a and b, as two that dial each other at
// once do. It does nothing unless they are connected.
func (n *Network) Double(a, b contact.ODID) {
	n.mu.Lock()
	from, to := n.up[a], n.up[b]
	if from == nil || to == nil || from.newest(b) == nil {
		n.mu.Unlock()
		return
	}
	n.connect(from, to)
	n.mu.Unlock()
	deliver(from, to)
}

// Crash takes the device off the network without a word, if it is on it: its Run
// returns ErrCrashed, its peers notice after Options.Idle.
func (n *Network) Crash(id contact.ODID) {
	n.mu.Lock()
	d := n.up[id]
	if d != nil {
		d.halt(true)
	}
	n.mu.Unlock()
	if d != nil {
		deliver(d)
	}
}

// Connections returns how many connections a and b hold with each other.
func (n *Network) Connections(a, b contact.ODID) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for c := range n.conns {
		if _, ok := c.side(a, b); ok {
			count++
		}
	}
	return count
}

// deliver tells the watchers of the devices what changed; n.mu must be free.
func deliver(devices ...*Device) {
	for _, d := range devices {
		d.peers.Deliver()
	}
}
