package card

import (
	"sync"
	"time"

	"contactsd/contact"
)

// How owners are asked for their cards.
const (
	maxFetches = 4 // at once
	maxWants   = 4096
	firstRetry = 5 * time.Second // and twice as long after each failure
	maxFailed  = 6               // then an owner is asked when the two are in touch again
)

// wants are the owners whose card is to be fetched.
type wants struct {
	wake chan struct{} // holds one element if Run has something to look at

	mu   sync.Mutex
	due  map[contact.ODID]*want
	busy int
}

type want struct {
	at      time.Time
	failed  int
	running bool
	again   bool // something changed since it runs
}

func newWants() *wants {
	return &wants{wake: make(chan struct{}, 1), due: make(map[contact.ODID]*want)}
}

// put has peer asked now, or when those that failed before have waited.
func (w *wants) put(peer contact.ODID, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.due[peer]; d != nil {
		d.again = d.running
		return
	}
	if len(w.due) >= maxWants {
		return // it is in touch again some time
	}
	w.due[peer] = &want{at: now}
	w.rouse()
}

func (w *wants) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next returns an owner that is to be asked now, or else when to look again.
func (w *wants) next(now time.Time) (peer contact.ODID, ok bool, again time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	again = now.Add(time.Hour)
	if w.busy >= maxFetches {
		return peer, false, again // who ends rouses
	}
	var first *want
	for p, d := range w.due {
		if !d.running && (first == nil || d.at.Before(first.at)) {
			peer, first = p, d
		}
	}
	switch {
	case first == nil:
		return peer, false, again
	case first.at.After(now):
		return peer, false, first.at
	}
	first.running, first.again = true, false
	w.busy++
	return peer, true, again
}

// ended notes what came of asking peer.
func (w *wants) ended(peer contact.ODID, err error, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	d := w.due[peer]
	d.running = false
	switch {
	case err == nil && d.again:
		d.at, d.failed = now, 0
	case err == nil, d.failed >= maxFailed:
		delete(w.due, peer)
	default:
		d.at = now.Add(firstRetry << d.failed)
		d.failed++
	}
	w.rouse()
}
