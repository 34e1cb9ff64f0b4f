package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Errands is what is sent, and to whom.
type Errands struct {
	Name     string        `json:"name"`
	Contacts int           `json:"contacts"`
	Linked   int           `json:"linked"`   // connected, of those that are there
	Online   float64       `json:"online"`   // share of the time a contact is there
	Session  time.Duration `json:"session"`  // mean time there at a stretch
	Messages float64       `json:"messages"` // an hour, each to any contact
	Body     int           `json:"body"`     // bytes
	Hours    int           `json:"hours"`    // that are measured, after a day
	Seed     uint64        `json:"seed"`
}

// Delivery is what errands come to, an hour of the sender's.
type Delivery struct {
	Errands
	Sent      float64 `json:"sent"`
	Delivered float64 `json:"delivered"`
	Median    float64 `json:"median_s"` // until a message has arrived
	P99       float64 `json:"p99_s"`
	Attempts  float64 `json:"attempts"`
	Dials     float64 `json:"dials"`
	InVain    float64 `json:"dials_in_vain"`
	Bytes     float64 `json:"bytes"` // both ways, presence and the transport aside
	Frames    float64 `json:"frames"`
	Waiting   float64 `json:"waiting"` // messages, at the end
}

// Rules of message.
const (
	messageRetry = 30 * time.Second
	idleStream   = 10 * time.Second
	openFails    = 20 * time.Second // until a dial to who is not there ends
	giveUp       = 30 * 24 * time.Hour
	roundTrip    = 100 * time.Millisecond
	messageDials = 8
)

// retryAfter is the delay after so many failed attempts in a row.
func retryAfter(rng *rand.Rand, attempts int) time.Duration {
	d := lastRetry
	if n := attempts - 1; n < 16 {
		d = min(firstRetry<<max(n, 0), lastRetry)
	}
	d += time.Duration(float64(d) * 0.2 * (2*rng.Float64() - 1))
	return min(max(d, firstRetry), lastRetry)
}

// sender is a device that sends.
type sender struct {
	clock
	Errands
	rng    *rand.Rand
	lanes  []*lane
	dials  int
	waits  []*lane
	sizes  sizes
	from   time.Duration // what came before does not count
	result Delivery
	delays []time.Duration
}

// lane is a contact and its queue.
type lane struct {
	there, linked, trying bool
	queue                 []time.Duration // when they were sent
	attempts              int
	last                  time.Duration
	open                  time.Duration // until then a stream stands
	due                   time.Duration // when the next attempt is planned
	plans                 int           // of which the last one holds
}

// deliver plays errands.
func deliver(e Errands) Delivery {
	s := &sender{Errands: e, rng: rand.New(rand.NewPCG(e.Seed, 1)), sizes: measureSizes(statusText, someAddresses())}
	s.result.Errands = e
	s.from = 24 * time.Hour
	for i := range e.Contacts {
		l := &lane{there: s.rng.Float64() < e.Online, linked: i < e.Linked}
		s.lanes = append(s.lanes, l)
		s.turn(l)
	}
	s.write()
	s.run(s.from + time.Duration(e.Hours)*time.Hour)
	hours := float64(e.Hours)
	r := &s.result
	for _, n := range []*float64{&r.Sent, &r.Delivered, &r.Attempts, &r.Dials, &r.InVain, &r.Bytes, &r.Frames} {
		*n /= hours
	}
	r.Median, r.P99 = percentile(s.delays, 0.5).Seconds(), percentile(s.delays, 0.99).Seconds()
	for _, l := range s.lanes {
		r.Waiting += float64(len(l.queue))
	}
	return *r
}

func (s *sender) add(to *float64, n int) {
	if s.now >= s.from {
		*to += float64(n)
	}
}

