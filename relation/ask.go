package relation

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/store"
)

// AskOptions are what a device is asked for.
type AskOptions struct {
	Permissions contact.Permissions
	Wording     string
	OneWay      bool // grant nothing of it in return
}

func (o AskOptions) check() error {
	if err := contact.CheckWording(o.Wording); err != nil {
		return err
	}
	return contact.CheckText("wording", o.Wording, contact.MaxWordingSize)
}

// repeats reports whether o says what ask says.
func (o AskOptions) repeats(ask *contact.Ask) bool {
	return ask != nil && ask.Permissions == o.Permissions && ask.Wording == o.Wording
}

// Ask asks a contact for permissions, in the place of an ask that is open; one for
// just the same stays as it is. Errors:
// ErrNotFound, ErrBlocked, ErrLocked, *contact.LimitError, *contact.InvalidError,
// *contact.CreditError.
func (s *Service) Ask(peer contact.ODID, opt AskOptions) (r Request, err error) {
	if err := opt.check(); err != nil {
		return Request{}, err
	}
	if opt.Permissions == contact.NoPermissions {
		return Request{}, &contact.InvalidError{Field: "permissions", Reason: "none named"}
	}
	err = s.update(peer, func(tx *store.Tx, e *entry) error {
		a, open, err := sentAsks.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if !open || !opt.repeats(e.mine.Ask) {
			if err := s.ask(tx, e, opt); err != nil {
				return err
			}
			if a, _, err = sentAsks.Get(tx, peer[:]); err != nil {
				return err
			}
		}
		r, err = sentRequest(tx, e, a)
		return err
	})
	return r, err
}

// ask issues the statement that asks the contact e, and settles it.
func (s *Service) ask(tx *store.Tx, e *entry, opt AskOptions) error {
	if has := e.view().Received; has.Has(opt.Permissions) {
		return &contact.InvalidError{Field: "permissions", Reason: fmt.Sprintf("it lets you have %s already", opt.Permissions)}
	}
	if err := s.charge(tx, e, e.asking()); err != nil {
		return err
	}
	before := e.view()
	st, err := s.propose(tx, e, s.next(e), opt)
	if err != nil {
		return err
	}
	st, _ = st.React(e.theirs, contact.NoPermissions)
	if err := s.issue(e, st); err != nil {
		return err
	}
	tx.OnCommit(func() { s.touch(e.peer) })
	return s.settle(tx, e, before)
}

// propose adds an ask to the next statement of e and notes it as sent. What an ask
// that it replaces had given is given no more.
func (s *Service) propose(tx *store.Tx, e *entry, st contact.Statement, opt AskOptions) (contact.Statement, error) {
	if until, err := s.cfg.Spam.LockedUntil(tx); err != nil || !until.IsZero() {
		return st, errors.Join(err, lockedUntil(until))
	}
	was, found, err := sentAsks.Get(tx, e.peer[:])
	if err != nil {
		return st, err
	}
	if found {
		st = st.Withdraw(was.Gave)
		if err := tellRequest(tx, contact.RequestCancelled, e.peer, was.id(), outgoing, ""); err != nil {
			return st, err
		}
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return st, err
	}
	tx.OnCommit(func() { s.minter.drop(e.peer) })
	had := st.Grants
	st = st.Propose(contact.Ask{ID: contact.AskID(id), Permissions: opt.Permissions, Wording: opt.Wording}, opt.OneWay)
	return st, sentAsks.Put(tx, e.peer[:], sentAsk{ID: contact.AskID(id), At: tx.Now().UnixMilli(), Gave: st.Grants &^ had})
}

// Cancel takes the open ask of a contact back, and what was granted with it.
// Errors: ErrNotFound, ErrBlocked, ErrRequest.
func (s *Service) Cancel(peer contact.ODID) error {
	return s.update(peer, func(tx *store.Tx, e *entry) error {
		a, found, err := sentAsks.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: nothing is asked of %s", ErrRequest, peer.Short())
		}
		before := e.view()
		if err := s.issue(e, s.next(e).Withdraw(a.Gave)); err != nil {
			return err
		}
		tx.OnCommit(func() { s.touch(peer) })
		return s.settle(tx, e, before)
	})
}

// Response is what the user makes of a request.
type Response uint8

