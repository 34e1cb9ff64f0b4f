package message

import (
	"fmt"

	"contactsd/contact"
	"contactsd/store"
)

// Query selects a page of a history.
type Query struct {
	// After selects the oldest messages after this cursor, Before the newest
	// before this one; with neither, the newest. Set one of them at most.
	After, Before uint64
	Limit         int // messages, at most MaxPage, 0 for 100
}

// Page is part of a history, oldest message first.
type Page struct {
	Messages []Message
	// More: there are more in the direction of the query. A page can be shorter
	// than asked for when its bodies are large.
	More bool
}

// History returns a page of the messages with a contact, both directions, in
// the order in which this device wrote or received them. It is there when the
// contact no longer is. The error is a *contact.LimitError or
// *contact.InvalidError for a query that can't be answered.
func (s *Service) History(peer contact.ODID, q Query) (Page, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if q.After != 0 && q.Before != 0 {
		return Page{}, &contact.InvalidError{Field: "cursor", Reason: "either after or before, not both"}
	}
	r := store.Range{Prefix: peer[:], Reverse: q.After == 0}
	switch {
	case q.After == ^uint64(0):
		return Page{}, nil
	case q.After != 0:
		r.From = placeKey(peer, q.After+1)
	case q.Before != 0:
		r.Before = placeKey(peer, q.Before)
	}
	var page Page
	err = s.db.View(func(tx *store.Tx) error {
		size := 0
		for row, err := range historyTable.Scan(tx, r) {
			if err != nil {
				return err
			}
			if len(page.Messages) == limit || size > pageBytes {
				page.More = true
				break
			}
			m, err := s.complete(tx, place{Contact: peer, Order: orderOf(row.Key)}, row.Value)
			if err != nil {
				return err
			}
			size += len(m.Body)
			page.Messages = append(page.Messages, m)
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	if r.Reverse {
		for i, j := 0, len(page.Messages)-1; i < j; i, j = i+1, j-1 {
			page.Messages[i], page.Messages[j] = page.Messages[j], page.Messages[i]
		}
	}
	return page, nil
}

func pageSize(n int) (int, error) {
	switch {
	case n == 0:
		return defaultPage, nil
	case n < 0:
		return 0, &contact.InvalidError{Field: "page size", Reason: "negative"}
	case n > MaxPage:
		return 0, &contact.LimitError{Field: "page size", Got: n, Limit: MaxPage, Unit: "messages"}
	}
	return n, nil
}

// MarkRead marks the incoming messages of a contact as read up to one of them.
// The error wraps ErrNotFound if that is none of the contact's.
func (s *Service) MarkRead(peer contact.ODID, upTo ID) error {
	for {
		var more bool
		err := s.db.Update(func(tx *store.Tx) (err error) {
			more, err = markRead(tx, peer, upTo)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// markRead marks a batch, the oldest first, and says whether there are more.
// The event is of the last one and stands for all before it.
func markRead(tx *store.Tx, id contact.ODID, upTo ID) (more bool, err error) {
	at, r, err := find(tx, upTo)
	if err != nil {
		return false, err
	}
	if at.Contact != id || r.Direction != In {
		return false, fmt.Errorf("%w from %s: %s", ErrNotFound, id.Short(), upTo)
	}
	peer, err := getAccount(tx, id)
	if err != nil || at.Order <= peer.Seen {
		return false, err
	}
	var rows []store.Row[record]
	seen, size := at.Order, 0
	scan := store.Range{Prefix: id[:], From: placeKey(id, peer.Seen+1), Before: placeKey(id, at.Order+1)}
	for row, err := range historyTable.Scan(tx, scan) {
		if err != nil {
			return false, err
		}
		if len(rows) == windowFrames || size > windowBytes {
			more = true
			break
		}
		seen = orderOf(row.Key)
		if row.Value.Direction == In && row.Value.State == Received {
			rows = append(rows, row)
			size += len(row.Value.Body)
		}
	}
	now := millis(tx.Now())
	for _, row := range rows {
		row.Value.State, row.Value.Read = Read, now
		if err := historyTable.Put(tx, row.Key, row.Value); err != nil {
			return false, err
		}
	}
	peer.Seen = seen
	if !more && len(rows) > 0 {
		return false, emit(tx, contact.MessageState, id, upTo, Read)
	}
	return more, nil
}
