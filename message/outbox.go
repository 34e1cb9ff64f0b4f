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
	if n := len(q.After); n != 0 && n != len(contact.ODID{})+8 {
		return OutboxPage{}, &contact.InvalidError{Field: "cursor", Reason: "not from a page of the outbox"}
	}
	r := store.Range{From: append(q.After[:len(q.After):len(q.After)], 0)}
	if len(q.After) == 0 {
		r.From = nil
	}
	if !q.Contact.IsZero() {
		r.Prefix = q.Contact[:]
	}
	var page OutboxPage
	err = s.db.View(func(tx *store.Tx) error {
		size := 0
		var last []byte
		for row, err := range outboxTable.Scan(tx, r) {
			if err != nil {
				return err
			}
			if len(page.Messages) == limit || size > pageBytes {
				page.Next = last
				break
			}
			last = row.Key
			m, err := s.outboxMessage(tx, row.Key)
			if err != nil {
				return err
			}
			size += len(m.Body)
			page.Messages = append(page.Messages, m)
		}
		return nil
	})
	return page, err
}

func (s *Service) outboxMessage(tx *store.Tx, key []byte) (Message, error) {
	at := place{Contact: contact.ODID(key[:len(contact.ODID{})]), Order: orderOf(key)}
	rec, found, err := historyTable.Get(tx, key)
	if err == nil && !found {
		err = fmt.Errorf("message %d with %s is in the outbox but not in the history: %w", at.Order, at.Contact.Short(), store.ErrCorrupt)
	}
	if err != nil {
		return Message{}, err
	}
	return s.complete(tx, at, rec)
}

// waiting says to a person why a message of the outbox waits.
func (s *Service) waiting(id contact.ODID, peer peerRecord, p pending, v contact.View) string {
	switch {
	case v.Status == contact.StatusBlocked, v.Status == contact.StatusReported:
		return "the contact is blocked"
	case !listed(v):
		return "no longer a contact"
	case !open(v) && v.Status == contact.StatusAccepted:
		return "the contact does not allow messages"
	case !open(v):
		return "not accepted yet"
	case p.Cancel:
		return "being cancelled: it was sent already, waiting to learn whether it arrived"
	}
	active, failed, due := s.standing(id)
	switch {
	case active:
		return "sending"
	case failed > 0 && peer.Trouble != "":
		return trouble(peer, due, time.Now())
	}
	return "trying to reach the contact"
}

// trouble is "unreachable since 14:02, next try 14:05".
func trouble(peer peerRecord, due, now time.Time) string {
	next := "now"
	if due.After(now) {
		next = clock(due, now)
	}
	return fmt.Sprintf("%s since %s, next try %s", peer.Trouble, clock(fromMillis(peer.Since), now), next)
}

// clock shows a time of the day, with the date if it is not today's.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}
