package relation

import (
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// take applies what a peer said, in one transaction, and none if it is all known.
func (s *Service) take(peer contact.ODID, h heard) error {
	idle := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		idle = err == nil && !news(&e, h)
		return err
	})
	if err != nil || idle {
		return err
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error { return s.apply(tx, peer, h) })
	if err == nil && len(h.Addresses) > 0 {
		s.cfg.Addresses.Learn(peer, h.Addresses)
	}
	return err
}

// news reports whether anything in h would change the entry.
func news(e *entry, h heard) bool {
	switch {
	case h.mine != nil && contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) == contact.Fresh,
		h.yours != nil && h.yours.Seq > e.row.Marks.AckedSeq,
		h.yours != nil && contact.Outrun(e.row.Mine, e.row.Marks, *h.Yours, *h.yours),
		len(h.Addresses) > 0 && !slices.Equal(h.Addresses, e.row.Addresses):
		return true
	}
	return false
}

func (s *Service) apply(tx *store.Tx, peer contact.ODID, h heard) error {
	blocked, err := s.Blocked(tx, peer)
	if err != nil {
		return err
	}
	if err := s.dropOutrun(tx, peer, h); err != nil {
		return err
	}
	if h.mine != nil && h.mine.Pair != nil && !blocked {
		// Committing a staged pairing rewrites the row, so it comes first.
		if _, err := s.cfg.CommitStaged(tx, peer, *h.mine.Pair); err != nil {
			return err
		}
	}
	e, err := load(tx, peer)
	if err != nil {
		return err
	}
	if !e.known && h.yours == nil {
		// Staged, but by another pairing: still a stranger, unless it can show that
		// this device once said more than it remembers.
		return nil
	}
	before := e.view()
	if err := s.acknowledge(tx, &e, h); err != nil {
		return err
	}
	if h.mine != nil && contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) == contact.Fresh {
		e.row.Theirs, e.theirs = h.Mine, h.mine
		e.row.Marks.TheirsSeq = h.mine.Seq
		if e.mine != nil && e.mine.Pair != nil && h.mine.Pair != nil && *e.mine.Pair == *h.mine.Pair {
			e.row.Marks.OldPair = nil
		}
		if e.listed() && contact.HonourPart(*h.mine, e.row.Marks) && s.cfg.Policy().HonourPart {
			e.row.Marks.PartSeq = h.mine.Seq
			return s.drop(tx, &e, 0)
		}
	}
	if e.listed() && len(h.Addresses) > 0 {
		e.row.Addresses = h.Addresses
	}
	return s.settle(tx, &e, before)
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
	return s.issue(e, contact.TakeOver(s.next(e), *h.yours))
}
