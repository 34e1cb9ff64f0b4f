package message

import (
	"errors"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// MaxBatch is how many messages SendMany takes.
const MaxBatch = 1000

// Outgoing is a message to be sent.
type Outgoing struct {
	To   contact.ODID
	ID   ID
	Kind string
	Body []byte
}

// Sent is what became of an Outgoing: the message in the outbox, or why it is
// not there, with an error of Send's.
type Sent struct {
	Message Message
	Err     error
}

// SendMany is Send for many messages at the price of one commit. It returns one
// result each, in order, once all that were taken are durable; one that can't be
// sent does not keep the others. The error is a *contact.LimitError for too many,
// or the store's: then none was sent.
func (s *Service) SendMany(list []Outgoing) ([]Sent, error) {
	if len(list) > MaxBatch {
		return nil, &contact.LimitError{Field: "messages", Got: len(list), Limit: MaxBatch, Unit: "items"}
	}
	sent := make([]Sent, len(list))
	var fit []int
	for i, m := range list {
		if sent[i].Err = checkOutgoing(m.ID, m.Kind, m.Body); sent[i].Err == nil {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return sent, nil
	}
	err := s.db.Update(func(tx *store.Tx) error {
		b := batch{s: s, tx: tx, now: time.Now(), to: make(map[contact.ODID]*recipient)}
		for _, i := range fit {
			sent[i].Message, sent[i].Err = s.enqueue(&b, list[i])
			if err := sent[i].Err; err != nil && !refused(err) {
				return err
			}
		}
		return b.end()
	})
	if err != nil {
		return nil, err
	}
	return sent, nil
}

// refused tells an error about one message, before which nothing was written,
// from one of the store.
func refused(err error) bool {
	for _, of := range []error{ErrNotContact, ErrBlocked, ErrQueueFull, ErrConflict} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// batch is the messages of one transaction. It holds what they change in common,
// so that this is read and written once.
type batch struct {
	s   *Service
	tx  *store.Tx
	now time.Time
	to  map[contact.ODID]*recipient
	// What was put into the outbox, for the log.
	queued []traced
}

// recipient is a contact that a batch has messages for.
type recipient struct {
	view  contact.View
	known bool
	peer  *account
	added int
	// Of those that were added: the last number that was given, and whether some
	// have none.
	last   position
	behind bool
	size   int // of the queue, with them
}

func (b *batch) recipient(id contact.ODID) (*recipient, error) {
	if r := b.to[id]; r != nil {
		return r, nil
	}
	r := &recipient{}
	var err error
	if r.view, r.known, err = b.s.relation(b.tx, id); err != nil {
		return nil, err
	}
	if r.peer, err = getAccount(b.tx, id); err != nil {
		return nil, err
	}
	b.to[id] = r
	return r, nil
}

// end counts what the batch added, and has it delivered after the commit.
func (b *batch) end() error {
	added := 0
	for _, r := range b.to {
		if r.added == 0 {
			continue
		}
		added += r.added
		if err := booksOf(b.tx).queue(b.tx, r.peer, r.added); err != nil {
			return err
		}
		r.size = int(r.peer.Queued)
	}
	if added == 0 {
		return nil
	}
	b.tx.OnCommit(func() {
		b.s.traffic.queued.Add(uint64(added))
		for _, m := range b.queued {
			b.s.trace(LogQueued, m.peer, m.id)
		}
		for id, r := range b.to {
			if r.added > 0 {
				b.s.queued(id, b.now, arrival{r.last, r.behind, r.size})
			}
		}
	})
	return nil
}
