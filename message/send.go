package message

import (
	"bytes"
	"fmt"

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
	sent, err := s.SendMany([]Outgoing{{To: to, ID: id, Kind: kind, Body: body}})
	if err != nil {
		return Message{}, err
	}
	return sent[0].Message, sent[0].Err
}

func (s *Service) enqueue(b *batch, m Outgoing) (Message, error) {
	at, found, err := idTable.Get(b.tx, m.ID[:])
	if err != nil {
		return Message{}, err
	}
	if found {
		return s.again(b.tx, at, m)
	}
	to, err := b.recipient(m.To)
	if err != nil {
		return Message{}, err
	}
	if to.view.Status == contact.StatusBlocked || to.view.Status == contact.StatusReported {
		return Message{}, fmt.Errorf("send to %s: %w", m.To.Short(), ErrBlocked)
	}
	if !to.known || !listed(to.view) {
		return Message{}, fmt.Errorf("%w: %s; add or pair it first", ErrNotContact, m.To.Short())
	}
	if n := to.peer.Queued + uint64(to.added); n >= MaxQueued {
		return Message{}, fmt.Errorf("%w: %d messages wait for %s already; cancel some or wait until it is reached", ErrQueueFull, n, m.To.Short())
	}
	to.added++
	to.peer.Order++
	r := record{ID: m.ID, Direction: Out, Kind: m.Kind, Body: m.Body, State: Queued, Sent: millis(b.tx.Now())}
	if err := putNew(b.tx, m.To, to.peer.Order, r); err != nil {
		return Message{}, err
	}
	entry := pending{Queued: r.Sent}
	if entry.Seq, err = b.number(to, r); err != nil {
		return Message{}, err
	}
	if err := outboxTable.Put(b.tx, placeKey(m.To, to.peer.Order), entry); err != nil {
		return Message{}, err
	}
	if err := emit(b.tx, contact.MessageQueued, m.To, m.ID, Queued); err != nil {
		return Message{}, err
	}
	if b.s.tracing() {
		b.queued = append(b.queued, traced{m.To, m.ID})
	}
	out := r.message(m.To, to.peer.Order)
	w := wait{view: to.view, entry: entry, standing: s.standing(m.To, to.peer.peerRecord)}
	out.Waiting = w.words(b.now)
	return out, nil
}

// number gives the newest message a number at once if a stream waits for it, so
// that it can be sent without another commit; 0 if it has to wait for its turn.
func (b *batch) number(to *recipient, r record) (uint64, error) {
	a := to.peer
	self, err := booksOf(b.tx).device(b.tx)
	if err != nil {
		return 0, err
	}
	now, err := a.numbered(b.tx)
	if err != nil {
		return 0, err
	}
	if !now || a.Base != self.Epoch || !open(to.view) || !b.s.admit(a.id, len(r.Body)) {
		a.tail, to.behind = tailWaiting, true
		return 0, nil
	}
	if to.last, err = a.number(b.tx, a.Order); err != nil {
		return 0, err
	}
	r.Body = bytes.Clone(r.Body) // it is sent when the caller may have changed it
	b.s.post(a.id, parcel{messageFrame(to.last, r), a.Order})
	return to.last.seq, nil
}

// again answers a Send whose id is known.
func (s *Service) again(tx *store.Tx, at place, m Outgoing) (Message, error) {
	r, found, err := historyTable.Get(tx, placeKey(at.Contact, at.Order))
	if err != nil {
		return Message{}, err
	}
	if !found || at.Contact != m.To || r.Direction != Out || r.Kind != m.Kind || !bytes.Equal(r.Body, m.Body) {
		return Message{}, fmt.Errorf("%w: send under a new id", ErrConflict)
	}
	return s.complete(tx, at, r)
}

// finish gives a queued message a last state other than delivered, and takes it
// out of the outbox. The caller counts it off.
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

func emit(tx *store.Tx, t contact.EventType, peer contact.ODID, id ID, state State) error {
	return tx.Emit(contact.Event{Type: t, At: tx.Now().UnixMilli(), Contact: peer, ID: id.String(), State: state.String()})
}
