package message

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"contactsd/contact"
)

// When attempts are made.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 15 * time.Minute
	jitter     = 0.2 // of a delay, either way
	// A new message brings the next attempt forward, but to no less than this
	// after the last one.
	messageRetry = 30 * time.Second
	// After a start nobody waits longer than this for the first attempt: what
	// kept the contact away may be over, and the attempts shall not come at once.
	startSpread = 5 * time.Second
	// After a stream broke and the contact is connected nevertheless.
	brokenRetry = 200 * time.Millisecond
	maxDials    = 8 // attempts at once to contacts that are not connected
)

// backoff is the delay after so many failed attempts in a row.
func backoff(attempts int) time.Duration {
	d := lastRetry
	if n := attempts - 1; n < 16 {
		d = min(firstRetry<<max(n, 0), lastRetry)
	}
	d += time.Duration(float64(d) * jitter * (2*rand.Float64() - 1))
	return min(max(d, firstRetry), lastRetry)
}

// phase is where the delivery to one contact stands.
type phase uint8

const (
	phaseDue     phase = iota // in the heap, until its time comes
	phaseBacklog              // its time has come, all dials are taken
	phaseActive               // a goroutine delivers
)

// lane is the delivery to one contact with a queue. Service.mu guards all but
// peer and wake.
type lane struct {
	peer  contact.ODID
	wake  chan struct{} // buffered; tells an active lane that something is new
	phase phase
	due   time.Time
	index int // in the heap

	attempts int       // failed in a row
	last     time.Time // beginning of the last attempt
	parked   bool      // the contact does not take messages: no attempt before Wake

	again   bool // something is new since the active lane last looked
	renewed bool // and it is a reason to try at once, whatever failed
	express express
	dialing bool // holds one of maxDials
	opening bool // has no stream yet
	met     bool // a connection came while it was opening
}

// schedule says whom to deliver to, and when. Service.mu guards it.
type schedule struct {
	lanes     map[contact.ODID]*lane
	due       laneHeap
	backlog   []*lane
	dials     int
	connected map[contact.ODID]bool
}

func newSchedule() schedule {
	return schedule{lanes: make(map[contact.ODID]*lane), connected: make(map[contact.ODID]bool)}
}

// at puts a lane into the heap, or moves it there.
func (c *schedule) at(l *lane, due time.Time) {
	l.due = due
	if l.phase == phaseDue && l.index >= 0 {
		heap.Fix(&c.due, l.index)
		return
	}
	l.phase = phaseDue
	heap.Push(&c.due, l)
}

func (c *schedule) lane(peer contact.ODID) *lane {
	l := c.lanes[peer]
	if l == nil {
		l = &lane{peer: peer, wake: make(chan struct{}, 1), index: -1}
		c.lanes[peer] = l
	}
	return l
}

// start takes the lanes that may begin now and returns the time of the next.
func (c *schedule) start(now time.Time) (begin []*lane, next time.Time) {
	ready := func(l *lane) bool {
		switch {
		case c.connected[l.peer]:
		case c.dials < maxDials:
			c.dials++
			l.dialing = true
		default:
			return false
		}
		l.phase, l.opening, l.met, l.again, l.renewed = phaseActive, true, false, false, false
		l.last = now
		begin = append(begin, l)
		return true
	}
	for len(c.backlog) > 0 {
		l := c.backlog[0]
		if l.phase == phaseBacklog && !ready(l) {
			break
		}
		c.backlog = c.backlog[1:]
	}
	for len(c.due) > 0 && !c.due[0].due.After(now) {
		l := heap.Pop(&c.due).(*lane)
		if !ready(l) {
			l.phase = phaseBacklog
			c.backlog = append(c.backlog, l)
		}
	}
	if len(c.due) > 0 {
		next = c.due[0].due
	}
	return begin, next
}

// connection is told by the network who comes and goes.
func (s *Service) connection(peer contact.ODID, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !connected {
		delete(s.sched.connected, peer)
		return
	}
	s.sched.connected[peer] = true
	l := s.sched.lanes[peer]
	switch {
	case l == nil:
	case l.phase == phaseActive && l.opening:
		l.met = true
	default:
		s.renew(l)
	}
}

// Wake says that something about the contact changed, its statement or its
// presence: what is queued for it is tried at once.
func (s *Service) Wake(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.sched.lanes[peer]; l != nil {
		s.renew(l)
	}
}

// renew forgets failures and tries at once. The caller holds mu.
func (s *Service) renew(l *lane) {
	l.attempts, l.parked = 0, false
	switch l.phase {
	case phaseActive:
		l.renewed = true
		l.notify()
	case phaseBacklog:
		if !s.sched.connected[l.peer] {
			return
		}
		l.index = -1
		s.sched.at(l, time.Now())
	case phaseDue:
		s.sched.at(l, time.Now())
	}
	s.reschedule()
}

func (l *lane) notify() {
	l.again = true
	signal(l.wake)
}

func (s *Service) reschedule() { signal(s.kick) }

// queued is called after messages were committed to the outbox: up to a number,
// and perhaps others without one.
func (s *Service) queued(peer contact.ODID, now time.Time, last position, behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.lane(peer)
	l.express.committed(last, behind)
	switch l.phase {
	case phaseActive:
		l.notify()
		return
	case phaseBacklog:
		return
	}
	due := now
	if l.attempts > 0 {
		due = l.last.Add(messageRetry)
	}
	if l.index < 0 || !l.parked && due.Before(l.due) {
		s.sched.at(l, due)
		s.reschedule()
	}
}

// standing says how the delivery to a contact goes: whether it goes on now, how
// many attempts failed in a row and when the next one is due.
func (s *Service) standing(peer contact.ODID) (active bool, failed int, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.lanes[peer]
	if l == nil {
		return false, 0, time.Time{}
	}
	return l.phase == phaseActive && !l.opening, l.attempts, l.due
}

// opened says that an attempt has its stream: others may dial.
func (s *Service) opened(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.opening = false
	s.free(l)
}

// free gives a dial back. The caller holds mu.
func (s *Service) free(l *lane) {
	if l.dialing {
		l.dialing = false
		s.sched.dials--
		s.reschedule()
	}
}

// look says that an active lane is about to look for what is new.
func (s *Service) look(l *lane) {
	s.mu.Lock()
	l.again, l.renewed = false, false
	s.mu.Unlock()
}

// progress says that an attempt got somewhere.
func (s *Service) progress(l *lane) {
	s.mu.Lock()
	l.attempts = 0
	s.mu.Unlock()
}

// leave ends an attempt: the next is due then, or if that is zero only when
// something new has come. Messages that came do not shorten the delay after a
// failure.
func (s *Service) leave(l *lane, due time.Time, parked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left(l, due, parked)
}

// left is leave for who holds mu.
func (s *Service) left(l *lane, due time.Time, parked bool) {
	s.free(l)
	l.express = express{}
	l.index, l.parked = -1, parked && !l.renewed
	switch {
	case l.renewed, l.again && due.IsZero():
		s.sched.at(l, time.Now())
	case due.IsZero():
		delete(s.sched.lanes, l.peer)
		return
	default:
		s.sched.at(l, due)
	}
	s.reschedule()
}

// laneHeap orders lanes by when they are due (container/heap).
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = -1
	return l
}
