package memnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// AddressOf returns the address of a device: "mem:" and its ODID.
func AddressOf(id contact.ODID) transport.Address {
	return transport.Address(scheme + id.String())
}

const scheme = "mem:"

func parse(a transport.Address) (contact.ODID, error) {
	text, ok := strings.CutPrefix(string(a), scheme)
	if !ok {
		return contact.ODID{}, fmt.Errorf("%w: it begins with %q", transport.ErrAddress, scheme)
	}
	id, err := contact.ParseODID(text)
	if err != nil {
		return id, fmt.Errorf("%w: %v", transport.ErrAddress, err)
	}
	return id, nil
}

// Own implements transport.Addresses. A device has an address while it runs.
func (d *Device) Own() []transport.Address {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	if !d.up() {
		return nil
	}
	return []transport.Address{AddressOf(d.id)}
}

// Learn implements transport.Addresses.
func (d *Device) Learn(peer contact.ODID, addrs []transport.Address) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	delete(d.known, peer)
	if !d.mayDial(peer) {
		return
	}
	for _, a := range addrs {
		if id, err := parse(a); err == nil && id == peer {
			d.known[peer] = true
		}
	}
}

// Knows implements transport.Addresses. On a network that is not Strict everybody
// can be found.
func (d *Device) Knows(peer contact.ODID) bool {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	return !d.net.opt.Strict || d.known[peer]
}

// recall asks where the peer was, if nothing was learnt of it.
func (d *Device) recall(peer contact.ODID) {
	d.net.mu.Lock()
	where, known := d.where, d.known[peer]
	d.net.mu.Unlock()
	if where == nil || known {
		return
	}
	if addrs := where(peer); len(addrs) > 0 {
		d.Learn(peer, addrs)
	}
}

// Dial implements transport.Addresses.
func (d *Device) Dial(ctx context.Context, peer contact.ODID, addrs ...transport.Address) error {
	for _, a := range addrs {
		if id, err := parse(a); err != nil {
			return fmt.Errorf("dial %s: %w", peer.Short(), err)
		} else if id != peer {
			return fmt.Errorf("dial %s: %w: it is that of %s", peer.Short(), transport.ErrAddress, id.Short())
		}
	}
	defer d.name(peer)()
	if err := d.connect(ctx, peer, len(addrs) > 0); err != nil {
		return fmt.Errorf("dial %s: %w", peer.Short(), err)
	}
	return nil
}

// Resolve implements transport.Addresses.
func (d *Device) Resolve(ctx context.Context, addr transport.Address) (contact.ODID, error) {
	id, err := parse(addr)
	if err != nil {
		return id, fmt.Errorf("resolve: %w", err)
	}
	return id, d.Dial(ctx, id, addr)
}

// name lets the peer be dialled until undo is called.
func (d *Device) name(peer contact.ODID) (undo func()) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.named[peer]++
	return func() {
		d.net.mu.Lock()
		defer d.net.mu.Unlock()
		if d.named[peer]--; d.named[peer] == 0 {
			delete(d.named, peer)
		}
	}
}

