package message

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The window: what may be under way unacknowledged to one contact. A batch of
// the receiver is no larger.
const (
	windowFrames = 1024
	windowBytes  = 1 << 20
)

// flight is a frame that was sent and is not acknowledged.
type flight struct {
	last     position
	size     int
	messages []item // that it settles
}

// item is a message of the outbox.
type item struct {
	order uint64
	id    ID
}

// cargo is what one step of a delivery found to send.
type cargo struct {
	frames  []frame
	flights []flight
	size    int
	pos     position // after the last frame
	more    bool     // the window ended it, not the queue
	held    bool     // the contact does not take messages
}

// step takes the receiver's hello, if one came, and what comes next, up to the
// free part of the window.
type step struct {
	hello  *have
	pos    position // of the last frame that was sent
	frames int      // free
	bytes  int
}

// step returns what to send. Numbers it gives out are durable when it returns, and
// so is what it read: a View could see a commit that is not synced yet.
func (s *Service) step(id contact.ODID, in step) (c cargo, err error) {
	err = s.db.Update(func(tx *store.Tx) error {
		c = cargo{pos: in.pos}
		if in.hello != nil {
			if err := s.resume(tx, id, *in.hello); err != nil {
				return err
			}
			c.pos = position{in.hello.Epoch, in.hello.Seq}
		}
		peer, err := getAccount(tx, id)
		if err != nil {
			return err
		}
		v, known, err := s.relation(tx, id)
		if c.held = !known || !open(v); c.held || err != nil {
			return err
		}
		l := loader{tx: tx, peer: peer, in: in, out: &c}
		return l.load()
	})
	return c, err
}

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
	fresh := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
	if !fresh && h.Epoch == peer.Epoch {
		if fresh, err = diverged(tx, peer, h); err != nil {
			return err
		}
	}
	assigned, err := assigned(tx, id)
	if err != nil {
		return err
	}
	if fresh {
		return renumber(tx, peer, assigned, self.Epoch, h.Epoch)
	}
	if h.Epoch != peer.Epoch {
		return nil
	}
	var acked flight
	for _, row := range assigned {
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

// assigned returns the outbox rows that have a number: some windows at most.
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
		e = epochAfter(peer.Epoch, theirs)
	}
	peer.Base, peer.Epoch, peer.Last, peer.Assigned = own, e, 0, 0
	peer.RunSeq, peer.RunOrder = 0, 0
	peer.tail = tailUnknown
	return booksOf(tx).queue(tx, peer, -dropped)
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
				if err == nil {
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
		if err := deliveredTable.Put(tx, placeKey(peer.id, last), millis(time.Now())); err != nil {
			return err
		}
	}
	tx.OnCommit(func() { s.traffic.delivered.Add(delivered) })
	peer.Attempts = 0
	return booksOf(tx).queue(tx, peer, -n)
}
