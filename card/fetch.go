package card

import (
	"context"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// fetchTimeout bounds one question to an owner.
const fetchTimeout = 10 * time.Second

// fetch asks a connected owner for the card that this device may have, and keeps it.
// Nobody is dialled for it: the two exchange statements when they meet.
func (s *Service) fetch(ctx context.Context, peer contact.ODID) error {
	rev, due, err := s.due(peer)
	if err != nil || !due || !s.connected(peer) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	c, err := s.ask(ctx, peer, rev)
	if err != nil {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error { return s.keep(tx, peer, c) })
}

// due returns the revision that is granted, and whether it is to be fetched.
func (s *Service) due(peer contact.ODID) (rev uint64, due bool, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		v, err := s.cfg.Relations.Of(tx, peer)
		if err != nil {
			return err
		}
		row, ok, err := helds.Get(tx, peer[:])
		rev, due = v.Rev, v.Granted && (!ok || row.Rev != v.Rev || row.over(tx.Now()))
		return err
	})
	return rev, due, err
}

// ask asks an owner for its card on a stream of its own.
func (s *Service) ask(ctx context.Context, peer contact.ODID, rev uint64) (Card, error) {
	st, err := s.cfg.Network.Open(ctx, peer, Protocol)
	if err != nil {
		return Card{}, err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	c, err := converse(st, rev)
	if err != nil {
		_ = st.Reset()
	}
	return c, err
}

func converse(st transport.Stream, rev uint64) (Card, error) {
	if err := transport.WriteFrame(st, request{Rev: rev}, maxRequest); err != nil {
		return Card{}, err
	}
	var a answer
	if err := transport.NewFrameReader(st, maxAnswer).Read(&a); err != nil {
		return Card{}, err
	}
	return a.card(rev)
}

// keep keeps a card that was fetched, unless the right to it ended meanwhile.
func (s *Service) keep(tx *store.Tx, peer contact.ODID, c Card) error {
	ok, err := s.cfg.Relations.Hold(tx, peer, c.Rev)
	if err != nil || !ok {
		return err
	}
	v, err := s.cfg.Relations.Of(tx, peer)
	if err != nil {
		return err
	}
	was, had, err := helds.Get(tx, peer[:])
	if err != nil {
		return err
	}
	now := tx.Now().UnixMilli()
	row := heldRow{
		Rev: c.Rev, Phone: c.Phone, Email: c.Email, Address: c.Address, Notes: c.Notes,
		Since: now, Met: now, Lease: uint64(v.Lease / time.Second),
	}
	if had && !was.over(tx.Now()) {
		row.Since = was.Since
	}
	if err := helds.Put(tx, peer[:], row); err != nil {
		return err
	}
	before := was.card()
	if before.Rev = c.Rev; had && before == c {
		return nil
	}
	return tx.Emit(contact.Event{Type: contact.CardChanged, At: now, Contact: peer})
}
