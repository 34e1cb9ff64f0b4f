package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/contact"
	"contactsd/internal/devices"
	"contactsd/message"
	"contactsd/node"
	"contactsd/store"
)

// side is one of two devices that write to each other, and what its user knows.
type side struct {
	*devices.Device
	peer *side
	odid contact.ODID
	sent *ledger // messages to the peer

	mu        sync.Mutex
	cut       bool           // without power: what the daemon says does not count
	life      int            // counts when power goes and when it comes
	errors    map[string]int // of calls, by reason
	lastError error
	cursor    string

	restored bool // from a copy: its own messages since then are with the peer alone

	// What was seen in the store while no daemon used it.
	last uint64 // cursor of the newest message
	out  []item // to the peer
	in   []item // from the peer
}

// callTimeout bounds one call: a daemon may be stopped or gone.
const callTimeout = 2 * time.Second

// retryDelay is how long a lane waits after a call failed.
const retryDelay = 2 * time.Millisecond

// now names the time between two changes of the power.
func (s *side) now() (life int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

// heard runs f for what the daemon said in a life, unless that is over or the
// device is without power.
func (s *side) heard(life int, f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut || s.life != life {
		return false
	}
	f()
	return true
}

func (s *side) setCut(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
	s.life++
}

// note counts what a call failed for.
func (s *side) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = make(map[string]int)
	}
	s.errors[client.Reason(err)]++
	s.lastError = err
}

// told returns how many calls failed for a reason.
func (s *side) told(reason string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errors[reason]
}

// lane sends one message after the other until halt is closed, and ends with the
// one under way accepted. A call that fails is repeated with the same id.
func (s *side) lane(ctx context.Context, number int, halt <-chan struct{}) error {
	for {
		select {
		case <-halt:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		id, err := message.NewID()
		if err != nil {
			return err
		}
		text := s.sent.compose(id.String(), number)
		for accepted := false; !accepted; {
			life := s.now()
			err := s.send(ctx, id.String(), text)
			accepted = err == nil && s.heard(life, func() { s.sent.accept(id.String()) })
			s.note(err)
			if !accepted && !pause(ctx, retryDelay) {
				return errors.Join(ctx.Err(), err)
			}
		}
	}
}

func (s *side) send(ctx context.Context, id, text string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := s.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Id: id, Contact: s.peer.odid.String(), Text: text})
	if err == nil && answer.GetId() != id {
		err = fmt.Errorf("sent as %s, accepted as %s", id, answer.GetId())
	}
	return err
}

// watch follows the events of the device, over all its restarts, until ctx ends.
func (s *side) watch(ctx context.Context) {
	for ctx.Err() == nil {
		s.follow(ctx)
		pause(ctx, retryDelay)
	}
}

func (s *side) follow(ctx context.Context) {
	life := s.now()
	stream, err := s.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{After: s.cursor})
	if err != nil {
		return
	}
	defer stream.Close()
	defer func() {
		if client.Reason(stream.Err()) == "cursor" { // a restored store: nothing is known of what was told
			s.cursor = ""
		}
	}()
	for stream.Receive() {
		at, e := stream.Msg().GetCursor(), stream.Msg().GetEvent()
		s.heard(life, func() {
			s.cursor = at
			if e.GetType() == string(contact.MessageState) && e.GetState() == message.Delivered.String() {
				s.sent.deliver(e.GetId())
			}
		})
	}
}

// pause waits, or returns false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *side) store() string { return filepath.Join(s.Home, "contacts.db") }

// look reads what is new in the store of a device whose daemon is gone, and
// compares it with what was known before that.
func (s *side) look(own, theirs known) error {
	if err := s.read(); err != nil {
		return fmt.Errorf("%s's store: %w", s.Name, err)
	}
	if err := holds(own.accepted, s.out); err != nil {
		return fmt.Errorf("%s's daemon accepted messages that its store does not hold: %w", s.Name, err)
	}
	if err := holds(theirs.delivered, s.in); err != nil {
		return fmt.Errorf("%s's daemon called messages delivered that %s's store does not hold: %w", s.peer.Name, s.Name, err)
	}
	return nil
}

func (s *side) read() error {
	db, err := store.Open(s.store(), store.Options{ReadOnly: true}, node.Tables()...)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *store.Tx) error {
		for m, err := range message.All(tx, s.peer.odid, s.last) {
			if err != nil {
				return err
			}
			it := item{m.ID.String(), string(m.Body), m.State.String()}
			if m.Direction == message.Out {
				s.out = append(s.out, it)
			} else {
				s.in = append(s.in, it)
			}
			s.last = m.Cursor
		}
		return nil
	})
}

// reread forgets what was seen and reads all of the store.
func (s *side) reread() error {
	s.last, s.out, s.in = 0, nil, nil
	return s.read()
}
