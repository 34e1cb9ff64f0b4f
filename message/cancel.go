package message

import (
	"errors"
	"fmt"

	"contactsd/contact"
	"contactsd/store"
)

// Cancelling is what became of a message that was to be cancelled: the message, or
// why it could not be, with an error of Cancel's.
type Cancelling struct {
	Message Message
	Err     error
}

// Cancel takes a message out of the outbox. One that was never sent is
// cancelled at once. One that may have arrived already is not sent again; it
// becomes cancelled or delivered when the contact says what it holds. The error
// wraps ErrNotFound, or ErrFinal for what is not queued.
func (s *Service) Cancel(id ID) (Message, error) {
	done, err := s.CancelMany([]ID{id})
	if err != nil {
		return Message{}, err
	}
	return done[0].Message, done[0].Err
}

// CancelMany is Cancel for many messages at the price of one commit. It returns one
// result each, in order; one that can't be cancelled does not keep the others. The
// error is a *contact.LimitError for more than MaxBatch, or the store's: then none
// was cancelled.
func (s *Service) CancelMany(ids []ID) ([]Cancelling, error) {
	if len(ids) > MaxBatch {
		return nil, &contact.LimitError{Field: "messages", Got: len(ids), Limit: MaxBatch, Unit: "items"}
	}
	done := make([]Cancelling, len(ids))
	err := s.db.Update(func(tx *store.Tx) error {
		for i, id := range ids {
			var err error
			done[i].Message, err = s.cancel(tx, id)
			if done[i].Err = err; err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrFinal) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func (s *Service) cancel(tx *store.Tx, id ID) (Message, error) {
	at, r, err := find(tx, id)
	if err != nil {
		return Message{}, err
	}
	p, waits, err := r.resolve(tx, at)
	if err != nil {
		return Message{}, err
	}
	if !waits {
		return Message{}, fmt.Errorf("%w: the message is %s", ErrFinal, r.State)
	}
	if p.Seq != 0 {
		p.Cancel = true
		tx.OnCommit(func() { s.forget(at.Contact) })
		if err := outboxTable.Put(tx, placeKey(at.Contact, at.Order), p); err != nil {
			return Message{}, err
		}
		return s.complete(tx, at, r)
	}
	peer, err := getAccount(tx, at.Contact)
	if err != nil {
		return Message{}, err
	}
	if err := finish(tx, at, Cancelled, ""); err != nil {
		return Message{}, err
	}
	r.State = Cancelled
	return r.message(at.Contact, at.Order), booksOf(tx).queue(tx, peer, -1)
}
