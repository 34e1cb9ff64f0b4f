package relation

import (
	"contactsd/contact"
	"contactsd/store"
)

// paireds has an empty row for each paired contact, keyed by ODID. It says again
// what the statements say, so that they are counted without reading all devices.
var paireds = store.NewTable[struct{}]("relation/paired", 1)

// Paired returns how many paired contacts there are.
func (s *Service) Paired(tx *store.Tx) (int, error) {
	t, _, err := totals.Get(tx, totalsKey())
	return int(t.Paired), err
}

// Untrusted returns how many contacts are not paired, and how many may be.
func (s *Service) Untrusted() (n, limit int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		n, limit, err = s.untrusted(tx)
		return err
	})
	return n, limit, err
}

func (s *Service) untrusted(tx *store.Tx) (n, limit int, err error) {
	t, _, err := totals.Get(tx, totalsKey())
	return int(t.Contacts - t.Paired), s.cfg.Policy().UntrustedCap(contact.StandingOf(int(t.Paired))), err
}

// roomForUntrusted returns a *contact.LimitError if another untrusted contact would
// be one too many.
func (s *Service) roomForUntrusted(tx *store.Tx) error {
	n, limit, err := s.untrusted(tx)
	if err != nil || n < limit {
		return err
	}
	return &contact.LimitError{Field: "list", Got: n + 1, Limit: limit, Unit: "untrusted contacts"}
}

// countPaired keeps count of e, whose statements may have changed.
func (e *entry) countPaired(tx *store.Tx) error {
	_, was, err := paireds.Get(tx, e.peer[:])
	is := e.view().Trust >= contact.Paired
	if err != nil || was == is {
		return err
	}
	t, _, err := totals.Get(tx, totalsKey())
	if err != nil {
		return err
	}
	if is {
		t.Paired++
		err = paireds.Put(tx, e.peer[:], struct{}{})
	} else {
		t.Paired--
		err = paireds.Delete(tx, e.peer[:])
	}
	if err != nil {
		return err
	}
	return totals.Put(tx, totalsKey(), t)
}

// charge pays for an act towards e's device. Towards a paired contact, asks are free.
func (s *Service) charge(tx *store.Tx, e *entry, a contact.Act) error {
	if a.Waits() && e.view().Trust >= contact.Paired {
		return nil
	}
	return s.cfg.Charge(tx, a, e.peer)
}

// asking is the act of asking e's device for something.
func (e *entry) asking() contact.Act {
	if e.theirs != nil && e.theirs.Listed {
		return contact.ActWiden
	}
	return contact.ActAsk
}
