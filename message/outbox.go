package message

import (
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// OutboxQuery selects a page of the outbox.
type OutboxQuery struct {
	Contact contact.ODID // zero for all contacts
	After   []byte       // OutboxPage.Next of the page before
	Limit   int          // messages, at most MaxPage, 0 for 100
}

// OutboxPage is a page of the outbox: by contact, and for each the oldest first.
type OutboxPage struct {
	Messages []Message
	Next     []byte // nil if there are no more
}

// Outbox returns messages that are queued, each with why it waits.
func (s *Service) Outbox(q OutboxQuery) (OutboxPage, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return OutboxPage{}, err
	}
	from, err := parseOutboxCursor(q.After)
	if err != nil {
		return OutboxPage{}, err
	}
	r := store.Range{From: from.after()}
	if !q.Contact.IsZero() {
		r.Prefix = q.Contact[:]
	}
	var page OutboxPage
	err = s.db.View(func(tx *store.Tx) error {
		size, now := 0, time.Now()
		last := from
		var w wait
		for row, err := range outboxTable.Scan(tx, r) {
			if err != nil {
				return err
			}
			if len(page.Messages) == limit || size > pageBytes {
				page.Next = last.cursor()
				break
			}
			at, rec, err := outboxRecord(tx, row.Key)
			if err != nil {
				return err
			}
			last = last.next(row.Key)
			if len(page.Messages) == 0 || last.ahead == 0 {
				if w, err = s.wait(tx, at.Contact); err != nil {
					return err
				}
			}
			w.entry, w.ahead = row.Value, last.ahead
			m := rec.message(at.Contact, at.Order)
			m.Waiting = w.words(now)
			size += len(m.Body)
			page.Messages = append(page.Messages, m)
		}
		return nil
	})
	return page, err
}

// queuePlace is a message of the outbox, and how many of its queue go before it. The
// zero value is before all.
type queuePlace struct {
	key   []byte
	ahead int
}

const queueKey = len(contact.ODID{}) + 8

func parseOutboxCursor(b []byte) (queuePlace, error) {
	switch len(b) {
	case 0:
		return queuePlace{}, nil
	case queueKey + 8:
		return queuePlace{b[:queueKey:queueKey], int(min(orderOf(b), MaxQueued))}, nil
	}
	return queuePlace{}, &contact.InvalidError{Field: "cursor", Reason: "not from a page of the outbox"}
}

// cursor is the key and the count.
func (p queuePlace) cursor() []byte { return store.Key(p.key, store.Uint64(uint64(p.ahead))) }

// after is where a scan goes on, nil for the beginning.
func (p queuePlace) after() []byte {
	if p.key == nil {
		return nil
	}
	return append(p.key, 0)
}

// next is the place of the message that a scan comes to after p.
func (p queuePlace) next(key []byte) queuePlace {
	if p.key != nil && contactOf(p.key) == contactOf(key) {
		return queuePlace{key, p.ahead + 1}
	}
	return queuePlace{key: key}
}

// contactOf returns the contact of a key of the outbox.
func contactOf(key []byte) contact.ODID { return contact.ODID(key[:len(contact.ODID{})]) }

// outboxRecord returns the message of a row of the outbox.
func outboxRecord(tx *store.Tx, key []byte) (place, record, error) {
	at := place{Contact: contactOf(key), Order: orderOf(key), Direction: Out}
	rec, found, err := historyTable.Get(tx, key)
	if err == nil && !found {
		err = fmt.Errorf("message %d with %s is in the outbox but not in the history: %w", at.Order, at.Contact.Short(), store.ErrCorrupt)
	}
	return at, rec, err
}
