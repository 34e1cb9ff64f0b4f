package relation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// AddOptions are the choices of an explicit add.
type AddOptions struct {
	Remark    string
	OneWay    bool                // grant nothing
	Addresses []transport.Address // where the user says it is
	Source    Source              // odid if empty, profile, conversation or import
	App       string              // keyword of the application that adds it, may be empty
	Wording   string              // with one, the device is asked for Ask; without, for nothing
	Ask       contact.Permissions // messages if none is named
}

// asks returns what the options ask for; ok is false if that is nothing.
func (o AddOptions) asks() (a AskOptions, ok bool) {
	a = AskOptions{Permissions: cmp.Or(o.Ask, contact.AddedDefault), Wording: o.Wording, OneWay: o.OneWay}
	return a, o.Wording != "" || o.Ask != contact.NoPermissions
}

// Addition is one of several adds.
type Addition struct {
	Peer contact.ODID
	AddOptions
}

// Check returns what can be said against an add before it is looked at who the
// peer is: ErrSelf, *contact.LimitError or *contact.InvalidError.
func (s *Service) Check(a Addition) error {
	if a.Peer == s.self {
		return fmt.Errorf("add: %w", ErrSelf)
	}
	if err := contact.CheckText("remark", a.Remark, contact.MaxRemarkSize); err != nil {
		return err
	}
	if err := contact.CheckApp(a.App); err != nil {
		return err
	}
	if a.Source != "" && !slices.Contains([]Source{SourceODID, SourceProfile, SourceConversation, SourceImport}, a.Source) {
		return &contact.InvalidError{Field: "source", Reason: "unknown: use odid, profile, conversation or import"}
	}
	if ask, asks := a.asks(); asks {
		return ask.check()
	}
	return nil
}

// Add lists a device by its ODID, at once and locally: untrusted until a pairing.
// It clears a tombstone, unless it is an import, and accepts what the device asks
// for of what is granted. With a wording the device is asked. created is false if
// the contact was there already; then only a given remark and app change, and it is
// asked unless it was asked just that. Errors: ErrSelf, ErrBlocked, ErrRemoved,
// *contact.LimitError, *contact.InvalidError, *contact.CreditError.
func (s *Service) Add(peer contact.ODID, opt AddOptions) (c Contact, created bool, err error) {
	a := Addition{peer, opt}
	if err := s.Check(a); err != nil {
		return Contact{}, false, err
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		if created, err = s.add(tx, &e, a); err != nil {
			return err
		}
		c, err = s.assemble(tx, &e)
		return err
	})
	return c, created, err
}

// AddAll is Add for many. errs has what Add would have returned for each: one
// that can't be added does not keep the others. err says what kept the rest, from
// the first nil in errs that was not added on; adding all again does no harm.
func (s *Service) AddAll(list []Addition) (errs []error, err error) {
	errs = make([]error, len(list))
	err = s.inParts(len(list), func(tx *store.Tx, i int) error {
		if errs[i] = s.Check(list[i]); errs[i] != nil {
			return nil
		}
		e, err := load(tx, list[i].Peer)
		if err != nil {
			return err
		}
		if _, err = s.add(tx, &e, list[i]); refused(err) {
			errs[i], err = err, nil
		}
		return err
	})
	return errs, err
}

// part is how much of a batch is one transaction, so that others can write between.
const part = 64

// inParts calls f with 0 to n-1, several in one transaction.
func (s *Service) inParts(n int, f func(tx *store.Tx, i int) error) error {
	for from := 0; from < n; from += part {
		err := s.cfg.DB.Update(func(tx *store.Tx) error {
			for i := from; i < min(from+part, n); i++ {
				if err := f(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refused reports whether err is one that a call returns before it wrote anything.
func refused(err error) bool {
	var limit *contact.LimitError
	var invalid *contact.InvalidError
	var credit *contact.CreditError
	for _, known := range []error{ErrSelf, ErrBlocked, ErrNotFound, ErrRemoved, ErrNoGroup, ErrLocked} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &limit) || errors.As(err, &invalid) || errors.As(err, &credit)
}

// add is Add in a transaction. It writes nothing if it returns an error that
// refused knows.
func (s *Service) add(tx *store.Tx, e *entry, a Addition) (created bool, err error) {
	switch {
	case e.blocked():
		return false, fmt.Errorf("add %s: %w", e.peer.Short(), ErrBlocked)
	case e.row.Marks.Removed && a.Source == SourceImport:
		return false, fmt.Errorf("add %s: %w", e.peer.Short(), ErrRemoved)
	case e.listed():
		if ask, asks := a.asks(); asks && !ask.repeats(e.mine.Ask) {
			if err := s.ask(tx, e, ask); err != nil {
				return false, err
			}
		}
		return false, s.describe(tx, e, func(d *details) {
			d.Remark, d.App = cmp.Or(a.Remark, d.Remark), cmp.Or(a.App, d.App)
		})
	}
	if err := s.roomForUntrusted(tx); err != nil {
		return false, err
	}
	ask, asks := a.asks()
	if asks {
		if err := s.charge(tx, e, e.asking()); err != nil {
			return false, err
		}
	}
	before := e.view()
	grants := contact.AddedDefault
	if a.OneWay {
		grants = contact.NoPermissions
	}
	if len(a.Addresses) > 0 {
		e.row.Addresses = a.Addresses
	}
	st := s.next(e).List(grants)
	if asks {
		if st, err = s.propose(tx, e, st, ask); err != nil {
			return false, err
		}
	}
	if err := s.issue(e, e.meet(st)); err != nil {
		return false, err
	}
	r, _, err := requests.Get(tx, e.peer[:])
	if err != nil {
		return false, err
	}
	d := details{Name: r.Name, Remark: a.Remark, Source: cmp.Or(a.Source, SourceODID), App: a.App, Chosen: a.OneWay}
	if err := s.enlist(tx, e, d); err != nil {
		return false, err
	}
	if err := s.settle(tx, e, before); err != nil {
		return false, err
	}
	peer, at := e.peer, e.row.Addresses
	tx.OnCommit(func() {
		s.cfg.Addresses.Learn(peer, at)
		s.touch(peer)
	})
	return true, nil
}
