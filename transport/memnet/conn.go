package memnet

import (
	"slices"
	"time"

	"contactsd/contact"
)

// conn is a connection; everything in it is guarded by Network.mu. Side 0 dialled.
// Each side ends on its own: the other may not know yet.
type conn struct {
	net     *Network
	since   time.Time
	dev     [2]*Device
	up      [2]bool
	cut     [2]bool // what side i sends is held
	idle    *time.Timer
	streams map[*pipe]struct{}
}

// side returns the side of a if the connection is between a and b.
func (c *conn) side(a, b contact.ODID) (int, bool) {
	switch {
	case c.dev[0].id == a && c.dev[1].id == b:
		return 0, true
	case c.dev[0].id == b && c.dev[1].id == a:
		return 1, true
	}
	return 0, false
}

func (c *conn) of(d *Device) int {
	if c.dev[1] == d {
		return 1
	}
	return 0
}

// hold and release begin and end a cut of what side i sends.
func (c *conn) hold(i int) {
	c.cut[i] = true
	for p := range c.streams {
		p.hold(1 - i)
	}
	if c.idle == nil {
		c.idle = time.AfterFunc(c.net.opt.Idle, c.expire)
	}
}

func (c *conn) release(i int) {
	c.cut[i] = false
	for p := range c.streams {
		p.release(1 - i)
	}
	if !c.cut[0] && !c.cut[1] && c.up[0] && c.up[1] && c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
}

// expire ends what is left of a connection that was silent for too long.
func (c *conn) expire() {
	n := c.net
	n.mu.Lock()
	if silent := c.cut[0] || c.cut[1] || !c.up[0] || !c.up[1]; silent {
		c.lose(0)
		c.lose(1)
	}
	n.mu.Unlock()
	deliver(c.dev[0], c.dev[1])
}

// lose ends the connection for side i.
func (c *conn) lose(i int) {
	if !c.up[i] {
		return
	}
	c.up[i] = false
	d := c.dev[i]
	d.conns = slices.DeleteFunc(d.conns, func(o *conn) bool { return o == c })
	d.peers.Remove(c.dev[1-i].id)
	for p := range c.streams {
		p.lose(i)
	}
	if !c.up[1-i] {
		delete(c.net.conns, c)
		if c.idle != nil {
			c.idle.Stop()
		}
	}
}

// leave ends the connection for side i now and for the other when it learns:
// after the latency, or silently after the idle time.
func (c *conn) leave(i int, silently bool) {
	c.lose(i)
	if !c.up[1-i] {
		return
	}
	if silently || c.cut[i] {
		if c.idle == nil {
			c.idle = time.AfterFunc(c.net.opt.Idle, c.expire)
		}
		return
	}
	if c.net.opt.Latency == 0 {
		c.lose(1 - i)
		return
	}
	time.AfterFunc(c.net.opt.Latency, c.expire)
}
