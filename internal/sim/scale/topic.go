package main

import (
	"slices"
	"time"
)

// topic is an origin whose beacons are followed.
type topic struct {
	origin  *device
	holders []*holder
	row     map[int32]*holder
	newest  *news // nil before the first
	wished  map[*link]bool
	pace    pace
	waits   bool      // a beacon waits for its turn
	bytes   int       // that all devices sent about it
	changes []*change // that have not been judged
}

// news is a beacon.
type news struct {
	seq   int
	sent  time.Duration
	final bool
}

// holder is what a device knows of an origin. Its rules are those of
// presence/spread.go.
type holder struct {
	t     *topic
	d     *device
	index int // among the holders of the topic

	state   state
	seq     int
	newest  *news // to be passed on; nil if it is over
	until   time.Duration
	hops    int
	relayed bool
	holds   time.Duration // until then, if relayed
	in      *link         // over which the origin tells it itself

	shares   []*share
	supplier *link
	asked    *link
	askedAt  time.Duration
	chased   bool
	sought   bool
	pace     pace
}

type state uint8

const (
	unknown state = iota
	present
	offline
)

// share is a topic that both ends of a link know, as one of them has it.
type share struct {
	l       *link
	mode    mode
	cannot  bool
	waits   bool
	has     int
	offered int
	hops    int
	wished  bool // of the origin's link: it was asked to renew
	sent    int
	sentAt  time.Duration
}

type mode uint8

const (
	announced mode = iota
	pulled
	stopped
)

// pace is a limit of so many a second after a burst.
type pace struct {
	left float64
	at   time.Duration
}

