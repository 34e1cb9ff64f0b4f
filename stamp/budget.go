package stamp

import (
	"sync"
	"time"
)

// What may be spent on examining stamps: a share of one core's time, and the most of
// it that is saved up.
const (
	examineShare = 66 // one part in so many: 1.5 %
	examineSaved = 60 * time.Millisecond
)

// Budget is time that may be spent on examining the stamps of strangers. Whoever
// sends bad ones by the thousand uses it up and nothing else.
type Budget struct {
	mu   sync.Mutex
	left time.Duration
	at   time.Time
}

// NewBudget returns a full one.
func NewBudget() *Budget { return &Budget{left: examineSaved, at: time.Now()} }

// Spend calls f and charges the time that it takes, or returns false at once if
// nothing is left. One call runs at a time.
func (b *Budget) Spend(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := time.Now()
	b.left = min(b.left+from.Sub(b.at)/examineShare, examineSaved)
	b.at = from
	if b.left <= 0 {
		return false
	}
	f()
	b.left -= time.Since(from)
	return true
}
