package relation

import (
	"fmt"

	"contactsd/contact"
	"contactsd/store"
)

// Block has nothing more to do with a device, contact or not, until Unblock. To
// the device it is a removal: the same statement is issued, and only if there is
// a standing one to withdraw. The contact's record is kept. Blocking again changes
// nothing. Errors: ErrSelf, *contact.LimitError.
func (s *Service) Block(peer contact.ODID) error {
	if peer == s.self {
		return fmt.Errorf("block: %w", ErrSelf)
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error { return s.block(tx, peer) })
}

func (s *Service) block(tx *store.Tx, peer contact.ODID) error {
	e, err := load(tx, peer)
	if err != nil || e.blocked() {
		return err
	}
	before := e.view()
	e.refuse()
	return s.shut(tx, &e, before, s.next(&e).Unlist(0), e.listed())
}

// shut blocks e's device, which was as before says. With tell it issues st, which
// lists nothing. The device's ask is decided already, or answered by st.
func (s *Service) shut(tx *store.Tx, e *entry, before contact.View, st contact.Statement, tell bool) error {
	t, _, err := totals.Get(tx, totalsKey())
	if err != nil {
		return err
	}
	if limit := s.cfg.Policy().MaxBlocked; t.Blocked >= uint64(limit) {
		return &contact.LimitError{Field: "blocklist", Got: int(t.Blocked) + 1, Limit: limit, Unit: "devices"}
	}
	if err := s.charge(tx, e, contact.ActBlock); err != nil {
		return err
	}
	peer := e.peer
	if tell {
		if err := s.issue(e, st); err != nil {
			return err
		}
		tx.OnCommit(func() { s.touch(peer) })
	}
	e.row.Marks.OldPair = nil
	e.row.Marks.Blocked = true
	if err := blocks.Put(tx, peer[:], block{At: tx.Now().UnixMilli()}); err != nil {
		return err
	}
	left := 0
	if len(e.row.Contact) > 0 {
		left = 1
	}
	if err := tally(tx, -left, 1); err != nil {
		return err
	}
	if err := s.cfg.DropStaged(tx, peer, tx.Now()); err != nil {
		return err
	}
	return s.settle(tx, e, before)
}

// Unblock ends a block, and takes back a report. Who was a contact is one again, untrusted and with no
// permission; it is told that it is listed. Any other device is what it was
// before. A device that is not blocked stays as it is; ErrNotFound for one of
// which nothing is known.
func (s *Service) Unblock(peer contact.ODID) error {
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		if !e.known {
			return fmt.Errorf("%w: %s", ErrNotFound, peer.Short())
		}
		if !e.row.Marks.Blocked {
			return nil
		}
		before := e.view()
		d, was, err := e.details(tx)
		if err != nil {
			return err
		}
		// A pairing that was under way as the block came is not what unblocking means.
		if err := s.cfg.DropStaged(tx, peer, tx.Now()); err != nil {
			return err
		}
		if e.row.Marks.Reported {
			if err := s.cfg.Spam.Withdraw(tx, peer); err != nil {
				return err
			}
		}
		e.row.Marks.Blocked, e.row.Marks.Reported = false, false
		if err := blocks.Delete(tx, peer[:]); err != nil {
			return err
		}
		back := 0
		if was {
			back = 1
		}
		if err := tally(tx, back, -1); err != nil {
			return err
		}
		if was {
			if err := s.issue(&e, e.meet(s.next(&e).List(contact.NoPermissions))); err != nil {
				return err
			}
			e.row.Marks.AddedSeq = e.mine.Seq
			// What was chosen before ended with the block; the next pairing grants
			// what pairing grants.
			d.Chosen = false
			if err := e.keep(tx, d, d); err != nil {
				return err
			}
			tx.OnCommit(func() {
				s.cfg.Addresses.Learn(peer, e.row.Addresses)
				s.touch(peer)
			})
		}
		return s.settle(tx, &e, before)
	})
}

// Count returns how many contacts are listed.
func (s *Service) Count() (n int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		t, _, err := totals.Get(tx, totalsKey())
		n = int(t.Contacts)
		return err
	})
	return n, err
}