func (p *pace) allow(now time.Duration, burst float64) bool {
	if p.at == 0 {
		p.left = burst
	}
	p.left = min(burst, p.left+beaconRate*(now-p.at).Seconds())
	p.at = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// track has the beacons of a device followed.
func (w *world) track(d *device) {
	t := &topic{origin: d, row: make(map[int32]*holder), wished: make(map[*link]bool)}
	for _, id := range d.contacts {
		h := &holder{t: t, d: w.devices[id], index: len(t.holders)}
		t.holders = append(t.holders, h)
		t.row[id] = h
		h.d.holds = append(h.d.holds, h)
	}
	me := &holder{t: t, d: d}
	t.row[d.id] = me
	d.holds = append(d.holds, me)
	w.topics = append(w.topics, t)
}

// topic returns what is followed of d itself, nil if nothing is.
func (d *device) topic() *topic {
	for _, h := range d.holds {
		if h.me() {
			return h.t
		}
	}
	return nil
}

func (h *holder) me() bool { return h.t.origin == h.d }

// restart forgets what does not outlive a restart.
func (h *holder) restart() {
	*h = holder{t: h.t, d: h.d, index: h.index, seq: h.seq}
	if h.me() {
		h.t.wished = make(map[*link]bool)
		if h.t.newest != nil {
			h.t.newest = &news{seq: h.t.newest.seq, final: true}
		}
	}
}

func (h *holder) share(l *link) *share {
	for _, sh := range h.shares {
		if sh.l == l {
			return sh
		}
	}
	return nil
}

func (h *holder) direct() bool { return h.in != nil && h.state != unknown && !h.relayed }

func (h *holder) far() bool { return h.newest != nil && h.hops == maxHops }

func (h *holder) passable(now time.Duration) bool {
	return h.newest != nil && h.state != unknown && h.hops < maxHops && now < h.until
}

func (h *holder) newsAbove() int {
	if h.state == unknown && h.seq > 0 {
		return h.seq - 1
	}
	return h.seq
}

// open has d tell its state to the other end of a new link.
func (w *world) open(l *link, d *device) {
	w.tally.count(w, keys, 1, w.sizes.key)
	t := d.topic()
	if t == nil {
		return
	}
	if b := t.newest; b == nil || b.final || w.now-b.sent > renewAfter {
		w.mint(t)
		return // it goes to all links, this one among them
	}
	w.tell(l, t, t.newest)
}

// mint makes a beacon of what is and tells it, at the pace of an origin: what
// changes while a beacon waits for its turn goes with it.
func (w *world) mint(t *topic) {
	d, session := t.origin, t.origin.session
	if t.waits {
		return
	}
	if !t.pace.allow(w.now, beaconBurst) {
		t.waits = true
		w.after(time.Second/beaconRate, func() {
			t.waits = false
			if d.online && d.session == session {
				w.mint(t)
			}
		})
		return
	}
	seq := 1
	if t.newest != nil {
		seq = t.newest.seq + 1
	}
	t.newest = &news{seq: seq, sent: w.now}
	w.tally.minted(w)
	for _, l := range d.links {
		w.tell(l, t, t.newest)
	}
}

// farewell is the last word of a device that stops.
func (w *world) farewell(d *device) {
	t := d.topic()
	if t == nil || t.newest == nil || len(d.links) == 0 {
		return
	}
	t.newest = &news{seq: t.newest.seq + 1, sent: w.now, final: true}
	for _, l := range d.links {
		w.tell(l, t, t.newest)
	}
}

// tell sends a beacon to a contact over its own stream.
func (w *world) tell(l *link, t *topic, b *news) {
	h := t.row[l.peer(t.origin).id]
	if h == nil {
		return
	}
	w.tally.about(w, t, beacons, w.sizes.tell)
	session := h.d.session
	w.after(l.delay, func() {
		if l.over || !h.d.online || h.d.session != session {
			return
		}
		w.hear(h, l, b)
	})
}

// hear takes a beacon that the origin told itself.
func (w *world) hear(h *holder, l *link, b *news) {
	h.in = l
	if b.seq < h.seq {
		return
	}
	news := b.seq > h.newsAbove()
	w.tally.heard(w)
	h.relayed = false
	w.become(h, b)
	h.newest, h.hops, h.sought = b, 0, false
	if h.supplier != nil {
		w.queue(h.supplier, h, tellStop)
		h.supplier = nil
	}
	if news {
		w.spread(h, nil)
	}
}

// become makes b what is known.
func (w *world) become(h *holder, b *news) {
	before := h.seq
	h.state, h.seq = present, b.seq
	if b.final {
		h.state = offline
	}
	h.until = b.sent + validity
	h.holds = h.until
	h.t.learnt(h, before, w.now)
}

// meet has both ends of a link find the topics that both know, and tell what they
// have of them.
func (w *world) meet(l *link) {
	a, b := l.ends[0], l.ends[1]
	if l.over || !a.online || !b.online {
		return
	}
	l.named = true
	for _, d := range l.ends {
		names := w.sizes.naming(len(d.contacts) + 1)
		w.tally.count(w, interest, names.frames+1, names.bytes+w.sizes.nonce)
	}
	for _, h := range a.holds {
		if g := h.t.row[b.id]; g != nil {
			w.match(h, l)
			w.match(g, l)
		}
	}
}

func (w *world) match(h *holder, l *link) {
	h.shares = append(h.shares, &share{l: l})
	if l.peer(h.d) != h.t.origin && h.passable(w.now) {
		w.queue(l, h, tellHave)
	}
	w.wish(h)
}

// wish asks the origin, while it is connected, to renew its state if others hear of
// it here, and takes that back else.
func (w *world) wish(h *holder) {
	if h.me() {
		return
	}
	for _, sh := range h.shares {
		if sh.l.peer(h.d) != h.t.origin {
			continue
		}
		if want := len(h.shares) > 1; want != sh.wished {
			sh.wished = want
			if want {
				w.queue(sh.l, h, tellPull)
			} else {
				w.queue(sh.l, h, tellStop)
			}
		}
	}
}

// renewal reports whether an origin is to make its beacon anew.
func (w *world) renewal(t *topic) bool {
	return len(t.wished) > 0 && t.newest != nil && !t.newest.final && w.now-t.newest.sent >= renewFrom
}

// dismiss forgets all that the other end of a link knows, and hears the origin no
// longer over it.
func (w *world) dismiss(l *link, d *device, why leaving) {
	for _, h := range d.holds {
		if h.me() {
			delete(h.t.wished, l)
		}
		w.part(h, l)
		if h.in == l {
			h.in = nil
			if h.state == present && !h.relayed {
				if why == parted {
					h.relayed, h.holds = true, w.now+validity
				} else {
					h.state, h.relayed = unknown, false
				}
			}
			w.seek(h, nil, 1)
		}
	}
}

func (w *world) part(h *holder, l *link) {
	i := slices.IndexFunc(h.shares, func(sh *share) bool { return sh.l == l })
	if i < 0 {
		return
	}
	h.shares = slices.Delete(h.shares, i, i+1)
	if h.asked == l {
		h.asked = nil
	}
	if h.supplier == l {
		h.supplier = nil
		w.seek(h, l, 1)
	}
	w.wish(h)
}

// expire ends what was heard through others and not renewed.
func (w *world) expire(h *holder) {
	if h.relayed && h.state == present && w.now >= h.holds {
		h.state, h.relayed = unknown, false
	}
	if h.newest == nil {
		return
	}
	if w.now >= h.until {
		h.newest, h.supplier = nil, nil
		for _, sh := range h.shares {
			if sh.l.peer(h.d) != h.t.origin {
				sh.mode, sh.cannot, sh.waits = announced, false, false
			}
		}
		if h.state == unknown {
			w.seek(h, nil, seekers)
		}
	} else if h.relayed && !h.sought && h.state != offline && w.now > h.until-lookout {
		h.sought = true
		w.seek(h, h.supplier, seekers)
	}
}
