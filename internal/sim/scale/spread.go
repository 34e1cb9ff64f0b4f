package main

import (
	"slices"
	"time"
)

// again is how long the same beacon is not passed on to the same device twice.
const again = time.Minute

// task is what is to be told of a topic.
type task uint8

const (
	tellHave task = 1 << iota
	tellPull
	tellStop
	tellNews
	tellNone
)

// todo is a task yet to be done.
type todo struct {
	h *holder
	task
}

// told is a part of a frame about one topic.
type told struct {
	t    *topic
	kind task
	seq  int
	hops int
	b    *news // of tellNews
}

// queue has the other end of l told about the topic of h.
func (w *world) queue(l *link, h *holder, t task) {
	side := l.side(h.d)
	if l.over || !l.named {
		return
	}
	out := &l.out[side]
	i := slices.IndexFunc(out.todo, func(x todo) bool { return x.h == h })
	if i < 0 {
		i = len(out.todo)
		out.todo = append(out.todo, todo{h: h})
	}
	switch t {
	case tellPull:
		out.todo[i].task &^= tellStop
	case tellStop:
		out.todo[i].task &^= tellPull
	}
	out.todo[i].task |= t
	if !out.flushes {
		out.flushes = true
		w.after(0, func() { w.flush(l, side) })
	}
}

// flush tells the other end what there is, in frames as presence makes them.
func (w *world) flush(l *link, side int) {
	out := &l.out[side]
	list := out.todo
	*out = outbox{}
	if l.over {
		return
	}
	var have, pull, stop, all []told
	for _, x := range list {
		h, sh := x.h, x.h.share(l)
		if sh == nil {
			continue
		}
		if x.task&tellPull != 0 {
			pull = append(pull, told{t: h.t, kind: tellPull, seq: h.newsAbove()})
		}
		if x.task&tellStop != 0 {
			stop = append(stop, told{t: h.t, kind: tellStop})
		}
		switch news := h.passable(w.now) && h.seq > sh.has; {
		case news && x.task&tellNews != 0:
			if sh.sent == h.seq && w.now-sh.sentAt < again {
				continue
			}
			sh.sent, sh.sentAt, sh.has, sh.waits = h.seq, w.now, h.seq, false
			all = append(all, told{h.t, tellNews, h.seq, h.hops + 1, h.newest})
			w.tally.about(w, h.t, beacons, w.sizes.news)
		case x.task&tellNone != 0:
			have = append(have, told{t: h.t, kind: tellHave})
		case news && x.task&tellHave != 0:
			have = append(have, told{t: h.t, kind: tellHave, seq: h.seq, hops: h.hops})
		}
	}
	for _, part := range [][]told{have, pull, stop} {
		w.countClaims(part)
		all = append(all, part...)
	}
	if len(all) > 0 {
		w.after(l.delay, func() { w.arrive(l, side, all) })
	}
}

// countClaims counts what claims of one kind take, or masks, each topic its part.
func (w *world) countClaims(list []told) {
	for part := range slices.Chunk(list, maxClaims) {
		size := w.sizes.claimFrame(len(part))
		if part[0].kind == tellStop {
			size = w.sizes.maskFrame(len(part))
		}
		w.tally.count(w, digests, 1, size)
		for _, x := range part {
			x.t.bytes += size / len(part)
		}
	}
}

// arrive takes what an end of l sent.
func (w *world) arrive(l *link, from int, list []told) {
	d := l.ends[1-from]
	if l.over || !d.online {
		return
	}
	for _, x := range list {
		h := x.t.row[d.id]
		if h == nil || h.share(l) == nil {
			continue
		}
		switch x.kind {
		case tellHave:
			w.offered(h, l, x.seq, x.hops)
		case tellPull:
			w.pull(h, l, x.seq)
		case tellStop:
			w.unwanted(h, l)
		case tellNews:
			w.heardOf(h, l, x)
		}
	}
}

// spread tells the others of the newest beacon, which came from one of them or,
// with nil, from its origin.
func (w *world) spread(h *holder, from *link) {
	origin := h.t.origin
	if h.far() {
		for _, sh := range h.shares {
			if sh.l.peer(h.d) != origin && sh.mode == pulled {
				sh.mode, sh.waits = announced, true
				w.queue(sh.l, h, tellNone)
			}
		}
		w.nearer(h)
	}
	if !h.passable(w.now) {
		return
	}
	for _, sh := range h.shares {
		if sh.l == from || sh.l.peer(h.d) == origin {
			continue
		}
		switch sh.mode {
		case pulled:
			w.queue(sh.l, h, tellNews)
		case announced:
			w.queue(sh.l, h, tellHave)
		}
	}
}

// seek has others bring news, at most n of those that know of the origin.
func (w *world) seek(h *holder, except *link, n int) {
	w.seekAt(h, n, func(sh *share) bool { return sh.l != except })
}

func (w *world) seekAt(h *holder, n int, may func(*share) bool) {
	if h.me() || h.direct() {
		return
	}
	var others []*link
	for _, sh := range h.shares {
		if sh.l.peer(h.d) != h.t.origin && !sh.cannot && may(sh) {
			others = append(others, sh.l)
		}
	}
	w.rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, l := range others[:min(n, len(others))] {
		if h.supplier == nil {
			h.supplier = l
		}
		w.queue(l, h, tellPull)
	}
}

