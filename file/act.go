package file

import (
	"fmt"
	"path/filepath"

	"contactsd/contact"
	"contactsd/store"
)

// Accept has an offered transfer received, into the folder, an absolute path, or
// the usual one for "". One that failed is tried again. Accepting again changes
// nothing.
//
// The error of this and of what follows wraps ErrNotFound or ErrState; that of
// Accept also errFolder or errSpace.
func (s *Service) Accept(id ID, folder string) (Transfer, error) {
	if folder == "" {
		folder = s.usual()
	}
	if !filepath.IsAbs(folder) {
		return Transfer{}, &contact.InvalidError{Field: "folder", Reason: "not absolute"}
	}
	return s.change(id, func(tx *store.Tx, r *record) error {
		switch {
		case r.Direction == Out:
			return fmt.Errorf("%w: it is sent from here", ErrState)
		case r.State == Active, r.State == Done:
			return nil
		case r.State != Offered && r.State != Failed:
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		}
		r.Folder, r.Owes = filepath.Clean(folder), false
		return s.turn(tx, r, Active, "")
	})
}

// Reject tells the sender that an offered transfer is not wanted.
func (s *Service) Reject(id ID) (Transfer, error) {
	return s.change(id, func(tx *store.Tx, r *record) error {
		switch {
		case r.Direction == Out:
			return fmt.Errorf("%w: it is sent from here; cancel it", ErrState)
		case r.State == Rejected:
			return nil
		case r.State != Offered:
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		}
		r.Owes = true
		return s.turn(tx, r, Rejected, "")
	})
}

// Pause stops a transfer until Resume. What has arrived is kept.
func (s *Service) Pause(id ID) (Transfer, error) {
	return s.change(id, func(tx *store.Tx, r *record) error {
		switch {
		case r.State == Paused:
			return nil
		case r.State != Active && (r.Direction == In || r.State != Offered || r.Unsent):
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		}
		tx.OnCommit(func() { s.interrupt(id) })
		return s.turn(tx, r, Paused, "")
	})
}

// Resume lets a paused transfer go on.
func (s *Service) Resume(id ID) (Transfer, error) {
	return s.change(id, func(tx *store.Tx, r *record) error {
		switch {
		case r.State == Active:
			return nil
		case r.State != Paused:
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		case r.Direction == In:
			return s.turn(tx, r, Active, "")
		}
		r.Owes = true // so that the receiver comes at once
		return s.turn(tx, r, Active, "")
	})
}

// Cancel gives a transfer up and tells the contact. What has arrived is removed.
func (s *Service) Cancel(id ID) (Transfer, error) {
	t, err := s.change(id, func(tx *store.Tx, r *record) error {
		switch {
		case r.State == Cancelled:
			return nil
		case r.State.Final(), r.Direction == In && r.State == Offered:
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		}
		r.Owes, r.Unsent, r.Done = r.State != Preparing && !r.Unsent, false, 0
		tx.OnCommit(func() { s.interrupt(id) })
		if err := dropPages(tx, id); err != nil {
			return err
		}
		return s.turn(tx, r, Cancelled, "")
	})
	if err != nil || t.State != Cancelled {
		return t, err
	}
	if t.Direction == In {
		s.discard(t.Path, id)
		return t, nil
	}
	s.takeBack(id) // one that has arrived already is taken back by telling so
	return t, nil
}

// change changes one transfer in a transaction.
func (s *Service) change(id ID, f func(*store.Tx, *record) error) (Transfer, error) {
	var r record
	err := s.db.Update(func(tx *store.Tx) (err error) {
		if r, err = get(tx, id); err != nil {
			return err
		}
		return f(tx, &r)
	})
	if err != nil {
		return Transfer{}, err
	}
	return s.transfer(r), nil
}
