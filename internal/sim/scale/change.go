package main

import (
	"slices"
	"time"
)

// change is one change of a state and who has learnt of it.
type change struct {
	seq      int
	at       time.Duration
	sessions []int           // of the holders that were there, 0 for the others
	near     []bool          // those that news can reach as connections are
	delays   []time.Duration // until each knew, negative if it does not
	before   int             // bytes about the topic until then
	once     int             // bytes of telling each once
}

// costs is how long after a change bytes about its topic count as its own.
const changeCosts = 10 * time.Second

// change has a user change the state.
func (w *world) change(t *topic) {
	before := t.bytes
	w.mint(t)
	if t.newest.sent != w.now || len(t.origin.links) == 0 || !w.tally.watches(w) {
		return
	}
	c := &change{seq: t.newest.seq, at: w.now, before: before}
	near := w.near(t)
	for _, h := range t.holders {
		session := 0
		if h.d.online {
			session = h.d.session
			c.once += w.sizes.sealed
		}
		c.sessions = append(c.sessions, session)
		c.near = append(c.near, near[h.d])
		c.delays = append(c.delays, -1)
	}
	t.changes = append(t.changes, c)
	w.after(changeCosts, func() { w.tally.costs(t.bytes-c.before, c.once) })
	w.after(settling, func() {
		t.changes = slices.DeleteFunc(t.changes, func(x *change) bool { return x == c })
		w.judge(t, c)
	})
}

// learnt notes which changes h knows now that it did not know before.
func (t *topic) learnt(h *holder, before int, now time.Duration) {
	if h.me() {
		return
	}
	for _, c := range t.changes {
		if before < c.seq && h.seq >= c.seq && c.delays[h.index] < 0 {
			c.delays[h.index] = now - c.at
		}
	}
}

// near returns who is so near to an origin, over connections of devices that may
// know of it, that news get there.
func (w *world) near(t *topic) map[*device]bool {
	reached := map[*device]bool{t.origin: true}
	edge := []*device{t.origin}
	for range maxHops + 1 {
		var next []*device
		for _, d := range edge {
			for _, l := range d.links {
				if p := l.peer(d); p.online && t.row[p.id] != nil && !reached[p] {
					reached[p] = true
					next = append(next, p)
				}
			}
		}
		edge = next
	}
	return reached
}

// judge looks at what became of a change, of those who were there all the time.
func (w *world) judge(t *topic, c *change) {
	last := time.Duration(0)
	for i, h := range t.holders {
		if c.sessions[i] == 0 || !h.d.online || h.d.session != c.sessions[i] {
			continue
		}
		w.tally.known(c.delays[i], c.near[i])
		last = max(last, c.delays[i])
	}
	w.tally.last(last)
}
