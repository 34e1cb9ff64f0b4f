package message

import (
	"context"
	"math/rand/v2"
	"time"

	"contactsd/contact"
)

// When attempts are made.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 15 * time.Minute
	jitter     = 0.2 // of a delay, either way
	// Where the other device, or this one, only can't store anything at the moment,
	// no delay is longer than this.
	fullRetry = time.Minute
	// A new message brings the next attempt forward, but to no less than this
	// after the last one.
	messageRetry = 30 * time.Second
	// After a start nobody waits longer than this for the first attempt: what
	// kept the contact away may be over, and the attempts shall not come at once.
	startSpread = 5 * time.Second
	// After a stream broke and the contact is connected nevertheless.
	brokenRetry = 200 * time.Millisecond
)

// Contacts that are not connected take turns at being dialled, for each may take
// long to fail.
const (
	maxDials = 16 // at once
	// Of these, contacts that were tried in vain take no more than so many: however
	// many are away, one that may be there finds a dial.
	maxRepeats = 12
	// Whose queue is twice as long takes its turn as if it had come so much later.
	// Small queues go first, and none waits for ever.
	sizeStep = 5 * time.Second
)

// backoff is the delay after so many failed attempts in a row, limit at most.
func backoff(attempts int, limit time.Duration) time.Duration {
	d := limit
	if n := attempts - 1; n < 16 {
		d = min(firstRetry<<max(n, 0), limit)
	}
	d += time.Duration(float64(d) * jitter * (2*rand.Float64() - 1))
	return min(max(d, firstRetry), limit)
}

// phase is where the delivery to one contact stands.
type phase uint8

const (
	phaseDue     phase = iota // waits until its time comes
	phaseBacklog              // its time has come, and it waits for a dial
	phaseActive               // a goroutine delivers
)

// hold is what a lane waits for that no time brings about.
type hold uint8

const (
	holdNone   hold = iota
	holdClosed      // the contact does not take messages: waits for Wake
	holdAway        // nobody knows where it is: waits for it, or for Found
)

// lane is the delivery to one contact with a queue. It is small: a device may have
// a queue for each of its contacts. Service.mu guards all but peer.
type lane struct {
	peer  contact.ODID
	phase phase
	hold  hold
	due   time.Time
	heap  *laneHeap // that it is in; nil for none
	index int       // there

	size     int       // messages, when somebody last looked
	last     time.Time // beginning of the last attempt
	attempts int       // failed in a row
	since    time.Time // when the first of them did
	trouble  string    // of the last one, in words

	*active // nil in other phases
}

// active is what a lane has while a goroutine delivers.
type active struct {
	wake    chan struct{} // buffered; something is new
	again   bool          // that is so, since the goroutine last looked
	renewed bool          // and it is a reason to try at once, whatever failed
	found   bool          // and it is where the contact is
	express express
	dialing bool               // holds one of maxDials
	repeat  bool               // and one of maxRepeats
	opening bool               // has no stream yet
	met     bool               // a connection came while it was opening
	giveUp  context.CancelFunc // of the dial under way
}

// schedule says whom to deliver to, and when. Service.mu guards it.
type schedule struct {
	lanes     map[contact.ODID]*lane
	due       laneHeap
	fresh     laneHeap // of the backlog: whose last attempt did not fail
	repeats   laneHeap // of the backlog: the others
	active    int      // lanes
	dials     int
	redials   int // of these, those of contacts that were tried in vain
	connected map[contact.ODID]bool
}

func newSchedule() schedule {
	sooner := func(a, b *lane) bool { return a.due.Before(b.due) }
	earlierTurn := func(a, b *lane) bool { return a.turn().Before(b.turn()) }
	return schedule{
		lanes: make(map[contact.ODID]*lane), connected: make(map[contact.ODID]bool),
		due: laneHeap{less: sooner}, fresh: laneHeap{less: earlierTurn}, repeats: laneHeap{less: earlierTurn},
	}
}

// lane returns the lane of a peer. One that it makes is in no heap.
func (c *schedule) lane(peer contact.ODID) *lane {
	l := c.lanes[peer]
	if l == nil {
		l = &lane{peer: peer}
		c.lanes[peer] = l
	}
	return l
}

// at has a lane that is not active be tried at a time.
func (c *schedule) at(l *lane, due time.Time) {
	l.take()
	l.phase, l.due = phaseDue, due
	c.due.add(l)
}

// start takes the lanes that may begin now and returns the time of the next.
func (c *schedule) start(now time.Time) (begin []*lane, next time.Time) {
	for l := c.due.first(); l != nil; l = c.due.first() {
		if l.due.After(now) {
			next = l.due
			break
		}
		switch {
		case c.connected[l.peer]:
			begin = append(begin, l.begin(now))
		case l.attempts > 0:
			l.wait(&c.repeats)
		default:
			l.wait(&c.fresh)
		}
	}
	for c.dials < maxDials {
		l := c.fresh.first()
		if l == nil && c.redials < maxRepeats {
			l = c.repeats.first()
		}
		if l == nil {
			break
		}
		begin = append(begin, l.begin(now))
		c.dials++
		l.dialing = true
		if l.attempts > 0 {
			c.redials++
			l.repeat = true
		}
	}
	c.active += len(begin)
	return begin, next
}

// begin makes a lane active.
func (l *lane) begin(now time.Time) *lane {
	l.take()
	l.phase, l.hold, l.last = phaseActive, holdNone, now
	l.active = &active{wake: make(chan struct{}, 1), opening: true}
	return l
}

// wait puts a lane whose time has come into a heap of the backlog.
func (l *lane) wait(h *laneHeap) {
	l.take()
	l.phase = phaseBacklog
	h.add(l)
}

// free gives the dial of an active lane back.
func (c *schedule) free(l *lane) (freed bool) {
	if !l.dialing {
		return false
	}
	c.dials--
	if l.repeat {
		c.redials--
	}
	l.dialing, l.repeat = false, false
	return true
}

// share bounds what may be queued for an active lane without being read again from
// the disk: less than the window if many are active.
func (c *schedule) share(bytes int) int { return min(bytes, maxHeld/max(c.active, 1)) }

// activeLane returns the lane of a peer if it is active, else nil.
func (c *schedule) activeLane(peer contact.ODID) *lane {
	if l := c.lanes[peer]; l != nil && l.phase == phaseActive {
		return l
	}
	return nil
}
