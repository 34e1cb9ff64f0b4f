package relation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/store"
)

// Cards is what this device and others say of contact cards: who asked whom, who may
// have whose. The cards themselves are another feature's.
type Cards struct{ s *Service }

// Cards returns that part of the service.
func (s *Service) Cards() Cards { return Cards{s} }

// Of returns where this device and peer stand about their cards.
func (c Cards) Of(tx *store.Tx, peer contact.ODID) (contact.CardView, error) {
	e, err := load(tx, peer)
	return e.cards(), err
}

// Ask asks a contact for its card, in the place of an ask that is open; one in the
// same words stays as it is. A contact that does not list this device is asked to be one
// as well. Errors: ErrNotFound, ErrBlocked, ErrHasCard,
// *contact.LimitError, *contact.InvalidError.
func (c Cards) Ask(peer contact.ODID, wording string) (r Request, err error) {
	if err := contact.CheckWording(wording); err != nil {
		return Request{}, err
	}
	err = c.s.update(peer, func(tx *store.Tx, e *entry) error {
		if e.cards().Granted {
			return fmt.Errorf("%w: %s", ErrHasCard, peer.Short())
		}
		a, open, err := sentCardAsks.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if !open || e.mine.CardAsk == nil || e.mine.CardAsk.Wording != wording {
			if a, err = c.ask(tx, e, wording); err != nil {
				return err
			}
		}
		r, err = sentCardRequest(tx, e, a)
		return err
	})
	return r, err
}

// ask issues the statement that asks e's device for its card, and settles it.
func (c Cards) ask(tx *store.Tx, e *entry, wording string) (a sentCardAsk, err error) {
	st, err := c.beside(tx, e, wording)
	if err != nil {
		return a, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return a, err
	}
	before := e.view()
	st = st.AskCard(contact.CardAsk{ID: contact.AskID(id), Wording: wording})
	if err := c.s.issue(e, st); err != nil {
		return a, err
	}
	if err := c.s.trackCardSent(tx, e); err != nil { // the one that it replaces
		return a, err
	}
	a = sentCardAsk{ID: contact.AskID(id), At: tx.Now().UnixMilli()}
	if err := sentCardAsks.Put(tx, e.peer[:], a); err != nil {
		return a, err
	}
	tx.OnCommit(func() { c.s.touch(e.peer) })
	return a, c.s.settle(tx, e, before)
}

// beside begins the statement that asks e's device for its card. One that does not list
// this device is asked to be a contact as well, unless it was and has not answered: it
// takes no other requests of strangers. It is granted nothing by that.
func (c Cards) beside(tx *store.Tx, e *entry, wording string) (contact.Statement, error) {
	st := c.s.next(e)
	_, open, err := sentAsks.Get(tx, e.peer[:])
	if err != nil || open || e.mutual() {
		return st, err
	}
	if err := c.s.charge(tx, e, e.asking()); err != nil {
		return st, err
	}
	return c.s.propose(tx, e, st, AskOptions{Permissions: contact.AddedDefault, Wording: wording, OneWay: true})
}

// mutual reports whether the two list each other: between such, asks for the card are
// free.
func (e *entry) mutual() bool { return e.listed() && e.theirs != nil && e.theirs.Listed }

// Cancel takes the open ask for a contact's card back. Errors: ErrNotFound,
// ErrBlocked, ErrRequest.
func (c Cards) Cancel(peer contact.ODID) error {
	return c.s.update(peer, func(tx *store.Tx, e *entry) error {
		_, found, err := sentCardAsks.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: %s is not asked for its card", ErrRequest, peer.Short())
		}
		return c.say(tx, e, c.s.next(e).WithdrawCardAsk())
	})
}

// Revoke shares this device's card with a contact no more, at once here; the contact's
// device is told when it can be reached. Errors: ErrNotFound, ErrBlocked, ErrNoGrant.
func (c Cards) Revoke(peer contact.ODID) error {
	return c.s.update(peer, func(tx *store.Tx, e *entry) error {
		if !e.cards().Given {
			return fmt.Errorf("%w: %s", ErrNoGrant, peer.Short())
		}
		return c.say(tx, e, c.s.next(e).RevokeCard())
	})
}

// say issues st about e's device, settles it, and has it told.
func (c Cards) say(tx *store.Tx, e *entry, st contact.Statement) error {
	before := e.view()
	if err := c.s.issue(e, st); err != nil {
		return err
	}
	tx.OnCommit(func() { c.s.touch(e.peer) })
	return c.s.settle(tx, e, before)
}

// Hold says to peer that revision rev of its card is kept here, in the transaction
// that keeps it; ok is false if it may not be kept, and then nothing is said.
func (c Cards) Hold(tx *store.Tx, peer contact.ODID, rev uint64) (ok bool, err error) {
	e, err := load(tx, peer)
	if err != nil || !e.cards().Granted {
		return false, err
	}
	if is := (contact.CardState{Rev: rev, Held: true}); e.mine.CardState != nil && *e.mine.CardState == is {
		return true, nil
	}
	return true, c.say(tx, &e, c.s.next(&e).HoldCard(rev))
}

