package message

import (
	"contactsd/contact"
	"contactsd/store"
)

// acknowledge settles what was acknowledged, with the next commit. It tells an
// error to done.
func (s *Service) acknowledge(id contact.ODID, acked []flight, done func(error)) {
	s.db.Later(func(tx *store.Tx) error {
		peer, err := getAccount(tx, id)
		if err != nil {
			return err
		}
		return s.settle(tx, peer, acked)
	}, done)
}

// settle gives what was acknowledged its last state. Frames that were sent
// again from the history have nothing to settle.
func (s *Service) settle(tx *store.Tx, peer *account, acked []flight) error {
	n, delivered, last := 0, uint64(0), uint64(0)
	for _, f := range acked {
		for _, m := range f.messages {
			key := placeKey(peer.id, m.order)
			p, waits, err := outboxTable.Get(tx, key)
			if err != nil {
				return err
			}
			if !waits {
				continue
			}
			n++
			if p.Skipped {
				err = finish(tx, place{Contact: peer.id, Order: m.order}, Cancelled, "")
			} else {
				delivered++
				last = max(last, m.order)
				err = outboxTable.Delete(tx, key)
				if err == nil && m.id != (ID{}) { // zero if the history has lost it
					err = emit(tx, contact.MessageState, peer.id, m.id, Delivered)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	if n == 0 {
		return nil
	}
	if last != 0 {
		if err := deliveredTable.Put(tx, placeKey(peer.id, last), millis(tx.Now())); err != nil {
			return err
		}
	}
	tx.OnCommit(func() { s.traffic.delivered.Add(delivered) })
	peer.Attempts = 0
	return booksOf(tx).queue(tx, peer, -n)
}
