package message

import (
	"bytes"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Send puts a message into the outbox and returns it once that is durable;
// nothing needs the contact to be there. Sending the same again under the same
// id returns the first message as it now stands.
//
// The error wraps ErrNotContact, ErrBlocked, ErrQueueFull or ErrConflict, or is a
// *contact.LimitError or *contact.InvalidError about the id, kind or body.
func (s *Service) Send(to contact.ODID, id ID, kind string, body []byte) (Message, error) {
	if err := checkOutgoing(id, kind, body); err != nil {
		return Message{}, err
	}
	var m Message
	err := s.db.Update(func(tx *store.Tx) (err error) {
		m, err = s.enqueue(tx, to, id, kind, body)
		return err
	})
	return m, err
}

func (s *Service) enqueue(tx *store.Tx, to contact.ODID, id ID, kind string, body []byte) (Message, error) {
	at, found, err := idTable.Get(tx, id[:])
	if err != nil {
		return Message{}, err
	}
	if found {
		return s.again(tx, at, to, kind, body)
	}
	v, known, err := s.relation(tx, to)
	if err != nil {
		return Message{}, err
	}
	if v.Status == contact.StatusBlocked || v.Status == contact.StatusReported {
		return Message{}, fmt.Errorf("send to %s: %w", to.Short(), ErrBlocked)
	}
	if !known || !listed(v) {
		return Message{}, fmt.Errorf("%w: %s; add or pair it first", ErrNotContact, to.Short())
	}
	peer, err := getPeer(tx, to)
	if err != nil {
		return Message{}, err
	}
	if peer.Queued >= MaxQueued {
		return Message{}, fmt.Errorf("%w: %d messages wait for %s already; cancel some or wait until it is reached", ErrQueueFull, peer.Queued, to.Short())
	}
	now := time.Now()
	peer.Order++
	r := record{ID: id, Direction: Out, Kind: kind, Body: body, State: Queued, Sent: millis(now)}
	if err := putNew(tx, to, peer.Order, r); err != nil {
		return Message{}, err
	}
	if err := outboxTable.Put(tx, placeKey(to, peer.Order), pending{Queued: r.Sent}); err != nil {
		return Message{}, err
	}
	if err := countQueued(tx, &peer, +1); err != nil {
		return Message{}, err
	}
	if err := peerTable.Put(tx, to[:], peer); err != nil {
		return Message{}, err
	}
	if err := emit(tx, contact.MessageQueued, to, id, Queued); err != nil {
		return Message{}, err
	}
	tx.OnCommit(func() { s.queued(to, now) })
	m := r.message(to, peer.Order)
	m.Waiting = s.waiting(to, peer, pending{}, v)
	return m, nil
}

// again answers a Send whose id is known.
func (s *Service) again(tx *store.Tx, at place, to contact.ODID, kind string, body []byte) (Message, error) {
	r, found, err := historyTable.Get(tx, placeKey(at.Contact, at.Order))
	if err != nil {
		return Message{}, err
	}
	if !found || at.Contact != to || r.Direction != Out || r.Kind != kind || !bytes.Equal(r.Body, body) {
		return Message{}, fmt.Errorf("%w: send under a new id", ErrConflict)
	}
	return s.complete(tx, at, r)
}

// Cancel takes a message out of the outbox. One that was never sent is
// cancelled at once. One that may have arrived already is not sent again; it
// becomes cancelled or delivered when the contact says what it holds. The error
// wraps ErrNotFound, or ErrFinal for what is not queued.
func (s *Service) Cancel(id ID) (Message, error) {
	var m Message
	err := s.db.Update(func(tx *store.Tx) error {
		at, r, err := find(tx, id)
		if err != nil {
			return err
		}
		if r.Direction != Out || r.State != Queued {
			return fmt.Errorf("%w: the message is %s", ErrFinal, r.State)
		}
		p, _, err := outboxTable.Get(tx, placeKey(at.Contact, at.Order))
		if err != nil {
			return err
		}
		peer, err := getPeer(tx, at.Contact)
		if err != nil {
			return err
		}
		if p.Seq == 0 {
			if err := finish(tx, at, Cancelled, ""); err != nil {
				return err
			}
			if err := countQueued(tx, &peer, -1); err != nil {
				return err
			}
			r.State = Cancelled
			m = r.message(at.Contact, at.Order)
			return peerTable.Put(tx, at.Contact[:], peer)
		}
		p.Cancel = true
		if err := outboxTable.Put(tx, placeKey(at.Contact, at.Order), p); err != nil {
			return err
		}
		m, err = s.complete(tx, at, r)
		return err
	})
	return m, err
}

// finish gives a queued message its last state and takes it out of the outbox.
// The caller counts it off.
func finish(tx *store.Tx, at place, state State, note string) error {
	key := placeKey(at.Contact, at.Order)
	r, found, err := historyTable.Get(tx, key)
	if err != nil {
		return err
	}
	if err := outboxTable.Delete(tx, key); err != nil || !found {
		return err
	}
	r.State, r.Note = state, note
	if state == Delivered {
		r.Delivered = millis(time.Now())
	}
	if err := historyTable.Put(tx, key, r); err != nil {
		return err
	}
	return emit(tx, contact.MessageState, at.Contact, r.ID, state)
}

// putNew appends a message to the history. The caller has raised the order.
func putNew(tx *store.Tx, peer contact.ODID, order uint64, r record) error {
	if err := historyTable.Put(tx, placeKey(peer, order), r); err != nil {
		return err
	}
	return idTable.Put(tx, r.ID[:], place{peer, order, r.Direction})
}

func countQueued(tx *store.Tx, peer *peerRecord, n int) error {
	self, _, err := selfTable.Get(tx, selfKey)
	if err != nil {
		return err
	}
	peer.Queued += uint64(n)
	self.Queued += uint64(n)
	return selfTable.Put(tx, selfKey, self)
}

func getPeer(tx *store.Tx, id contact.ODID) (peerRecord, error) {
	p, _, err := peerTable.Get(tx, id[:])
	return p, err
}

func emit(tx *store.Tx, t contact.EventType, peer contact.ODID, id ID, state State) error {
	return tx.Emit(contact.Event{Type: t, At: time.Now().UnixMilli(), Contact: peer, ID: id.String(), State: state.String()})
}
