package check

import (
	"sync"
	"time"

	"contactsd/contact"
)

// How often one device is answered, and of how many it is remembered.
const (
	maxAsks      = 10
	asksWithin   = time.Hour
	maxContacts  = 16384
	maxStrangers = 1024
)

// quota counts the questions of at most limit devices. When it is full, others
// are not answered until one of those has not asked for an hour.
type quota struct {
	limit int

	mu    sync.Mutex
	asked map[contact.ODID]*asks
}

// asks are when a device was answered last, in a ring.
type asks struct {
	at   [maxAsks]time.Time
	next int // the oldest
}

func newQuota(limit int) *quota {
	return &quota{limit: limit, asked: make(map[contact.ODID]*asks)}
}

// take notes that peer asks, and reports whether it may.
func (q *quota) take(peer contact.ODID, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.asked[peer]
	if a == nil {
		if len(q.asked) >= q.limit {
			q.forget(now)
		}
		if len(q.asked) >= q.limit {
			return false
		}
		a = &asks{}
		q.asked[peer] = a
	}
	if oldest := a.at[a.next]; !oldest.IsZero() && now.Sub(oldest) < asksWithin {
		return false
	}
	a.at[a.next] = now
	a.next = (a.next + 1) % maxAsks
	return true
}

// forget drops the devices that have not asked for so long that it counts no more.
func (q *quota) forget(now time.Time) {
	for peer, a := range q.asked {
		if newest := a.at[(a.next+maxAsks-1)%maxAsks]; now.Sub(newest) >= asksWithin {
			delete(q.asked, peer)
		}
	}
}
