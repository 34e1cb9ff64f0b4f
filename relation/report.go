package relation

import (
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Spam is the part of the device that keeps reports. Its calls are part of the
// transaction that they are given.
type Spam interface {
	// Accused reports whether enough paired contacts reported peer after a time.
	Accused(tx *store.Tx, peer contact.ODID, after time.Time) (bool, error)
	// Report keeps the user's report on peer and, with share, tells paired contacts.
	Report(tx *store.Tx, peer contact.ODID, e contact.Evidence, share bool) error
	// Withdraw takes the user's report on peer back, if there is one.
	Withdraw(tx *store.Tx, peer contact.ODID) error
	// Rebuked is told that peer answered an ask of this device by reporting it.
	Rebuked(tx *store.Tx, peer contact.ODID) error
	// LockedUntil returns until when this device asks nothing, zero if it may.
	LockedUntil(tx *store.Tx) (time.Time, error)
}

// noSpam is a device that reports nothing.
type noSpam struct{}

func (noSpam) Accused(*store.Tx, contact.ODID, time.Time) (bool, error)     { return false, nil }
func (noSpam) Report(*store.Tx, contact.ODID, contact.Evidence, bool) error { return nil }
func (noSpam) Withdraw(*store.Tx, contact.ODID) error                       { return nil }
func (noSpam) Rebuked(*store.Tx, contact.ODID) error                        { return nil }
func (noSpam) LockedUntil(*store.Tx) (t time.Time, err error)               { return t, err }

// lockedUntil is the error of an ask while asks are locked, nil if they are not.
func lockedUntil(until time.Time) error {
	if until.IsZero() {
		return nil
	}
	return fmt.Errorf("%w until %s: three devices reported what you asked", ErrLocked, until.UTC().Format("2006-01-02 15:04 MST"))
}

// report deletes the request r of e's device as spam: it blocks the device, keeps the
// evidence, and tells of it what a says.
func (s *Service) report(tx *store.Tx, e *entry, r request, a Answer) error {
	ev, err := evidence(e, r, tx.Now())
	if err != nil {
		return err
	}
	if a.WithWording {
		shown := *e.theirs.Ask
		shown.Proof = nil
		ev.Shown = &shown
	}
	before, st := e.view(), s.next(e).Unlist(0)
	if a.NoTell {
		e.refuse()
	} else {
		st = st.Respond(r.Digest, contact.Reported, contact.NoPermissions)
	}
	tell := !a.NoTell || e.listed()
	e.row.Marks.Reported = true
	if err := s.shut(tx, e, before, st, tell); err != nil {
		return err
	}
	return s.cfg.Spam.Report(tx, e.peer, ev, !a.NoShare)
}

// evidence returns what proves the request. Errors: *contact.InvalidError for one that
// can't be reported.
func evidence(e *entry, r request, now time.Time) (ev contact.Evidence, err error) {
	ask := e.theirs.Ask
	seen := time.UnixMilli(r.At)
	switch age := now.Sub(seen); {
	case len(ask.Proof) == 0:
		return ev, &contact.InvalidError{Field: "request", Reason: "a program that is too old made it, so that it proves nothing: use block"}
	case age > contact.MaxEvidenceAge:
		return ev, &contact.InvalidError{Field: "request", Reason: fmt.Sprintf("heard %d days ago, which proves nothing after 30: use block", int(age.Hours()/24))}
	}
	return contact.Evidence{Ask: r.Digest, Proof: ask.Proof, Seen: uint64(max(min(r.At, now.UnixMilli()), 0))}, nil
}
