package pairing

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// pacer gives rounds out, one a second on average. Whoever waits is served by
// source, the one that has waited longest since it was served first, so a flood
// from one source delays another one by a round at most.
type pacer struct {
	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	waiting []*waiter
	served  []string // sources, the last one served at the end, at most maxServed
}

// maxServed bounds what is remembered of sources; one that is forgotten counts as
// never served.
const maxServed = 64

type waiter struct {
	source string
	burst  float64
	look   chan struct{} // of capacity 1: it may be this one's turn
}

// errPace: a session's turn did not come in time.
var errPace = errors.New("too many rounds at once")

func newPacer() *pacer { return &pacer{tokens: roundBurst} }

// wait returns when it is the source's turn, or errPace when ctx ends before.
// burst is how many rounds may be saved up for it.
func (p *pacer) wait(ctx context.Context, source string, burst int) error {
	w := &waiter{source, float64(burst), make(chan struct{}, 1)}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	defer p.leave(w)
	for {
		mine, next := p.take(w, time.Now())
		if mine {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errPace
		case <-w.look:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take takes a round if there is one and w is next; else it returns when to look
// again.
func (p *pacer) take(w *waiter, now time.Time) (mine bool, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.filled.IsZero() {
		p.tokens = min(roundBurst, p.tokens+now.Sub(p.filled).Seconds()/roundEvery.Seconds())
	}
	p.filled = now
	has := min(p.tokens, w.burst)
	if has < 1 {
		return false, time.Duration((1-has)*float64(roundEvery)) + time.Nanosecond
	}
	if p.next() != w {
		return false, roundEvery // whoever is next wakes this one when it has taken its round
	}
	p.tokens = has - 1
	p.served = append(slices.DeleteFunc(p.served, func(s string) bool { return s == w.source }), w.source)
	if len(p.served) > maxServed {
		p.served = p.served[1:]
	}
	return true, 0
}

// rank returns how recently the source was served: -1 for never, else more for
// later.
func (p *pacer) rank(source string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Index(p.served, source)
}

// next returns the waiter whose source was not served for the longest time, of
// several the first to come.
func (p *pacer) next() *waiter {
	return slices.MinFunc(p.waiting, func(a, b *waiter) int {
		return slices.Index(p.served, a.source) - slices.Index(p.served, b.source)
	})
}

func (p *pacer) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.DeleteFunc(p.waiting, func(o *waiter) bool { return o == w })
	for _, o := range p.waiting {
		select {
		case o.look <- struct{}{}:
		default:
		}
	}
}
