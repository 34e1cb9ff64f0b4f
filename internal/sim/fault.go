package sim

import (
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/node"
)

// crash pulls the plug at a moment that the disk and the network choose.
func crash(w *world, s Step, h, _ *host) bool {
	return w.crashes(h, fuse{commits: 1 + s.N%8, frames: s.M % 12}, s.For)
}

func (w *world) crashes(h *host, f fuse, d time.Duration) bool {
	l := h.up()
	if l == nil || !l.light(f) {
		return false
	}
	w.line.note("%s will crash after %d commits from now and %d frames after them, for %v", h.name, f.commits, f.frames, d)
	w.away.Go(func() {
		late := time.NewTimer(10 * time.Minute)
		defer late.Stop()
		select {
		case <-l.blown:
			w.fired()
		case <-late.C:
		case <-w.over:
		}
		if h.up() != l {
			return // somebody stopped it
		}
		w.line.note("%s crashes", h.name)
		w.down(h, true, d)
	})
	return true
}

// stop stops the daemon.
func stop(w *world, s Step, h, _ *host) bool {
	if l := h.up(); l == nil || !w.mayStop(l) {
		return false
	}
	w.line.note("%s stops for %v", h.name, s.For)
	w.away.Go(func() { w.down(h, false, s.For) })
	return true
}

// mayStop reports whether a life may be ended by something else than its fuse.
func (w *world) mayStop(l *life) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead && l.fuse == nil
}

// down takes a device away for a while.
func (w *world) down(h *host, crash bool, d time.Duration) {
	if !h.halt(crash) {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.over:
	}
	w.start(h)
}

func (w *world) start(h *host) {
	if err := h.start(); err != nil {
		w.violate("run", "%v", err)
		return
	}
	w.line.note("%s is back", h.name)
}

func drop(w *world, _ Step, a, b *host) bool {
	if w.net.Connections(a.self(), b.self()) == 0 {
		return false
	}
	w.line.note("the connection of %s and %s ends", a.name, b.name)
	w.net.Drop(a.self(), b.self())
	return true
}

func double(w *world, _ Step, a, b *host) bool {
	if w.net.Connections(a.self(), b.self()) == 0 {
		return false
	}
	w.line.note("%s and %s connect once more", a.name, b.name)
	w.net.Double(a.self(), b.self())
	return true
}

func cut(w *world, s Step, a, b *host) bool {
	w.line.note("%s and %s can't reach each other for %v", a.name, b.name, s.For)
	w.net.Cut(a.self(), b.self())
	w.lasts(s.For, func() { w.join(a, b) })
	return true
}

func cutOneWay(w *world, s Step, a, b *host) bool {
	w.line.note("what %s sends to %s is held for %v", a.name, b.name, s.For)
	w.net.CutOneWay(a.self(), b.self())
	w.lasts(s.For, func() { w.join(a, b) })
	return true
}

func (w *world) join(a, b *host) {
	w.line.note("%s and %s can reach each other", a.name, b.name)
	w.net.Heal(a.self(), b.self())
}

// partition splits the devices in two.
func partition(w *world, s Step, _, _ *host) bool {
	var here, there []*host
	for i, h := range w.hosts {
		if s.N>>i&1 == 0 {
			here = append(here, h)
		} else {
			there = append(there, h)
		}
	}
	if len(here) == 0 || len(there) == 0 {
		return false
	}
	w.line.note("for %v there are two networks, of %s and of %s", s.For, hostNames(here), hostNames(there))
	each := func(f func(a, b *host)) {
		for _, a := range here {
			for _, b := range there {
				f(a, b)
			}
		}
	}
	each(func(a, b *host) { w.net.Cut(a.self(), b.self()) })
	w.lasts(s.For, func() {
		w.line.note("there is one network again")
		each(func(a, b *host) { w.net.Heal(a.self(), b.self()) })
	})
	return true
}

// fill leaves no space on a disk.
func fill(w *world, s Step, h, _ *host) bool {
	set := func(full bool) (changed bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		changed = h.full != full
		h.full = full
		return changed
	}
	if !set(true) {
		return false
	}
	w.line.note("the disk of %s is full for %v", h.name, s.For)
	w.lasts(s.For, func() {
		w.line.note("the disk of %s has space", h.name)
		set(false)
	})
	return true
}

// keepCopy keeps a copy of a store for later.
func keepCopy(w *world, _ Step, h, _ *host) bool {
	l := h.up()
	if l == nil {
		return false
	}
	c := snapshot{beliefs: make([]int, len(w.hosts)), posts: make([]int, len(w.hosts))}
	w.mu.Lock()
	for j := range w.hosts {
		c.beliefs[j] = w.beliefs[h.i][j].mark()
		c.posts[j] = len(w.posts[h.i][j].letters)
	}
	w.mu.Unlock()
	l.mu.Lock()
	l.copy = &c
	l.mu.Unlock()
	w.line.note("the store of %s is copied at its next commit", h.name)
	return true
}

// restore puts an old copy of a store in its place, as its user may after a
// disaster. The same copy may be used again.
func restore(w *world, s Step, h, _ *host) bool {
	h.mu.Lock()
	copies := slices.Clone(h.copies)
	h.mu.Unlock()
	if l := h.up(); l == nil || !w.mayStop(l) || len(copies) == 0 {
		return false
	}
	n := s.N % len(copies)
	if s.Newest {
		n = len(copies) - 1
	}
	c := copies[n]
	w.line.note("%s is restored from copy %d of %d", h.name, n+1, len(copies))
	if !h.halt(s.M%2 == 0) {
		return false
	}
	if _, err := node.Restore(c.file, h.disk, h.self()); err != nil {
		w.violate("run", "%s is not restored: %v", h.name, err)
	}
	w.mu.Lock()
	for j := range w.hosts {
		w.beliefs[h.i][j].restored(c.beliefs[j])
		w.posts[h.i][j].forget(c.posts[j])
		w.deals[h.i][j].judge(w.beliefs[h.i][j])
	}
	w.guessed[h.i] = nil
	w.choices[h.i].any = w.choices[h.i].ever
	w.choices[h.i].places = max(w.choices[h.i].places, contact.DefaultPolicy().MaxWaiting)
	w.mu.Unlock()
	w.welcomes(h)
	h.restored = true
	w.start(h)
	return true
}

// jump sets a clock forward or back, by a day at most, or right.
func jump(w *world, s Step, h, _ *host) bool {
	by := time.Duration(s.N%3-1) * 24 * time.Hour / time.Duration(1+s.M%1000)
	h.mu.Lock()
	h.ahead = by
	h.mu.Unlock()
	if by > 0 { // a day of guesses may be over by its clock
		w.mu.Lock()
		w.guessed[h.i] = nil
		w.mu.Unlock()
	}
	w.line.note("the clock of %s is now wrong by %v", h.name, by)
	return true
}

func hostNames(list []*host) string {
	text := ""
	for i, h := range list {
		switch {
		case i == 0:
		case i == len(list)-1:
			text += " and "
		default:
			text += ", "
		}
		text += h.name
	}
	return text
}
