package message

import (
	"time"

	"contactsd/contact"
)

// What happens to lanes: messages come, the contact comes, an attempt ends.

// comePatience is how long a dial goes on when the contact has connected by itself.
// A dial that succeeds is told of in the same way, so it is more than nothing.
const comePatience = 2 * time.Second

// connection is told by the network who comes and goes.
func (s *Service) connection(peer contact.ODID, connected bool) {
	if giveUp := s.noteConnection(peer, connected); giveUp != nil {
		time.AfterFunc(comePatience, giveUp)
	}
}

// noteConnection is connection but for the dial that is to be given up in a while.
func (s *Service) noteConnection(peer contact.ODID, connected bool) (giveUp func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !connected {
		delete(s.sched.connected, peer)
		return nil
	}
	s.sched.connected[peer] = true
	l := s.sched.lanes[peer]
	switch {
	case l == nil:
	case l.phase == phaseActive && l.opening:
		l.met = true
		return l.giveUp
	default:
		s.renew(l)
	}
	return nil
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

// Found says that it was learnt where the contact may be: what waited for that is
// tried at once.
func (s *Service) Found(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.lanes[peer]
	switch {
	case l == nil:
	case l.phase == phaseActive:
		l.found = true
	case l.hold == holdAway:
		s.renew(l)
	}
}

// renew forgets failures and tries at once. The caller holds mu.
func (s *Service) renew(l *lane) {
	l.attempts = 0
	if l.phase == phaseActive {
		l.renewed = true
		l.notify()
		return
	}
	l.hold = holdNone
	due := time.Now()
	if l.phase == phaseBacklog {
		due = l.due // it keeps its turn
	}
	s.sched.at(l, due)
	s.reschedule()
}

// notify tells an active lane that something is new.
func (l *lane) notify() {
	l.again = true
	signal(l.wake)
}

func (s *Service) reschedule() { signal(s.kick) }

// arrival is messages that were committed to the outbox of a contact.
type arrival struct {
	last   position // the newest that has a number
	behind bool     // there are others, without one
	size   int      // of the queue, with them
}

// queued is called after messages were committed.
func (s *Service) queued(peer contact.ODID, now time.Time, a arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.lane(peer)
	l.resize(a.size)
	switch l.phase {
	case phaseActive:
		l.express.committed(a.last, a.behind)
		l.notify()
		return
	case phaseBacklog:
		return
	}
	due := now
	if l.attempts > 0 || l.hold == holdAway {
		due = l.last.Add(messageRetry)
	}
	if l.heap == nil || l.hold != holdClosed && due.Before(l.due) {
		s.sched.at(l, due)
		s.reschedule()
	}
}

// opened says that an attempt has its stream and the contact has spoken.
func (s *Service) opened(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.opening = false
	l.since, l.trouble = time.Time{}, ""
	delete(s.troubles.list, l.peer) // its record is cleared after this
}

// free gives a dial back. The caller holds mu.
func (s *Service) free(l *lane) {
	if s.sched.free(l) {
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
func (s *Service) leave(l *lane, due time.Time, h hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left(l, due, h)
}

// left is leave for who holds mu.
func (s *Service) left(l *lane, due time.Time, h hold) {
	s.free(l)
	s.sched.active--
	was := l.active
	l.active = nil
	l.phase = phaseDue
	// What ended the wait may have come before the wait began.
	missed := was.renewed || h == holdAway && (was.found || s.sched.connected[l.peer])
	if !missed {
		l.hold = h
	}
	switch {
	case missed, was.again && due.IsZero():
		s.sched.at(l, time.Now())
	case due.IsZero():
		delete(s.sched.lanes, l.peer)
		return
	default:
		s.sched.at(l, due)
	}
	s.reschedule()
}
