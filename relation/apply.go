package relation

import (
	"errors"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// take applies what a peer said, in one transaction, and none if it is all known.
// It says what becomes of a request in it, and what is to be told of its stamps.
func (s *Service) take(peer contact.ODID, h heard) (t toll, is contact.Admission, err error) {
	if t, err = s.toll(peer, h); err != nil {
		return t, contact.Discard, err
	}
	is, err = s.hearContact(peer, h, t)
	if err != nil || is == contact.Postpone {
		s.desk.giveBack(t.payment)
	}
	return t, is, err
}

// hearContact is take for an ask with these stamps.
func (s *Service) hearContact(peer contact.ODID, h heard, t toll) (is contact.Admission, err error) {
	idle, leaps := false, false
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		leaps = h.mine != nil && contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) == contact.Leaping
		d, _, err := e.details(tx)
		idle = err == nil && !news(&e, d, h)
		return err
	})
	if leaps {
		s.log.Debug("relation: a statement numbered too far ahead is not taken", "peer", peer.Short(), "seq", h.mine.Seq)
	}
	if err != nil || idle {
		return contact.Discard, err
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) (err error) {
		is, err = s.apply(tx, peer, h, t)
		return err
	})
	if err == nil && len(h.Addresses) > 0 {
		s.cfg.Addresses.Learn(peer, h.Addresses)
	}
	return is, err
}

// news reports whether anything in h would change the entry.
func news(e *entry, d details, h heard) bool {
	_, asks := e.asksNow()
	_, asksCard := e.asksCardNow()
	switch {
	case h.mine != nil && contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) == contact.Fresh,
		h.yours != nil && h.yours.Seq > e.row.Marks.AckedSeq,
		h.yours != nil && contact.Outrun(e.row.Mine, e.row.Marks, *h.Yours, *h.yours),
		len(h.Addresses) > 0 && !slices.Equal(h.Addresses, e.row.Addresses),
		e.listed() && h.Name != "" && h.Name != d.Name,
		!e.remembers(h),
		h.mine != nil && (asks || asksCard) && !e.listed(): // it may have had no place, and now it has
		return true
	}
	return false
}

func (s *Service) apply(tx *store.Tx, peer contact.ODID, h heard, t toll) (is contact.Admission, err error) {
	blocked, err := s.Blocked(tx, peer)
	if err != nil {
		return is, err
	}
	if err := s.dropOutrun(tx, peer, h); err != nil {
		return is, err
	}
	if h.mine != nil && h.mine.Pair != nil && !blocked {
		// Committing a staged pairing rewrites the row, so it comes first.
		if _, err := s.cfg.CommitStaged(tx, peer, *h.mine.Pair); err != nil {
			return is, err
		}
	}
	e, err := load(tx, peer)
	if err != nil {
		return is, err
	}
	if !e.known && h.yours == nil {
		// Staged, but by another pairing: still a stranger, unless it can show that
		// this device once said more than it remembers.
		return is, nil
	}
	before := e.view()
	if err := s.acknowledge(tx, &e, h); err != nil {
		return is, err
	}
	parted, err := s.takeStatement(tx, &e, h)
	if err != nil || parted {
		return is, err
	}
	if is, err = s.hearAsks(tx, &e, h.Name, t); err != nil {
		return is, err
	}
	if e.listed() && len(h.Addresses) > 0 {
		e.row.Addresses = h.Addresses
	}
	if e.listed() && h.Name != "" {
		if err := s.describe(tx, &e, func(d *details) { d.Name = h.Name }); err != nil {
			return is, err
		}
	}
	if err := e.remember(h); err != nil {
		return is, err
	}
	return is, s.settle(tx, &e, before)
}

// takeStatement keeps what the peer says, if it is newer, and says what that calls
// for. parted is true if it asked both to part and this device did; then e is settled.
func (s *Service) takeStatement(tx *store.Tx, e *entry, h heard) (parted bool, err error) {
	if h.mine == nil || contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) != contact.Fresh {
		return false, nil
	}
	had := e.cards().Granted
	e.row.Theirs, e.theirs = h.Mine, h.mine
	e.row.Marks.TheirsSeq = h.mine.Seq
	if had && !e.cards().Granted {
		if err := tellRequest(tx, contact.CardRevoked, e.peer, "", outgoing, revokedByOwner); err != nil {
			return false, err
		}
	}
	if e.mine != nil && e.mine.Pair != nil && h.mine.Pair != nil && *e.mine.Pair == *h.mine.Pair {
		e.row.Marks.OldPair = nil
	}
	if e.listed() && contact.HonourPart(*h.mine, e.row.Marks) && s.cfg.Policy().HonourPart {
		e.row.Marks.PartSeq = h.mine.Seq
		return true, s.drop(tx, e, 0)
	}
	gave, err := s.trackSent(tx, e)
	if err != nil {
		return false, err
	}
	if err := s.trackCardSent(tx, e); err != nil {
		return false, err
	}
	st, ok := s.next(e).React(e.theirs, gave)
	if !ok {
		return false, nil
	}
	tx.OnCommit(func() { s.inbox.put(notice{e.peer, said}) })
	return false, s.issue(e, st)
}

// dropOutrun forgets what was staged before a removal that this device, restored
// from an older copy, does not remember. Committing it first would stand above
// the removal, since statements are numbered by the clock.
func (s *Service) dropOutrun(tx *store.Tx, peer contact.ODID, h heard) error {
	if h.yours == nil || h.yours.Listed {
		return nil
	}
	e, err := load(tx, peer)
	if err != nil || !contact.Outrun(e.row.Mine, e.row.Marks, *h.Yours, *h.yours) {
		return err
	}
	return s.cfg.DropStaged(tx, peer, time.UnixMilli(int64(h.yours.At)))
}

// acknowledge takes what the peer shows of this device's own statements: a
// confirmation, or proof that this device was restored from an older copy.
func (s *Service) acknowledge(tx *store.Tx, e *entry, h heard) error {
	if h.yours == nil {
		return nil
	}
	if !contact.Outrun(e.row.Mine, e.row.Marks, *h.Yours, *h.yours) {
		if h.yours.Seq == e.row.Marks.MineSeq {
			e.row.Marks.AckedSeq = h.yours.Seq
		}
		return nil
	}
	e.row.Marks.MineSeq = max(e.row.Marks.MineSeq, h.yours.Seq)
	tx.OnCommit(func() { s.touch(e.peer) })
	if e.listed() && !h.yours.Listed {
		if err := s.bury(tx, e); err != nil {
			return err
		}
	}
	st := contact.TakeOver(s.next(e), *h.yours)
	if err := errors.Join(s.askedBefore(tx, e.peer, st), cardAskedBefore(tx, e.peer, st)); err != nil {
		return err
	}
	return s.issue(e, st)
}
