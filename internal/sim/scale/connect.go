package main

import (
	"encoding/binary"
	"time"

	"contactsd/contact"
)

// How connections come about, as in relation.
const (
	maxDials   = 8
	dialFails  = 10 * time.Second // until a dial to who is not there ends
	firstRetry = 5 * time.Second
	lastRetry  = 15 * time.Minute
	walkEvery  = 5 * time.Minute
	walkFull   = 15 * time.Minute
	spareEvery = 10 * time.Second
	restTime   = 6 * time.Hour
)

// keeper is what a device knows of its connections to be.
type keeper struct {
	dials   int
	next    int // in the contacts, where the walk goes on
	walking bool
	waits   []int32                 // for a dial
	due     map[int32]int           // that are tried: times in vain
	rests   map[int32]time.Duration // until then left alone, having no room
	sparing bool
}

func newKeeper() keeper {
	return keeper{due: make(map[int32]int), rests: make(map[int32]time.Duration)}
}

func (w *world) full(d *device) bool { return len(d.links) >= w.Budget }

// wanted reports whether d may dial a contact: there is room at both ends.
func (w *world) wanted(d *device, peer int32) bool {
	return !w.full(d) && w.now >= d.rests[peer] && d.linkTo(w.devices[peer]) == nil
}

// walk goes through all contacts, as relation does in the order of their ODIDs from any place on, while
// there are dials to be had, and begins anew some time later. The place is drawn once a device, which
// spreads first choices as well as once a walk.
func (w *world) walk(d *device, session int) {
	if !d.online || d.session != session || w.Settled {
		return
	}
	d.walking = true
	for d.dials < maxDials && len(d.waits) == 0 && d.next < len(d.contacts) {
		peer := d.contacts[(d.first+d.next)%len(d.contacts)]
		d.next++
		if _, tried := d.due[peer]; !tried && w.wanted(d, peer) {
			d.due[peer] = 0
			w.dial(d, peer)
		}
	}
	if d.next < len(d.contacts) {
		return // goes on when a dial has ended
	}
	d.next, d.walking = 0, false
	pause := walkEvery
	if w.full(d) {
		pause = walkFull
	}
	w.after(pause, func() { w.walk(d, session) })
}

// settle connects those who are there with contacts by chance, as far as there is
// room at both ends.
func (w *world) settle() {
	for _, i := range w.rng.Perm(len(w.devices)) {
		d := w.devices[i]
		for _, j := range w.rng.Perm(len(d.contacts)) {
			p := w.devices[d.contacts[j]]
			if w.full(d) {
				break
			}
			if d.online && p.online && !w.full(p) && d.linkTo(p) == nil {
				w.connect(d, p)
			}
		}
	}
}

// dial tries a contact, which succeeds if it is there.
func (w *world) dial(d *device, peer int32) {
	d.dials++
	w.tally.dialled()
	session, p := d.session, w.devices[peer]
	takes := dialFails
	if p.online {
		takes = 3 * farthest
	}
	w.after(takes, func() {
		if !d.online || d.session != session {
			return
		}
		d.dials--
		switch {
		case d.linkTo(p) != nil:
			delete(d.due, peer)
		case p.online:
			w.link(d, p)
		default:
			w.retry(d, peer)
		}
		for len(d.waits) > 0 && d.dials < maxDials {
			next := d.waits[0]
			d.waits = d.waits[1:]
			w.again(d, next)
		}
		if d.walking {
			w.walk(d, session)
		}
	})
}

// retry has a contact that was not there dialled again.
func (w *world) retry(d *device, peer int32) {
	w.tally.failed()
	wait := min(firstRetry<<min(d.due[peer], 10), lastRetry)
	wait -= time.Duration(w.rng.Int64N(int64(wait / 4)))
	d.due[peer]++
	session := d.session
	w.after(wait, func() {
		if d.online && d.session == session {
			w.again(d, peer)
		}
	})
}

// again dials a contact whose time has come, if there is a reason still.
func (w *world) again(d *device, peer int32) {
	switch _, tried := d.due[peer]; {
	case !tried:
	case !w.wanted(d, peer):
		delete(d.due, peer)
	case d.dials == maxDials:
		d.waits = append(d.waits, peer)
	default:
		w.dial(d, peer)
	}
}

// link connects two devices as the first of them wanted.
func (w *world) link(a, b *device) {
	w.connect(a, b)
	for _, d := range []*device{a, b} {
		peer := a.id + b.id - d.id
		delete(d.rests, peer)
		delete(d.due, peer)
		w.spareLater(d)
	}
}

// spareLater has the connections beyond the budget ended, by the rule of contact.
func (w *world) spareLater(d *device) {
	if d.sparing || len(d.links) <= w.Budget {
		return
	}
	d.sparing = true
	session := d.session
	w.after(spareEvery, func() {
		if !d.online || d.session != session {
			return
		}
		d.sparing = false
		w.spare(d)
		w.spareLater(d)
	})
}

func (w *world) spare(d *device) {
	list := make([]contact.Link, len(d.links))
	byID := make(map[contact.ODID]*link, len(d.links))
	for i, l := range d.links {
		id := odidOf(l.peer(d))
		list[i] = contact.Link{Peer: id, Trust: contact.Paired, Since: wall(l.since)}
		byID[id] = l
	}
	for _, id := range contact.Spare(list, w.Budget, wall(w.now)) {
		l := byID[id]
		p := l.peer(d)
		p.rests[d.id] = w.now + restTime - restTime/4 + time.Duration(w.rng.Int64N(int64(restTime/2)))
		w.drop(l, d, parted)
	}
}

// wall is a time of the model as a time of the day.
func wall(at time.Duration) time.Time { return time.UnixMilli(today).Add(at) }

// odidOf names a device: the order of numbers is that of ODIDs.
func odidOf(d *device) (id contact.ODID) {
	binary.BigEndian.PutUint32(id[:], uint32(d.id))
	return id
}

// lose is what an end that is still there makes of a lost link.
func (w *world) lose(l *link, d *device, why leaving) {
	w.dismiss(l, d, why)
	peer := l.peer(d).id
	if d.rests[peer] > w.now {
		return
	}
	d.due[peer] = 0
	session := d.session
	w.after(firstRetry, func() {
		if d.online && d.session == session {
			w.again(d, peer)
		}
	})
}
