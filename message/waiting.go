package message

import (
	"fmt"
	"time"

	"contactsd/contact"
)

// lastDays is how long before the end it is said when a message is given up.
const lastDays = 3 * 24 * time.Hour

// standing is how the delivery to a contact goes.
type standing struct {
	phase    phase
	none     bool // there is no lane: nobody has looked at the queue yet
	opening  bool // active, without a stream
	hold     hold
	due      time.Time // of the next attempt
	attempts int       // failed in a row
	since    time.Time // when the first of them did
	trouble  string    // of the last one, in words
	turns    int       // contacts in the backlog, this one among them
}

// standing returns how the delivery to a contact goes. What its record says counts
// if there is no lane.
func (s *Service) standing(peer contact.ODID, rec peerRecord) standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.lanes[peer]
	if l == nil {
		return standing{
			none: true, due: fromMillis(rec.Next),
			attempts: int(min(rec.Attempts, 1<<16)), since: fromMillis(rec.Since), trouble: rec.Trouble,
		}
	}
	st := standing{
		phase: l.phase, hold: l.hold, due: l.due,
		attempts: l.attempts, since: l.since, trouble: l.trouble,
	}
	if l.active != nil {
		st.opening = l.opening
	}
	if l.phase == phaseBacklog {
		st.turns = len(s.sched.fresh.list)
		if l.attempts > 0 {
			st.turns += len(s.sched.repeats.list)
		}
	}
	return st
}

// wait is all that decides why a message of the outbox waits.
type wait struct {
	view  contact.View // zero if the contact is not known any more
	entry pending
	ahead int // messages that go before it, as far as they were counted
	standing
}

// words says to a person why the message waits, without a full stop.
func (w wait) words(now time.Time) string {
	expires := fromMillis(w.entry.Queued).Add(Keep)
	if !expires.After(now) {
		return "too old: it is about to be given up"
	}
	why := w.reason(now)
	if w.ahead > 0 && !w.sending() {
		why += fmt.Sprintf("; %s before it", count(w.ahead, "message"))
	}
	if expires.Sub(now) <= lastDays {
		why += "; given up " + clock(expires, now)
	}
	return why
}

// sending reports whether a stream is open, over which the message goes as soon as
// those before it have gone.
func (w wait) sending() bool {
	return w.willing() && !w.entry.Cancel && w.phase == phaseActive && !w.opening
}

// willing reports whether the contact takes messages, as far as this device knows.
func (w wait) willing() bool { return open(w.view) }

func (w wait) reason(now time.Time) string {
	switch v := w.view; {
	case v.Status == contact.StatusBlocked, v.Status == contact.StatusReported:
		return "blocked by you"
	case !listed(v):
		return "no longer a contact"
	case !w.willing() && v.Status == contact.StatusAccepted:
		return "the contact does not allow messages"
	case !w.willing() && v.Left:
		return "the contact removed you"
	case !w.willing():
		return "not accepted yet"
	case w.entry.Cancel:
		return "being cancelled: it was sent already, waiting to learn whether it arrived"
	}
	switch {
	case w.sending() && w.entry.Seq != 0:
		return "on its way, not confirmed yet"
	case w.sending() && w.ahead > 0:
		return fmt.Sprintf("behind %s on the way", count(w.ahead, "message"))
	case w.sending():
		return "about to be sent"
	case w.phase == phaseActive && w.attempts == 0:
		return "trying to reach the contact"
	case w.phase == phaseActive:
		return w.failing(now) + ", trying again now"
	case w.phase == phaseBacklog && w.attempts == 0:
		return w.turn()
	case w.phase == phaseBacklog:
		return w.failing(now) + ", " + w.turn()
	case w.hold == holdAway:
		return "nobody knows where the contact is: waiting for it to connect"
	case w.attempts == 0:
		return "about to be tried"
	}
	return w.failing(now) + ", next try " + w.next(now)
}

// failing is "unreachable since 14:02".
func (w wait) failing(now time.Time) string {
	words := w.trouble
	if words == "" {
		words = "interrupted"
	}
	if w.since.IsZero() {
		return words
	}
	return fmt.Sprintf("%s since %s", words, clock(w.since, now))
}

// turn is for a contact that waits for a dial.
func (w wait) turn() string {
	if w.turns <= 1 {
		return "waiting for its turn to be tried"
	}
	return fmt.Sprintf("waiting for its turn to be tried, one of %s", count(w.turns, "contact"))
}

// next is when the next attempt is.
func (w wait) next(now time.Time) string {
	if !w.due.After(now) {
		return "now"
	}
	return clock(w.due, now)
}

// count is "1 message" or "3 messages".
func count(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}

// clock shows a time of the day, with the date if it is not today's.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}
