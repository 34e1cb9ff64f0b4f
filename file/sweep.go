package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// OfferKept is for how long an offer waits to be accepted. Each side keeps the time
// by its own clock and tells the other.
const OfferKept = 30 * 24 * time.Hour

const (
	sweepEvery = time.Hour
	sweepBatch = 500 // transfers that change in one transaction
)

// sweeping ends offers that nobody accepted, and forgets what has been over for as
// long as the user's policy says, until ctx ends.
func (s *Service) sweeping(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && !errors.Is(err, store.ErrClosed) {
			s.log.Error("old transfers stay", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context) error {
	kept := time.Duration(s.policy().FilesKept) * 24 * time.Hour
	old, err := s.which(func(r record, now time.Time) bool { return r.late(now) || r.stale(now, kept) })
	for len(old) > 0 && err == nil && ctx.Err() == nil {
		n := min(len(old), sweepBatch)
		err = s.age(old[:n], kept)
		old = old[n:]
	}
	return err
}

// late reports whether an offer has waited for too long.
func (r record) late(now time.Time) bool {
	return r.State == Offered && !r.Unsent && !fromMillis(r.At).Add(OfferKept).After(now)
}

// over reports whether nothing is left to be done for a transfer, not even telling
// the contact.
func (r record) over() bool { return r.State.Final() && r.work() == workNone }

// stale reports whether a transfer has been over for so long.
func (r record) stale(now time.Time, kept time.Duration) bool {
	return r.over() && !fromMillis(r.Ended).Add(kept).After(now)
}

// which returns the transfers of which f says so.
func (s *Service) which(f func(r record, now time.Time) bool) (ids []ID, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		now := s.db.Now()
		for row, err := range transferTable.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if f(row.Value, now) {
				ids = append(ids, row.Value.ID)
			}
		}
		return nil
	})
	return ids, err
}

// age does to transfers what their age asks for.
func (s *Service) age(ids []ID, kept time.Duration) error {
	var expired []ID
	err := s.db.Update(func(tx *store.Tx) error {
		expired = nil
		for _, id := range ids {
			r, found, err := transferTable.Get(tx, id[:])
			switch {
			case err != nil:
				return err
			case !found:
			case r.late(tx.Now()):
				if err := s.expire(tx, r); err != nil {
					return err
				}
				if r.Direction == Out {
					expired = append(expired, id)
				}
			case r.stale(tx.Now(), kept):
				if err := s.forget(tx, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range expired {
		s.takeBack(id)
	}
	return nil
}

func (s *Service) expire(tx *store.Tx, r record) error {
	if err := dropPages(tx, r.ID); err != nil {
		return err
	}
	r.Owes = true
	return s.turn(tx, &r, Expired, noteExpired)
}

const noteExpired = "not accepted within 30 days"

// takeBack takes an offer out of the outbox if it is still there.
func (s *Service) takeBack(id ID) {
	if err := s.revoke(id); err != nil {
		s.log.Debug("the offer is not in the outbox any more", "id", id.String(), "err", err)
	}
}

// forget takes a transfer out of the list.
func (s *Service) forget(tx *store.Tx, r record) error {
	if err := dropPages(tx, r.ID); err != nil {
		return err
	}
	r.Owes = false
	if err := s.put(tx, r); err != nil {
		return err
	}
	if err := transferTable.Delete(tx, r.ID[:]); err != nil {
		return err
	}
	return emit(tx, contact.FileCleared, r)
}

// Clear takes transfers that are over out of the list, all those without any ids, and
// returns how many. What was received stays where it is. One that is named is cleared
// even if the contact has yet to be told what became of it.
//
// The error wraps ErrNotFound, or ErrState for one that is not over; none is cleared
// then.
func (s *Service) Clear(ids ...ID) (n int, err error) {
	named := len(ids) > 0
	if !named {
		if ids, err = s.which(func(r record, _ time.Time) bool { return r.over() }); err != nil {
			return 0, err
		}
	}
	for len(ids) > 0 {
		batch := ids[:min(len(ids), sweepBatch)]
		if named {
			batch = ids // all or none
		}
		cleared, err := s.clear(batch, named)
		if n += cleared; err != nil {
			return n, err
		}
		ids = ids[len(batch):]
	}
	return n, nil
}

func (s *Service) clear(ids []ID, named bool) (n int, err error) {
	err = s.db.Update(func(tx *store.Tx) error {
		n = 0
		for _, id := range ids {
			r, err := get(tx, id)
			switch {
			case errors.Is(err, ErrNotFound) && !named:
				continue // somebody else was faster
			case err != nil:
				return err
			case !r.over() && !named:
				continue
			case !r.State.Final():
				return fmt.Errorf("%w: it is %s", ErrState, r.State)
			}
			if err := s.forget(tx, r); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