const (
	Accept Response = 1 + iota
	Reject
	Block
	Report
)

// Answer is the user's answer to requests.
type Answer struct {
	Response Response
	// Only, if not empty, is what is given at most of what was asked for.
	Only contact.Permissions
	// Kind, if not 0, is the one kind of requests that is answered.
	Kind RequestKind
	// Of a report: say nothing to who asked, tell no paired contact, and show those
	// what was written.
	NoTell, NoShare, WithWording bool
}

// Answer answers the requests that items name, by id, by ODID or a start of it that
// no other request has, or by what a contact is called; all that wait if all. What is in quarantine can be
// reported as well, by its name. It is
// one transaction, with an error or nil for each item: one that can't be answered
// does not keep the others. Errors of items: ErrRequest, *AmbiguousError,
// *contact.LimitError, *contact.InvalidError.
func (s *Service) Answer(items []string, all bool, a Answer) (answered []string, failed []error, err error) {
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		answered, failed = nil, nil
		list, err := receivedAll(tx)
		if err == nil && a.Response == Report && !all {
			var held []Request
			held, err = received(tx, isHeld)
			list = append(list, held...)
		}
		if err != nil {
			return err
		}
		if a.Kind != 0 {
			list = slices.DeleteFunc(list, func(r Request) bool { return r.Kind != a.Kind })
		}
		named := nameRequests(list)
		if all {
			items = slices.Sorted(maps.Keys(named.byID)) // the oldest first
		}
		for _, item := range items {
			err := s.respondAll(tx, named, item, a)
			if err != nil && !refusedItem(err) {
				return err
			}
			answered, failed = append(answered, item), append(failed, err)
		}
		return nil
	})
	return answered, failed, err
}

// respondAll answers the requests that item names: of a device, or one by its id.
func (s *Service) respondAll(tx *store.Tx, named namedRequests, item string, a Answer) error {
	all, err := named.find(item)
	if err != nil {
		return err
	}
	if a.Response == Block {
		return s.block(tx, all[0].ODID)
	}
	if a.Response == Report {
		i := slices.IndexFunc(all, func(r Request) bool { return r.Kind == KindContact })
		if i < 0 {
			return &contact.InvalidError{Field: "request", Reason: "it is for your contact card alone, which can't be reported: use reject or block"}
		}
		return s.respond(tx, all[i].ODID, a)
	}
	for _, r := range all {
		respond := s.respond
		if r.Kind == KindCard {
			respond = s.respondCard
		}
		if err := respond(tx, r.ODID, a); err != nil {
			return err
		}
	}
	return nil
}

// respond answers the request of one device to be a contact, or to be allowed more.
func (s *Service) respond(tx *store.Tx, peer contact.ODID, a Answer) error {
	r, found, err := requests.Get(tx, peer[:])
	if err != nil {
		return err
	}
	if !found || r.Withdrawn {
		return fmt.Errorf("%w: %s", ErrRequest, peer.Short())
	}
	e, err := load(tx, peer)
	if err != nil {
		return err
	}
	before := e.view()
	switch a.Response {
	case Accept:
		give, err := a.part(e.theirs.Ask.Permissions)
		if err != nil {
			return err
		}
		if !e.listed() {
			if err := s.roomForUntrusted(tx); err != nil {
				return err
			}
		}
		if err := s.accept(tx, &e, r, give); err != nil {
			return err
		}
	case Reject:
		if err := s.issue(&e, s.next(&e).Respond(r.Digest, contact.Rejected, contact.NoPermissions)); err != nil {
			return err
		}
		e.rejectedNow(tx.Now())
	case Report:
		return s.report(tx, &e, r, a)
	}
	tx.OnCommit(func() { s.touch(peer) })
	return s.settle(tx, &e, before)
}

// part returns what accepting gives of what was asked for.
func (a Answer) part(asked contact.Permissions) (contact.Permissions, error) {
	switch give := asked & a.Only; {
	case a.Only == contact.NoPermissions:
		return asked, nil
	case a.Only != give:
		return 0, &contact.InvalidError{Field: "permissions", Reason: fmt.Sprintf("it asks for %s, not for %s", asked, a.Only&^asked)}
	default:
		return give, nil
	}
}
