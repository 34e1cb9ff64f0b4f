package message

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Run delivers until ctx ends; then it returns nil once its goroutines have ended.
func (s *Service) Run(ctx context.Context) error {
	cancel := s.net.Watch(s.connection)
	defer cancel()
	var work sync.WaitGroup
	defer s.writeLast()
	defer work.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	loading, from := time.Now(), []byte(nil)
	for {
		now := time.Now()
		if !loading.IsZero() && !loading.After(now) {
			var err error
			if from, err = s.load(from); err != nil {
				return err
			}
			loading = now.Add(loadPause)
			if from == nil {
				loading = time.Time{}
			}
		}
		s.mu.Lock()
		begin, next := s.sched.start(now)
		write := s.troubles.pending()
		s.mu.Unlock()
		for _, l := range begin {
			work.Go(func() { s.attempt(ctx, l) })
		}
		if !write.IsZero() && !write.After(now) {
			s.writeTroubles()
			write = time.Time{}
		}
		timer.Stop()
		if next = soonest(next, write, loading); !next.IsZero() {
			timer.Reset(next.Sub(now))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.kick:
		case <-timer.C:
		}
	}
}

// soonest returns the first of some times, zero ones aside.
func soonest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// writeLast writes down, at the end, what is known of the next attempts.
func (s *Service) writeLast() {
	if err := s.db.Update(s.putTroubles); err != nil {
		s.log.Error("next attempts not written down", "err", err)
	}
}

// Queues are found in parts with pauses, so that a start with many is not busy
// with them.
const (
	loadPart  = 64
	loadPause = 2 * time.Millisecond
)

// load makes a lane for each of the next contacts with a queue. It returns where to
// go on, nil at the end.
func (s *Service) load(from []byte) (next []byte, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		next = from
		for range loadPart {
			peer, found, err := nextQueue(tx, next)
			if err != nil {
				return err
			}
			if !found {
				next = nil
				return nil
			}
			rec, err := getAccount(tx, peer)
			if err != nil {
				return err
			}
			s.enlist(peer, rec.peerRecord, time.Now())
			next = afterQueue(peer)
		}
		return nil
	})
	return next, err
}

// enlist makes the lane of a queue that was found, unless it has one by now.
func (s *Service) enlist(peer contact.ODID, rec peerRecord, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sched.lanes[peer] != nil {
		return
	}
	l := s.sched.lane(peer)
	l.size, l.attempts = int(rec.Queued), int(min(rec.Attempts, 1<<16))
	l.since, l.trouble = fromMillis(rec.Since), rec.Trouble
	due := now
	if next := fromMillis(rec.Next); next.After(now) && !s.sched.connected[peer] {
		due = now.Add(min(next.Sub(now), rand.N(startSpread)))
	}
	s.sched.at(l, due)
}