// Show tells all with whom the card is shared which revision it has now.
func (c Cards) Show() error {
	var peers []contact.ODID
	err := c.s.cfg.DB.View(func(tx *store.Tx) error {
		peers = nil
		for row, err := range cardGrants.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.Revoked == 0 {
				peers = append(peers, contact.ODID(row.Key))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.s.inParts(len(peers), func(tx *store.Tx, i int) error {
		e, err := load(tx, peers[i])
		if err != nil || !e.cards().Given {
			return err
		}
		rev, err := c.s.cfg.CardRev(tx)
		if err != nil || e.mine.Card.Rev == rev {
			return err
		}
		return c.say(tx, &e, c.s.next(&e).ShowCard(rev))
	})
}

// GrantState is how far a grant of the card, or its end, has come.
type GrantState string

const (
	GrantGiven       GrantState = "given"       // the contact may fetch it and has not yet
	GrantHeld        GrantState = "held"        // it has it, as it says
	GrantAsked       GrantState = "asked"       // revoked: it is asked to delete it
	GrantUnreachable GrantState = "unreachable" // revoked, and it could not be told yet
	GrantConfirmed   GrantState = "confirmed"   // revoked: it has no copy, as it says
)

// Grant is a device that may have this device's card, or might until lately.
type Grant struct {
	ODID     contact.ODID
	Title    string
	State    GrantState
	Since    time.Time
	Revoked  time.Time // zero while it is given
	HiddenBy time.Time // when a device that keeps the rules hides it at the latest, if it was not told
}

// Grants returns who may have this device's card, the latest first, and from whom it
// was taken back within the time in which a device that was not told keeps it.
func (c Cards) Grants() (list []Grant, err error) {
	err = c.s.cfg.DB.View(func(tx *store.Tx) error {
		list = nil
		for row, err := range cardGrants.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.over(tx.Now()) {
				continue
			}
			e, err := load(tx, contact.ODID(row.Key))
			if err != nil {
				return err
			}
			g := Grant{ODID: e.peer, Since: time.UnixMilli(row.Value.Since), State: e.grantState(row.Value)}
			if row.Value.Revoked != 0 {
				g.Revoked = time.UnixMilli(row.Value.Revoked)
			}
			if g.State == GrantUnreachable {
				g.HiddenBy = g.Revoked.Add(contact.CardLease)
			}
			if g.Title, err = title(tx, &e); err != nil {
				return err
			}
			list = append(list, g)
		}
		return nil
	})
	connected := c.s.cfg.Network.Connected()
	for i, g := range list {
		if g.State == GrantUnreachable && slices.Contains(connected, g.ODID) && c.s.keeper.outlook(g.ODID).Failed == 0 {
			list[i].State, list[i].HiddenBy = GrantAsked, time.Time{} // it is being told
		}
	}
	slices.SortFunc(list, func(a, b Grant) int {
		return cmp.Or(b.Since.Compare(a.Since), slices.Compare(a.ODID[:], b.ODID[:]))
	})
	return list, err
}

// over reports whether nobody who keeps the rules has the card any more.
func (g cardGrant) over(now time.Time) bool {
	return g.Revoked != 0 && now.Sub(time.UnixMilli(g.Revoked)).Abs() >= contact.CardLease
}

// grantState is how far a grant has come. A device that was not told yet counts as
// unreachable.
func (e *entry) grantState(g cardGrant) GrantState {
	switch v := e.cards(); {
	case v.There:
		return GrantHeld
	case v.Given:
		return GrantGiven
	case g.Confirmed:
		return GrantConfirmed
	case !contact.Unacknowledged(e.mine, e.row.Marks):
		return GrantAsked
	}
	return GrantUnreachable
}

// Forget deletes what is kept of grants that ended so long ago that nobody has the
// card any more.
func (c Cards) Forget() error {
	return c.s.cfg.DB.Update(func(tx *store.Tx) error {
		var old []contact.ODID
		for row, err := range cardGrants.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.over(tx.Now()) {
				old = append(old, contact.ODID(row.Key))
			}
		}
		for _, peer := range old {
			if err := cardGrants.Delete(tx, peer[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// acceptCard shares the card with the device that asked for it by r, and lists it if
// it is not listed. The caller settles e.
func (s *Service) acceptCard(tx *store.Tx, e *entry, r request) error {
	listed, wording := e.listed(), e.theirs.CardAsk.Wording
	if !listed {
		if err := s.roomForUntrusted(tx); err != nil {
			return err
		}
	}
	rev, err := s.cfg.CardRev(tx)
	if err != nil {
		return err
	}
	if err := s.issue(e, e.meet(s.next(e).GiveCard(r.Digest, rev))); err != nil || listed {
		return err
	}
	tx.OnCommit(func() { s.cfg.Addresses.Learn(e.peer, e.row.Addresses) })
	return s.enlist(tx, e, details{Name: r.Name, Source: SourceRequest, Wording: wording, Chosen: true})
}