// nearer has another one bring news, too, if they come from too far away to be
// passed on and somebody waits for them.
func (w *world) nearer(h *holder) {
	waits := func(sh *share) bool { return sh.waits }
	if h.sought || !slices.ContainsFunc(h.shares, waits) {
		return
	}
	h.sought = true
	w.seekAt(h, 1, func(sh *share) bool { return sh.l != h.supplier && sh.mode != pulled && !sh.waits })
}

// offered takes that the other end of l has a beacon.
func (w *world) offered(h *holder, l *link, seq, hops int) {
	if h.me() || l.peer(h.d) == h.t.origin {
		return
	}
	sh := h.share(l)
	if sh.cannot = seq == 0; sh.cannot {
		if h.supplier == l {
			h.supplier = nil
			w.seek(h, l, 1)
		}
		return
	}
	sh.has = max(sh.has, seq)
	switch {
	case h.direct():
		w.queue(l, h, tellStop)
	case seq <= h.newsAbove():
		if h.supplier == nil {
			h.supplier = l
			w.queue(l, h, tellPull)
		} else if h.supplier != l {
			w.compare(h, l, seq, hops)
		}
	case h.supplier == nil && h.asked == nil:
		w.ask(h, l)
	default:
		if !h.chased {
			h.chase()
			h.askedAt = w.now
		}
		sh.offered, sh.hops = seq, hops
	}
}

func (w *world) compare(h *holder, l *link, seq, hops int) {
	if seq == h.seq && h.far() && hops+1 < h.hops {
		w.queue(l, h, tellPull)
	} else {
		w.queue(l, h, tellStop)
	}
}

func (h *holder) chase() {
	if !h.chased {
		h.chased = true
		h.d.chased = append(h.d.chased, h)
	}
}

func (w *world) ask(h *holder, l *link) {
	h.asked, h.askedAt = l, w.now
	h.share(l).offered = 0
	w.queue(l, h, tellPull)
	h.chase()
}

// chase asks the next who offered news that did not come.
func (w *world) chase(d *device, session int) {
	if !d.online || d.session != session {
		return
	}
	list := d.chased
	d.chased = nil
	for _, h := range list {
		if w.now-h.askedAt < patience {
			d.chased = append(d.chased, h)
			continue
		}
		h.asked, h.chased = nil, false
		next := slices.IndexFunc(h.shares, func(sh *share) bool { return sh.offered > h.newsAbove() })
		if next >= 0 && !h.direct() {
			w.ask(h, h.shares[next].l)
		}
	}
	w.after(patience, func() { w.chase(d, session) })
}

// pull takes that the other end of l pulls: it wants news above a seq.
func (w *world) pull(h *holder, l *link, above int) {
	if h.me() {
		h.t.wished[l] = true
		if b := h.t.newest; b != nil && !b.final && w.now-b.sent > renewAfter {
			w.mint(h.t)
		}
		return
	}
	if l.peer(h.d) == h.t.origin {
		return
	}
	sh := h.share(l)
	sh.mode, sh.has = pulled, min(sh.has, above)
	if h.passable(w.now) && h.seq > above {
		w.queue(l, h, tellNews)
	} else if h.far() {
		sh.mode, sh.waits = announced, true
		w.queue(l, h, tellNone)
		w.nearer(h)
	}
	if h.supplier == l {
		h.supplier = nil
		w.seek(h, l, 1)
	}
}

func (w *world) unwanted(h *holder, l *link) {
	if h.me() {
		delete(h.t.wished, l)
		return
	}
	sh := h.share(l)
	sh.mode, sh.waits = stopped, false
}

// heardOf takes a beacon that the other end of l passes on.
func (w *world) heardOf(h *holder, l *link, n told) {
	switch {
	case h.me() || l.peer(h.d) == h.t.origin:
		return
	case h.direct():
		w.queue(l, h, tellStop)
		return
	}
	sh := h.share(l)
	sh.has, sh.cannot = max(sh.has, n.seq), false
	if n.seq <= h.newsAbove() {
		w.tally.repeated(w)
		if before := h.supplier; before != l && n.seq == h.seq && h.far() && n.hops < h.hops {
			h.hops, h.supplier = n.hops, l
			if before != nil {
				w.queue(before, h, tellStop)
			}
			w.spread(h, l)
		} else if before != l {
			w.queue(l, h, tellStop)
		}
		return
	}
	if w.now > n.b.sent+validity || !h.pace.allow(w.now, beaconBurst+1) {
		return
	}
	w.tally.taken(w, n.hops)
	w.become(h, n.b)
	h.relayed, h.newest, h.hops, h.sought = true, n.b, n.hops, false
	if before := h.supplier; before != l {
		h.supplier = l
		if before != nil {
			w.queue(before, h, tellStop)
		}
	}
	h.asked = nil
	for _, x := range h.shares {
		if x.l != l && x.offered > 0 && x.offered <= n.seq {
			w.compare(h, x.l, x.offered, x.hops)
			x.offered = 0
		}
	}
	w.spread(h, l)
}