// connect returns nil when there is a connection. Callers that want one with the
// same peer share one attempt.
func (d *Device) connect(ctx context.Context, peer contact.ODID, addressed bool) error {
	if peer == d.id {
		return transport.ErrSelf
	}
	select {
	case <-d.started:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.recall(peer)
	n := d.net
	n.mu.Lock()
	for {
		switch {
		case d.gone():
			n.mu.Unlock()
			return transport.ErrClosed
		case d.newest(peer) != nil:
			n.mu.Unlock()
			return nil
		case !d.mayDial(peer) && d.named[peer] == 0:
			n.mu.Unlock()
			return fmt.Errorf("%w: not a contact, and not named by the user", transport.ErrUnreachable)
		case n.opt.Strict && !d.known[peer] && !addressed:
			n.mu.Unlock()
			return fmt.Errorf("%w: no address known", transport.ErrUnreachable)
		}
		busy, ok := d.dialling[peer]
		if !ok {
			break
		}
		n.mu.Unlock()
		select {
		case <-busy.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if errors.Is(busy.err, transport.ErrUnreachable) {
			return busy.err
		}
		n.mu.Lock()
	}
	mine := &attempt{done: make(chan struct{})}
	d.dialling[peer] = mine
	n.mu.Unlock()

	mine.err = d.dial(ctx, peer)
	d.noteDial(peer, mine.err)

	n.mu.Lock()
	delete(d.dialling, peer)
	close(mine.done)
	n.mu.Unlock()
	return mine.err
}

// attempt is a running dial; err is set when done is closed.
type attempt struct {
	done chan struct{}
	err  error
}

// dial makes a connection, which takes two latencies, or as long as a cut lasts.
func (d *Device) dial(ctx context.Context, peer contact.ODID) error {
	if err := d.sleep(ctx, d.net.latency(d.id, peer)+d.net.latency(peer, d.id)); err != nil {
		return err
	}
	n := d.net
	timeout := time.NewTimer(n.opt.DialTimeout)
	defer timeout.Stop()
	for {
		n.mu.Lock()
		if d.gone() {
			n.mu.Unlock()
			return transport.ErrClosed
		}
		if !n.cut[link{d.id, peer}] && !n.cut[link{peer, d.id}] {
			break
		}
		changed := n.changed
		n.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			return fmt.Errorf("%w: no answer", transport.ErrUnreachable)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	to := n.up[peer]
	if to == nil {
		n.mu.Unlock()
		return fmt.Errorf("%w: nobody is there", transport.ErrUnreachable)
	}
	n.connect(d, to)
	n.mu.Unlock()
	deliver(d, to)
	return nil
}

// connect makes a connection; n.mu is held.
func (n *Network) connect(d, to *Device) {
	c := &conn{net: n, since: time.Now(), dev: [2]*Device{d, to}, up: [2]bool{true, true}, streams: make(map[*pipe]struct{})}
	n.conns[c] = struct{}{}
	for i, side := range c.dev {
		if n.cut[link{side.id, c.dev[1-i].id}] {
			c.hold(i)
		}
		side.conns = append(side.conns, c)
	}
	d.peers.Add(to.id)
	to.peers.Add(d.id)
	to.dials.Connected(d.id)
}

// announcement is one running Announce.
type announcement struct{ dev *Device }

// Announce implements transport.Neighbourhood.
func (d *Device) Announce(ctx context.Context) {
	n := d.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.gone() || ctx.Err() != nil {
		return
	}
	a := &announcement{d}
	n.shows[a] = struct{}{}
	n.broadcast()
	context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.shows, a)
	})
}

// Candidates implements transport.Neighbourhood. Devices behind a cut are not seen.
func (d *Device) Candidates(ctx context.Context) <-chan contact.ODID {
	found := make(chan contact.ODID)
	go func() {
		defer close(found)
		seen := make(map[contact.ODID]bool)
		for {
			d.net.mu.Lock()
			changed, next := d.net.changed, d.candidate(seen)
			d.net.mu.Unlock()
			if next.IsZero() {
				select {
				case <-changed:
					continue
				case <-d.stopped:
				case <-ctx.Done():
				}
				return
			}
			seen[next] = true
			defer d.name(next)()
			select {
			case found <- next:
			case <-d.stopped:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return found
}

// candidate returns an announcing device that is not in seen, or the zero ODID.
func (d *Device) candidate(seen map[contact.ODID]bool) contact.ODID {
	for a := range d.net.shows {
		id := a.dev.id
		l := link{id, d.id}
		if id != d.id && !seen[id] && a.dev.up() && !d.net.cut[l] && !d.net.cut[link{d.id, id}] {
			return id
		}
	}
	return contact.ODID{}
}

// up reports whether the device is on the network; net.mu is held.
func (d *Device) up() bool { return d.net.up[d.id] == d }
