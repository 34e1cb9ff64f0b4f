package relation

import (
	"fmt"

	"contactsd/contact"
	"contactsd/store"
)

// Pairing is what a finished pairing hands over.
type Pairing struct {
	Peer  contact.ODID
	Name  string // the peer's, at most 64 bytes
	ID    contact.PairID
	Allow contact.Permissions // granted beside the defaults, as the user chose
}

// CommitPairing lists the peer as paired, in tx: a new contact, a removed one
// that comes back, or one known by its ODID that keeps its remark and all else.
// Permissions that the user chose explicitly stay, defaults become pairing's.
// It returns ErrBlocked for a blocked peer: a pairing never unblocks.
func (s *Service) CommitPairing(tx *store.Tx, p Pairing) error {
	e, err := load(tx, p.Peer)
	if err != nil {
		return err
	}
	if e.blocked() {
		return fmt.Errorf("pair with %s: %w", p.Peer.Short(), ErrBlocked)
	}
	before := e.view()
	d, was, err := e.details(tx)
	if err != nil {
		return err
	}
	grants := contact.PairedDefault | p.Allow
	switch {
	case !was || !e.listed():
	case d.Chosen:
		grants = e.mine.Grants | p.Allow
	default:
		grants |= e.mine.Grants // an accepted request may have given more
	}
	if e.mine != nil && e.mine.Pair != nil && *e.mine.Pair != p.ID {
		e.row.Marks.OldPair = e.mine.Pair
	}
	if err := s.issue(&e, e.meet(s.next(&e).PairBy(p.ID, grants))); err != nil {
		return err
	}
	if was {
		e.row.Marks.AddedSeq = e.mine.Seq
		err = s.describe(tx, &e, func(d *details) {
			if p.Name != "" {
				d.Name = p.Name
			}
			d.Chosen = d.Chosen || p.Allow != 0
		})
	} else {
		err = s.enlist(tx, &e, details{Name: p.Name, Source: SourcePairing, Chosen: p.Allow != 0})
	}
	if err != nil {
		return err
	}
	tx.OnCommit(func() { s.inbox.put(notice{p.Peer, paired}) })
	return s.settle(tx, &e, before)
}
