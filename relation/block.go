package relation

import (
	"fmt"
	"time"

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
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil || e.blocked() {
			return err
		}
		n, err := countBlocked(tx)
		if err != nil {
			return err
		}
		if n >= contact.MaxBlocked {
			return &contact.LimitError{Field: "blocklist", Got: n + 1, Limit: contact.MaxBlocked, Unit: "devices"}
		}
		before := e.view()
		if e.listed() {
			if err := s.issue(&e, s.next(&e).Unlist(0)); err != nil {
				return err
			}
			tx.OnCommit(func() { s.touch(peer) })
		}
		e.row.Marks.OldPair = nil
		e.row.Marks.Blocked = true
		if err := blocks.Put(tx, peer[:], block{At: time.Now().UnixMilli()}); err != nil {
			return err
		}
		if err := s.cfg.DropStaged(tx, peer, time.Now()); err != nil {
			return err
		}
		return s.settle(tx, &e, before)
	})
}

// Unblock ends a block. Who was a contact is one again, untrusted and with no
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
		if err := s.cfg.DropStaged(tx, peer, time.Now()); err != nil {
			return err
		}
		e.row.Marks.Blocked = false
		if err := blocks.Delete(tx, peer[:]); err != nil {
			return err
		}
		if was {
			if err := s.issue(&e, s.next(&e).List(contact.NoPermissions)); err != nil {
				return err
			}
			e.row.Marks.AddedSeq = e.mine.Seq
			// What was chosen before ended with the block; the next pairing grants
			// what pairing grants.
			d.Chosen = false
			if err := contacts.Put(tx, e.row.Contact, d); err != nil {
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

func countBlocked(tx *store.Tx) (n int, err error) {
	for _, err := range blocks.Scan(tx, store.Range{}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// listBlocked returns the blocked devices, in no order.
func (s *Service) listBlocked() ([]Contact, error) {
	var list []Contact
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		list = list[:0]
		for row, err := range blocks.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			e, err := load(tx, contact.ODID(row.Key))
			if err != nil {
				return err
			}
			c, err := s.assemble(tx, &e)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	})
	return list, err
}

// Count returns how many contacts are listed.
func (s *Service) Count() (n int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		n = 0
		for _, err := range contacts.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			n++
		}
		for row, err := range blocks.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			d, _, err := devices.Get(tx, row.Key)
			if err != nil {
				return err
			}
			if len(d.Contact) > 0 { // kept for the day it is unblocked
				n--
			}
		}
		return nil
	})
	return n, err
}
