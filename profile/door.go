package profile

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
)

// terms say how much a group of devices may ask.
type terms struct {
	streams        int           // at once, of all
	streamsOfOne   int           // at once
	every          time.Duration // one answer in this time, of all
	burst          int
	everyOfOne     time.Duration // one answer in this time
	burstOfOne     int
	devicesAtMost  int           // that are remembered, for as long as their burst is not full again
	forgetInterval time.Duration // how often it is looked who can be forgotten
}

// forStrangers lets a stranger look, and look again: 20 profiles at once and then
// one a second, some 70 KB/s at most.
func forStrangers() terms {
	return terms{
		streams: 16, streamsOfOne: 2,
		every: time.Second, burst: 20,
		everyOfOne: 20 * time.Second, burstOfOne: 3,
		devicesAtMost: 256, forgetInterval: time.Minute,
	}
}

// forContacts is enough for thousands that come back at once after a change.
func forContacts() terms {
	return terms{
		streams: 64, streamsOfOne: 2,
		every: time.Second / 50, burst: 200,
		everyOfOne: 5 * time.Second, burstOfOne: 10,
		devicesAtMost: 4096, forgetInterval: time.Minute,
	}
}

// door lets devices in under its terms. What it remembers of them is bounded.
type door struct {
	terms terms

	mu      sync.Mutex
	busy    int
	busyOf  map[contact.ODID]int
	all     *rate.Limiter
	of      map[contact.ODID]*rate.Limiter
	cleanAt time.Time
}

func newDoor(t terms) *door {
	return &door{
		terms: t, busyOf: make(map[contact.ODID]int),
		all: rate.NewLimiter(rate.Every(t.every), t.burst), of: make(map[contact.ODID]*rate.Limiter),
	}
}

// enter takes a place for a stream of peer; false if there is none. leave gives it back.
func (d *door) enter(peer contact.ODID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy >= d.terms.streams || d.busyOf[peer] >= d.terms.streamsOfOne {
		return false
	}
	d.busy++
	d.busyOf[peer]++
	return true
}

func (d *door) leave(peer contact.ODID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if d.busyOf[peer]--; d.busyOf[peer] == 0 {
		delete(d.busyOf, peer)
	}
}

// admit reports whether peer may have an answer now. One that asks too much is
// told so without cost to the others.
func (d *door) admit(peer contact.ODID, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clean(now)
	l := d.of[peer]
	if l == nil {
		if len(d.of) >= d.terms.devicesAtMost {
			return false
		}
		l = rate.NewLimiter(rate.Every(d.terms.everyOfOne), d.terms.burstOfOne)
	}
	if l.TokensAt(now) < 1 || !d.all.AllowN(now, 1) {
		return false
	}
	d.of[peer] = l
	return l.AllowN(now, 1)
}

// clean forgets those whose burst is full again: nothing is lost with them.
func (d *door) clean(now time.Time) {
	if now.Before(d.cleanAt) && len(d.of) < d.terms.devicesAtMost {
		return
	}
	d.cleanAt = now.Add(d.terms.forgetInterval)
	for peer, l := range d.of {
		if l.TokensAt(now) >= float64(d.terms.burstOfOne) {
			delete(d.of, peer)
		}
	}
}