// turn has a contact come or go some time.
func (s *sender) turn(l *lane) {
	if s.Online == 0 || s.Online == 1 {
		return
	}
	mean := float64(s.Session)
	if !l.there {
		mean *= (1 - s.Online) / s.Online
	}
	s.after(time.Duration(s.rng.ExpFloat64()*mean), func() {
		l.there, l.open = !l.there, 0
		if l.there && l.linked {
			l.attempts = 0 // a connection comes with it
			s.try(l)
		}
		s.turn(l)
	})
}

// write has the user write a message some time.
func (s *sender) write() {
	s.after(time.Duration(s.rng.ExpFloat64()*float64(time.Hour)/s.Messages), func() {
		l := s.lanes[s.rng.IntN(len(s.lanes))]
		l.queue = append(l.queue, s.now)
		s.add(&s.result.Sent, 1)
		switch {
		case l.trying:
		case l.attempts == 0:
			s.try(l)
		case l.last+messageRetry < l.due:
			s.plan(l, max(0, l.last+messageRetry-s.now))
		}
		s.write()
	})
}

// plan has a lane tried so much later, in the place of when it was planned before.
func (s *sender) plan(l *lane, wait time.Duration) {
	l.plans++
	l.due = s.now + wait
	plan := l.plans
	s.after(wait, func() {
		if l.plans == plan {
			s.try(l)
		}
	})
}

func (s *sender) try(l *lane) {
	l.queue = slices.DeleteFunc(l.queue, func(at time.Duration) bool { return s.now-at > giveUp })
	if l.trying || len(l.queue) == 0 {
		return
	}
	dials := !(l.linked && l.there) && s.now >= l.open
	if dials && s.dials == messageDials {
		s.waits = append(s.waits, l)
		return
	}
	l.trying, l.last = true, s.now
	s.add(&s.result.Attempts, 1)
	takes := 2 * roundTrip
	if dials {
		s.dials++
		s.add(&s.result.Dials, 1)
		takes += roundTrip
		if !l.there {
			takes = openFails
			s.add(&s.result.InVain, 1)
		}
	}
	s.after(takes, func() { s.ended(l, dials) })
}

func (s *sender) ended(l *lane, dialled bool) {
	l.trying = false
	if dialled {
		s.dials--
	}
	if l.there {
		s.arrived(l)
	} else {
		l.attempts++
		s.plan(l, retryAfter(s.rng, l.attempts))
	}
	for len(s.waits) > 0 && s.dials < messageDials {
		next := s.waits[0]
		s.waits = s.waits[1:]
		s.try(next)
	}
}

func (s *sender) arrived(l *lane) {
	if s.now >= l.open {
		s.add(&s.result.Bytes, s.sizes.hello)
		s.add(&s.result.Frames, 1)
	}
	for _, at := range l.queue {
		s.add(&s.result.Delivered, 1)
		s.add(&s.result.Bytes, s.sizes.message(s.Body))
		s.add(&s.result.Frames, 1)
		if at >= s.from {
			s.delays = append(s.delays, s.now-at)
		}
	}
	s.add(&s.result.Bytes, s.sizes.ack)
	s.add(&s.result.Frames, 1)
	l.queue, l.attempts = nil, 0
	l.plans++
	l.open = s.now + idleStream
}

// errands are those of docs/scale.md.
func errands() []Errands {
	usual := Errands{Contacts: 100, Linked: 64, Online: 0.3, Session: 2 * time.Hour, Messages: 20, Body: 100, Hours: 14 * 24}
	var list []Errands
	for _, x := range []struct {
		name   string
		change func(*Errands)
	}{
		{"20 messages, 100 contacts, 30 % there", func(*Errands) {}},
		{"200 messages, 1000 contacts, 30 % there", func(e *Errands) { e.Contacts, e.Messages = 1000, 200 }},
		{"20 messages, 100 contacts, 5 % there", func(e *Errands) { e.Online = 0.05 }},
		{"20 messages, 100 contacts, all dead", func(e *Errands) { e.Online = 0 }},
		{"20 messages, 100 contacts, all there", func(e *Errands) { e.Online = 1 }},
	} {
		e := usual
		e.Name = x.name
		x.change(&e)
		list = append(list, e)
	}
	return list
}
