package message

import (
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Get returns one message, or an error that wraps ErrNotFound.
func (s *Service) Get(id ID) (Message, error) {
	var m Message
	err := s.db.View(func(tx *store.Tx) error {
		at, r, err := find(tx, id)
		if err != nil {
			return err
		}
		m, err = s.complete(tx, at, r)
		return err
	})
	return m, err
}

// Counts are totals over all contacts.
type Counts struct {
	Queued int // messages in the outbox
}

// Counts returns the totals.
func (s *Service) Counts() (Counts, error) {
	var c Counts
	err := s.db.View(func(tx *store.Tx) error {
		self, err := booksOf(tx).device(tx)
		if err == nil {
			c.Queued = int(self.Queued)
		}
		return err
	})
	return c, err
}

// Waiting returns how many messages wait for a contact.
func (s *Service) Waiting(peer contact.ODID) (n int, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		a, err := getAccount(tx, peer)
		if err == nil {
			n = int(a.Queued)
		}
		return err
	})
	return n, err
}

func find(tx *store.Tx, id ID) (place, record, error) {
	at, found, err := idTable.Get(tx, id[:])
	if err != nil {
		return place{}, record{}, err
	}
	var r record
	if found {
		r, found, err = historyTable.Get(tx, placeKey(at.Contact, at.Order))
	}
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return at, r, err
}

// errNeither: a message that the history calls queued is nowhere else.
var errNeither = fmt.Errorf("neither in the outbox nor delivered: %w", store.ErrCorrupt)

// resolve completes what the history says of a message that it calls queued. That
// is so as long as the message waits in the outbox; if it does no longer it was
// delivered, for which it is not written again.
func (r *record) resolve(tx *store.Tx, at place) (p pending, waits bool, err error) {
	if r.State != Queued {
		return p, false, nil
	}
	p, waits, err = outboxTable.Get(tx, placeKey(at.Contact, at.Order))
	if err != nil || waits {
		return p, waits, err
	}
	scan := store.Range{Prefix: at.Contact[:], From: placeKey(at.Contact, at.Order)}
	for row, err := range deliveredTable.Scan(tx, scan) {
		if err != nil {
			return p, false, err
		}
		r.State, r.Delivered = Delivered, row.Value
		return p, false, nil
	}
	return p, false, fmt.Errorf("message %d with %s is %w", at.Order, at.Contact.Short(), errNeither)
}

// complete adds to a message when it arrived, or why it waits.
func (s *Service) complete(tx *store.Tx, at place, r record) (Message, error) {
	p, waits, err := r.resolve(tx, at)
	m := r.message(at.Contact, at.Order)
	if err != nil || !waits {
		return m, err
	}
	w, err := s.wait(tx, at.Contact)
	if err != nil {
		return m, err
	}
	w.entry = p
	m.Waiting = w.words(time.Now())
	return m, nil
}

// wait returns why messages to a contact wait, as far as it is the same for all.
func (s *Service) wait(tx *store.Tx, peer contact.ODID) (wait, error) {
	a, err := getAccount(tx, peer)
	if err != nil {
		return wait{}, err
	}
	v, known, err := s.relation(tx, peer)
	if err != nil {
		return wait{}, err
	}
	if !known {
		v = contact.View{}
	}
	return wait{view: v, standing: s.standing(peer, a.peerRecord)}, nil
}
