package sim

import (
	"math/rand/v2"
	"sync"
	"time"

	"contactsd/contact"
)

// Link is what one direction between two devices is like.
type Link struct {
	Latency time.Duration // one way
	Jitter  time.Duration // at most, on top
	Loss    float64       // of packets; a stream shows a lost one as a delay
	Relayed bool          // slow, and its connections end after a while
}

// retransmit is how long TCP takes to notice a lost packet (RFC 6298: at least 1 s;
// Linux 200 ms), doubled for each that is lost again.
const retransmit = 200 * time.Millisecond

func newLinks(rng *rand.Rand, devices int) [][]Link {
	links := make([][]Link, devices)
	for a := range links {
		links[a] = make([]Link, devices)
		for b := range a {
			l := Link{
				Latency: time.Duration(float64(time.Millisecond) * span(rng, 0.5, 150)),
				Jitter:  time.Duration(float64(time.Millisecond) * span(rng, 0.5, 100)),
			}
			switch rng.IntN(6) {
			case 0:
				l.Loss = 0.3 * rng.Float64()
			case 1:
				l.Relayed = true
				l.Latency += time.Duration(100+rng.IntN(300)) * time.Millisecond
			}
			links[a][b], links[b][a] = l, l
		}
	}
	return links
}

// weather says how long what is sent takes. It is for memnet.Options.Delay.
type weather struct {
	links [][]Link
	index map[contact.ODID]int

	mu   sync.Mutex
	rng  *rand.Rand
	calm bool // no loss, no jitter
}

func (w *weather) delay(from, to contact.ODID) time.Duration {
	l := w.links[w.index[from]][w.index[to]]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return l.Latency
	}
	d := l.Latency + time.Duration(w.rng.Int64N(int64(l.Jitter)+1))
	for wait := retransmit; w.rng.Float64() < l.Loss && wait < time.Minute; wait *= 2 {
		d += wait
	}
	return d
}

func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}
