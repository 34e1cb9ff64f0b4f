package message

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Notes of messages that ended without being delivered.
const (
	noteExpired = "not delivered within 30 days"
	noteUnsure  = "it may have arrived"
)

// head is the state of a queue before an attempt.
type head struct {
	empty   bool
	open    bool      // the contact takes messages
	expires time.Time // of the oldest message
}

// ready reports whether there is something that may be sent.
func (h head) ready() bool { return !h.empty && h.open }

// peek expires what is too old and says whether there is something to do.
func (s *Service) peek(id contact.ODID) (head, error) {
	for {
		var h head
		err := s.db.View(func(tx *store.Tx) (err error) {
			h, err = s.head(tx, id)
			return err
		})
		if err != nil || h.empty || h.expires.After(s.db.Now()) {
			return h, err
		}
		if err := s.db.Update(func(tx *store.Tx) error { return expire(tx, id) }); err != nil {
			return h, err
		}
	}
}

func (s *Service) head(tx *store.Tx, id contact.ODID) (head, error) {
	h := head{empty: true}
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return h, err
		}
		h.empty, h.expires = false, fromMillis(row.Value.Queued).Add(Keep)
		break
	}
	v, known, err := s.relation(tx, id)
	h.open = known && open(v)
	return h, err
}

// expire fails the oldest messages of a queue that are too old, a window at most.
// Their numbers stay behind and are skipped when the next message is sent.
func expire(tx *store.Tx, id contact.ODID) error {
	now := tx.Now()
	var rows []store.Row[pending]
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return err
		}
		if len(rows) == windowFrames || fromMillis(row.Value.Queued).Add(Keep).After(now) {
			break
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		state, note := Failed, noteExpired
		switch {
		case row.Value.Cancel:
			state, note = Cancelled, noteUnsure
		case row.Value.Seq != 0:
			note += "; " + noteUnsure
		}
		if err := finish(tx, place{Contact: id, Order: orderOf(row.Key)}, state, note); err != nil {
			return err
		}
	}
	peer, err := getAccount(tx, id)
	if err != nil {
		return err
	}
	return booksOf(tx).queue(tx, peer, -len(rows))
}
