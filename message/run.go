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
	if err := s.load(); err != nil {
		return err
	}
	cancel := s.net.Watch(s.connection)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		s.mu.Lock()
		begin, next := s.sched.start(now)
		s.mu.Unlock()
		for _, l := range begin {
			work.Go(func() { s.attempt(ctx, l) })
		}
		timer.Stop()
		if !next.IsZero() {
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

// load makes a lane for each contact with a queue.
func (s *Service) load() error {
	return s.db.View(func(tx *store.Tx) error {
		var from []byte
		for {
			peer, found, err := nextQueue(tx, from)
			if err != nil || !found {
				return err
			}
			rec, err := getAccount(tx, peer)
			if err != nil {
				return err
			}
			now := time.Now()
			due := now
			if next := fromMillis(rec.Next); next.After(now) {
				due = now.Add(min(next.Sub(now), rand.N(startSpread)))
			}
			s.mu.Lock()
			if l := s.sched.lane(peer); l.phase != phaseActive {
				l.attempts = int(min(rec.Attempts, 1<<16))
				s.sched.at(l, due)
			}
			s.mu.Unlock()
			from = placeKey(peer, ^uint64(0))
		}
	})
}

// nextQueue returns the contact of the first outbox row after from.
func nextQueue(tx *store.Tx, from []byte) (peer contact.ODID, found bool, err error) {
	for row, err := range outboxTable.Scan(tx, store.Range{From: from}) {
		if err != nil {
			return peer, false, err
		}
		return contact.ODID(row.Key[:len(peer)]), true, nil
	}
	return peer, false, nil
}
