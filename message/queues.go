package message

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Queue is the outbox of one contact.
type Queue struct {
	Contact  contact.ODID
	Messages int
	// Of the oldest message: when it was written, when it is given up, and why it
	// waits, in words for a person.
	Oldest, Expires time.Time
	Waiting         string
}

// QueuePage is some of the queues, by ODID.
type QueuePage struct {
	Queues []Queue
	Next   []byte // for the page that follows, nil if there is none
}

// Queues returns the contacts that messages wait for, after the page that ended with
// a cursor, nil for the first: limit of them, at most MaxPage, 0 for 100.
func (s *Service) Queues(after []byte, limit int) (QueuePage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return QueuePage{}, err
	}
	if n := len(after); n != 0 && n != len(contact.ODID{}) {
		return QueuePage{}, &contact.InvalidError{Field: "cursor", Reason: "not from a page of queues"}
	}
	var page QueuePage
	err = s.db.View(func(tx *store.Tx) error {
		from := after
		if len(from) > 0 {
			from = afterQueue(contact.ODID(from))
		}
		for {
			peer, found, err := nextQueue(tx, from)
			if err != nil || !found {
				return err
			}
			if len(page.Queues) == limit {
				last := page.Queues[limit-1].Contact
				page.Next = last[:]
				return nil
			}
			q, err := s.queueOf(tx, peer)
			if err != nil {
				return err
			}
			page.Queues = append(page.Queues, q)
			from = afterQueue(peer)
		}
	})
	return page, err
}

// QueueOf returns the outbox of one contact, with no message if it is empty.
func (s *Service) QueueOf(peer contact.ODID) (q Queue, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		q, err = s.queueOf(tx, peer)
		return err
	})
	return q, err
}

func (s *Service) queueOf(tx *store.Tx, peer contact.ODID) (Queue, error) {
	q := Queue{Contact: peer}
	a, err := getAccount(tx, peer)
	if err != nil {
		return q, err
	}
	q.Messages = int(a.Queued)
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: peer[:]}) {
		if err != nil {
			return q, err
		}
		w, err := s.wait(tx, peer)
		if err != nil {
			return q, err
		}
		w.entry = row.Value
		q.Oldest = fromMillis(row.Value.Queued)
		q.Expires = q.Oldest.Add(Keep)
		q.Waiting = w.words(time.Now())
		break
	}
	return q, nil
}

// nextQueue returns the contact of the first outbox row after from.
func nextQueue(tx *store.Tx, from []byte) (peer contact.ODID, found bool, err error) {
	for row, err := range outboxTable.Scan(tx, store.Range{From: from}) {
		if err != nil {
			return peer, false, err
		}
		return contactOf(row.Key), true, nil
	}
	return peer, false, nil
}

// afterQueue is where a scan of the outbox goes on after all rows of a contact.
func afterQueue(peer contact.ODID) []byte { return append(placeKey(peer, ^uint64(0)), 0) }
