package profile

import (
	"sync"
	"time"

	"contactsd/contact"
)

// What is remembered of strangers, in memory alone.
const (
	maxLooks = 64 // some 5 MB at the very worst
	lookTime = 5 * time.Minute
)

// looks are the strangers' profiles that the user looked at lately.
type looks struct {
	mu   sync.Mutex
	seen map[contact.ODID]lookedAt
}

type lookedAt struct {
	kept Kept
	at   time.Time // by the monotonic clock
}

func newLooks() *looks { return &looks{seen: make(map[contact.ODID]lookedAt)} }

// get returns a profile that is not too old.
func (l *looks) get(peer contact.ODID, now time.Time) (Kept, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, ok := l.seen[peer]
	if !ok || now.Sub(seen.at) >= lookTime {
		return Kept{}, false
	}
	seen.kept.Live = false
	return seen.kept, true
}

// put remembers a profile, in the place of the oldest one if there are too many.
func (l *looks) put(peer contact.ODID, k Kept, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, peer)
	if len(l.seen) >= maxLooks {
		var oldest contact.ODID
		for peer, seen := range l.seen {
			if oldest.IsZero() || seen.at.Before(l.seen[oldest].at) {
				oldest = peer
			}
		}
		delete(l.seen, oldest)
	}
	l.seen[peer] = lookedAt{k, now}
}

// drop forgets a device that is no stranger any more.
func (l *looks) drop(peer contact.ODID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, peer)
}
