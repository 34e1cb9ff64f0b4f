package message

import (
	"contactsd/contact"
	"contactsd/store"
)

// resume compares what the receiver holds with what was sent.
//
// If it holds more than this store ever sent, or another message under the same
// number, then this store is an older copy and went on beside what it has
// forgotten: a new epoch begins, and everything unacknowledged is sent in it;
// the receiver knows by id what it has already. Otherwise what it holds is
// acknowledged, and the rest is sent on from there.
func (s *Service) resume(tx *store.Tx, id contact.ODID, h have) error {
	self, err := booksOf(tx).device(tx)
	if err != nil {
		return err
	}
	peer, err := getAccount(tx, id)
	if err != nil {
		return err
	}
	peer.Since, peer.Next, peer.Trouble = 0, 0, ""
	held := position{h.Epoch, h.Seq}
	older := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
	if !older && h.Epoch == peer.Epoch {
		if older, err = diverged(tx, peer, h); err != nil {
			return err
		}
	}
	rows, err := assigned(tx, id)
	if err != nil {
		return err
	}
	if older {
		return renumber(tx, peer, rows, self.Epoch, h.Epoch)
	}
	if h.Epoch != peer.Epoch {
		return nil
	}
	var acked flight
	for _, row := range rows {
		if row.Value.Seq > h.Seq {
			continue
		}
		r, _, err := historyTable.Get(tx, row.Key)
		if err != nil {
			return err
		}
		acked.messages = append(acked.messages, item{orderOf(row.Key), r.ID})
	}
	return s.settle(tx, peer, []flight{acked})
}

// diverged reports whether the receiver has another message under a number
// than this device sent.
func diverged(tx *store.Tx, peer *account, h have) (bool, error) {
	if h.ID == (ID{}) {
		return false, nil
	}
	order, found, err := peer.numberedAt(tx, position{h.Epoch, h.Seq})
	if err != nil || !found {
		return false, err
	}
	r, found, err := historyTable.Get(tx, placeKey(peer.id, order))
	return found && r.ID != h.ID, err
}

// assigned returns the outbox rows that have a number. There are about two windows
// at most: one that was sent, and one that was numbered as it was queued.
func assigned(tx *store.Tx, id contact.ODID) ([]store.Row[pending], error) {
	var rows []store.Row[pending]
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return nil, err
		}
		if row.Value.Seq == 0 {
			break
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// renumber begins a new epoch for one peer and takes all numbers back. It is an
// epoch of the device's if that is new, else one for this peer alone, so that a
// peer which claims to hold what was never sent disturbs no other.
func renumber(tx *store.Tx, peer *account, rows []store.Row[pending], own, theirs Epoch) error {
	dropped := 0
	if len(rows) > 0 {
		// What is still in the outbox has the newest numbers.
		if err := peer.takeBack(tx, rows[0].Value.Seq); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if row.Value.Cancel {
			if err := finish(tx, place{Contact: peer.id, Order: orderOf(row.Key)}, Cancelled, noteUnsure); err != nil {
				return err
			}
			dropped++
			continue
		}
		row.Value.Seq = 0
		if err := outboxTable.Put(tx, row.Key, row.Value); err != nil {
			return err
		}
	}
	e := own
	if e.compare(peer.Epoch) <= 0 || e.compare(theirs) <= 0 {
		e = epochAfter(tx.Now(), peer.Epoch, theirs)
	}
	peer.Base, peer.Epoch, peer.Last, peer.Assigned = own, e, 0, 0
	peer.RunSeq, peer.RunOrder = 0, 0
	peer.tail = tailUnknown
	return booksOf(tx).queue(tx, peer, -dropped)
}
