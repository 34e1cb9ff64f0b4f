package memnet

import (
	"errors"
	"strings"

	"contactsd/contact"
	"contactsd/transport"
)

const carrier = "memory"

// Route implements transport.Routes. All devices are in one machine.
func (d *Device) Route(peer contact.ODID) transport.Route {
	d.recall(peer)
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	failed := d.dials.Last(peer)
	r := transport.Route{FailedAt: failed.At, Why: failed.Why}
	if d.known[peer] || !d.net.opt.Strict && peer != d.id {
		r.Known = []transport.Address{AddressOf(peer)}
	}
	for _, c := range d.conns {
		if i := c.of(d); c.dev[1-i].id == peer {
			r.Connections = append(r.Connections, transport.Connection{
				Transport: carrier, Address: AddressOf(peer), Inbound: i == 1, Since: c.since, Distance: transport.SameMachine,
			})
		}
	}
	return r
}

// Tally implements transport.Routes.
func (d *Device) Tally() transport.Tally {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	now := transport.Tally{Connections: map[string]int{carrier: len(d.conns)}}
	now.Dialled, now.Failed = d.dials.Counts()
	return now
}

// noteDial notes how a dial ended, unless that was for this device having stopped.
func (d *Device) noteDial(peer contact.ODID, err error) {
	if errors.Is(err, transport.ErrClosed) {
		return
	}
	why := ""
	if err != nil {
		why = strings.TrimPrefix(err.Error(), transport.ErrUnreachable.Error()+": ")
	}
	d.dials.Ended(peer, err, why)
}
