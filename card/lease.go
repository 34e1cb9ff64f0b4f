package card

import (
	"errors"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// renewEvery is how often it is noted that this device is in touch with the owner of
// a card, and how often it is looked for leases that ended.
const renewEvery = time.Hour

// The events' word for a card that went since its lease ended.
const endedByLease = "lease"

// InTouch is told that this device and peer have just shown each other their newest
// statements, or that those changed. What may be held of the peer's card and is not is
// fetched, and the lease of what is held begins anew. It returns at once.
func (s *Service) InTouch(peer contact.ODID) {
	want, renew := false, false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		v, err := s.cfg.Relations.Of(tx, peer)
		if err != nil || !v.Granted {
			want = false
			return err
		}
		row, ok, err := helds.Get(tx, peer[:])
		want = !ok || row.Rev != v.Rev || row.over(tx.Now())
		renew = ok && !want && row.old(tx.Now())
		return err
	})
	switch {
	case err != nil:
		s.unread(peer, err)
	case want:
		s.wants.put(peer, time.Now())
	case renew:
		s.cfg.DB.Later(func(tx *store.Tx) error { return s.renew(tx, peer) }, func(err error) { s.unread(peer, err) })
	}
}

func (s *Service) unread(peer contact.ODID, err error) {
	if err != nil && !errors.Is(err, store.ErrClosed) {
		s.log.Error("card: what is held can't be read or written", "peer", peer.Short(), "err", err)
	}
}

// old reports whether it is worth writing that the two are in touch.
func (r heldRow) old(now time.Time) bool {
	return now.Sub(time.UnixMilli(r.Met)).Abs() >= renewEvery
}

// renew begins the lease of a card anew, if it is still granted.
func (s *Service) renew(tx *store.Tx, peer contact.ODID) error {
	v, err := s.cfg.Relations.Of(tx, peer)
	if err != nil || !v.Granted {
		return err
	}
	row, ok, err := helds.Get(tx, peer[:])
	if err != nil || !ok || row.over(tx.Now()) {
		return err
	}
	row.Met, row.Lease = tx.Now().UnixMilli(), uint64(v.Lease/time.Second)
	return helds.Put(tx, peer[:], row)
}

// checkLeases renews those of connected owners, and deletes the cards whose lease ended.
func (s *Service) checkLeases() error {
	if err := s.cfg.Relations.Forget(); err != nil {
		return err
	}
	connected := make(map[contact.ODID]bool)
	for _, peer := range s.cfg.Network.Connected() {
		connected[peer] = true
	}
	idle := true
	look := func(tx *store.Tx, f func(peer contact.ODID, row heldRow) error) error {
		var rows []store.Row[heldRow]
		for row, err := range helds.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.over(tx.Now()) || connected[contact.ODID(row.Key)] && row.Value.old(tx.Now()) {
				rows = append(rows, row)
			}
		}
		for _, row := range rows {
			if err := f(contact.ODID(row.Key), row.Value); err != nil {
				return err
			}
		}
		return nil
	}
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		return look(tx, func(contact.ODID, heldRow) error {
			idle = false
			return nil
		})
	})
	if err != nil || idle {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		return look(tx, func(peer contact.ODID, row heldRow) error {
			if !row.over(tx.Now()) {
				return s.renew(tx, peer)
			}
			if err := helds.Delete(tx, peer[:]); err != nil {
				return err
			}
			return tx.Emit(contact.Event{Type: contact.CardRevoked, At: tx.Now().UnixMilli(), Contact: peer, State: "out", Detail: endedByLease})
		})
	})
}
