package message

import (
	"contactsd/contact"
	"contactsd/store"
)

// The window: what may be under way unacknowledged to one contact. A batch of
// the receiver is no larger.
const (
	windowFrames = 256
	windowBytes  = 1 << 20
)

// flight is a frame that was sent and is not acknowledged.
type flight struct {
	last   position
	size   int
	orders []uint64 // of the messages it settles
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

// step is one transaction of the sender: it takes the receiver's hello, if one
// came, settles what was acknowledged, and takes what comes next, up to the
// free part of the window. Numbers it gives out are durable when it returns.
type step struct {
	hello  *have
	pos    position // of the last frame that was sent
	acked  []flight
	frames int // free
	bytes  int
}

func (s *Service) step(id contact.ODID, in step) (cargo, error) {
	var c cargo
	err := s.db.Update(func(tx *store.Tx) error {
		peer, err := getPeer(tx, id)
		if err != nil {
			return err
		}
		before := peer
		c = cargo{pos: in.pos}
		if in.hello != nil {
			if err := resume(tx, id, &peer, *in.hello); err != nil {
				return err
			}
			c.pos = position{in.hello.Epoch, in.hello.Seq}
		}
		if err := settle(tx, id, &peer, in.acked); err != nil {
			return err
		}
		v, known, err := s.relation(tx, id)
		if err != nil {
			return err
		}
		if c.held = !known || !open(v); !c.held {
			l := loader{tx: tx, id: id, peer: &peer, in: in, out: &c}
			if err := l.load(); err != nil {
				return err
			}
		}
		if peer == before {
			return nil
		}
		return peerTable.Put(tx, id[:], peer)
	})
	return c, err
}

// settle is a step that only takes what was acknowledged.
func (s *Service) settle(id contact.ODID, acked []flight) error {
	return s.db.Update(func(tx *store.Tx) error {
		peer, err := getPeer(tx, id)
		if err != nil {
			return err
		}
		if err := settle(tx, id, &peer, acked); err != nil {
			return err
		}
		return peerTable.Put(tx, id[:], peer)
	})
}

// resume compares what the receiver holds with what was sent.
//
// If it holds more than this store ever sent, or another message under the same
// number, then this store is an older copy and went on beside what it has
// forgotten: a new epoch begins, and everything unacknowledged is sent in it;
// the receiver knows by id what it has already. Otherwise what it holds is
// acknowledged, and the rest is sent on from there.
func resume(tx *store.Tx, id contact.ODID, peer *peerRecord, h have) error {
	self, _, err := selfTable.Get(tx, selfKey)
	if err != nil {
		return err
	}
	peer.Since, peer.Next, peer.Trouble = 0, 0, ""
	held := position{h.Epoch, h.Seq}
	fresh := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
	if !fresh && h.Epoch == peer.Epoch {
		if fresh, err = diverged(tx, id, h); err != nil {
			return err
		}
	}
	assigned, err := assigned(tx, id)
	if err != nil {
		return err
	}
	if fresh {
		return renumber(tx, id, peer, assigned, self.Epoch, h.Epoch)
	}
	if h.Epoch != peer.Epoch {
		return nil
	}
	var acked flight
	for _, row := range assigned {
		if row.Value.Seq <= h.Seq {
			acked.orders = append(acked.orders, orderOf(row.Key))
		}
	}
	return settle(tx, id, peer, []flight{acked})
}

// diverged reports whether the receiver has another message under a number
// than this device sent.
func diverged(tx *store.Tx, id contact.ODID, h have) (bool, error) {
	if h.ID == (ID{}) {
		return false, nil
	}
	order, found, err := sentTable.Get(tx, sentKey(id, position{h.Epoch, h.Seq}))
	if err != nil || !found {
		return false, err
	}
	r, found, err := historyTable.Get(tx, placeKey(id, order))
	return found && r.ID != h.ID, err
}

// assigned returns the outbox rows that have a number: a window at most.
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
func renumber(tx *store.Tx, id contact.ODID, peer *peerRecord, rows []store.Row[pending], own, theirs Epoch) error {
	dropped := 0
	for _, row := range rows {
		if err := sentTable.Delete(tx, sentKey(id, position{peer.Epoch, row.Value.Seq})); err != nil {
			return err
		}
		if row.Value.Cancel {
			if err := finish(tx, place{Contact: id, Order: orderOf(row.Key)}, Cancelled, noteUnsure); err != nil {
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
	return countQueued(tx, peer, -dropped)
}

// settle gives what was acknowledged its last state. Frames that were sent
// again from the history have nothing to settle.
func settle(tx *store.Tx, id contact.ODID, peer *peerRecord, acked []flight) error {
	n := 0
	for _, f := range acked {
		for _, order := range f.orders {
			p, found, err := outboxTable.Get(tx, placeKey(id, order))
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			state := Delivered
			if p.Skipped {
				state = Cancelled
			}
			if err := finish(tx, place{Contact: id, Order: order}, state, ""); err != nil {
				return err
			}
			n++
		}
	}
	if n == 0 {
		return nil
	}
	peer.Attempts = 0
	return countQueued(tx, peer, -n)
}
