package relation

import (
	"fmt"

	"contactsd/contact"
	"contactsd/store"
)

// What this device owes for its own asks: who is asked says so with a challenge, and
// gives a receipt once it has the stamps.

// maxOrders is how often stamps are made for one ask without a receipt. More than some
// are needed only if the other device is away each time, or has this one work for nothing.
const maxOrders = 10

// show adds to f what tells the device of e about the stamps of the ask that is open.
func (s *Service) show(tx *store.Tx, e *entry, f *saying) error {
	a, open, err := s.openAsk(tx, e)
	if err != nil || !open {
		return err
	}
	if f.Receipt = a.Receipt; f.Receipt != nil {
		return nil
	}
	f.calm = f.calm && !a.Owes // what is owed is news
	d, err := e.mine.Ask.Digest()
	f.Stamps = s.minter.proof(e.peer, d)
	return err
}

// openAsk returns what is asked of e's device and was not answered.
func (s *Service) openAsk(tx *store.Tx, e *entry) (a sentAsk, open bool, err error) {
	a, open, err = sentAsks.Get(tx, e.peer[:])
	return a, open && e.mine != nil && e.mine.Ask != nil && e.mine.Ask.ID == a.ID, err
}

// owe takes what peer said of the stamps of this device's ask, in answer to shown.
// owed reports that it wants some, which are made now. The error says why none are.
func (s *Service) owe(peer contact.ODID, shown, in frame) (owed bool, err error) {
	switch {
	case in.Challenge != nil:
		if err := in.Challenge.Check(); err != nil {
			return false, err
		}
	case in.Receipt == nil && (shown.Mine == nil || in.Later):
		return false, nil // it says nothing of the ask
	}
	var d debt
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		d, err = s.debt(tx, peer, shown, in)
		return err
	})
	if err == nil && d.changed {
		err = s.cfg.DB.Update(func(tx *store.Tx) (err error) {
			if d, err = s.debt(tx, peer, shown, in); err != nil || !d.changed {
				return err
			}
			return sentAsks.Put(tx, peer[:], d.row)
		})
	}
	if err != nil {
		return false, err
	}
	if !d.owed {
		if d.changed { // they were taken
			s.minter.drop(peer)
		}
		return false, nil
	}
	s.minter.order(peer, d.ask, *in.Challenge, shown.Stamps != nil)
	return true, nil
}

// debt is how it stands with the stamps of an open ask, once it was heard what its
// device says of them.
type debt struct {
	ask     contact.Digest
	row     sentAsk
	changed bool // the row is to be written
	owed    bool
}

func (s *Service) debt(tx *store.Tx, peer contact.ODID, shown, in frame) (d debt, err error) {
	e, err := load(tx, peer)
	if err != nil {
		return d, err
	}
	a, open, err := s.openAsk(tx, &e)
	if err != nil || !open {
		return d, err
	}
	if d.ask, err = e.mine.Ask.Digest(); err != nil {
		return d, err
	}
	d.row = a
	switch {
	case in.Challenge == nil && in.Receipt == nil: // it wants none, now
		d.changed, d.row.Owes = a.Owes, false
	case in.Challenge == nil:
		d.changed = a.Receipt == nil || *a.Receipt != *in.Receipt
		d.row.Receipt, d.row.Owes, d.row.Ordered = in.Receipt, false, 0
	case s.minter.busy(peer, d.ask, shown.Stamps != nil):
		d.owed = true
	case a.Ordered >= maxOrders:
		return d, fmt.Errorf("it wants stamps again, after %d times: %w", a.Ordered, ErrLater)
	default:
		d.owed, d.changed = true, true
		d.row.Receipt, d.row.Owes = nil, true
		d.row.Ordered++
	}
	return d, nil
}
