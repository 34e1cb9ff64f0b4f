package message

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// recvIdle is how long a sender may say nothing.
const recvIdle = 2 * (idleStream + peerTimeout)

// notPermitted is what a contact is told that lacks the permission, notStored one
// whose messages could not be written down.
const (
	notPermitted = "messages not permitted"
	notStored    = "its device can't store messages now"
)

// errUnlisted: the peer may not even know why.
var errUnlisted = errors.New("not on the contact list")

// inbound is a stream that messages come on, one for each peer: a new one means
// that the peer has given up the old.
type inbound struct {
	st   transport.Stream
	done chan struct{}
}

// Handle serves an inbound stream of Protocol and ends it, as the gate decided.
func (s *Service) Handle(ctx context.Context, st transport.Stream, d contact.Decision) {
	var err error
	switch d {
	case contact.Serve:
		err = s.serve(ctx, st)
	case contact.Refuse:
		err = part(st, refusal(notPermitted))
	default:
		err = part(st, errUnlisted)
	}
	if err != nil {
		s.log.Debug("message stream ended", "peer", st.Peer().Short(), "err", err)
	}
}

// part ends a stream: in peace, with a refusal in words, or without a word.
func part(st transport.Stream, err error) error {
	var r refusal
	var d deferral
	said := frame{Type: frameRefused}
	switch {
	case errors.As(err, &r):
		said.Words = string(r)
	case errors.As(err, &d):
		said.Words, said.Later = string(d), true
	}
	if said.Words != "" {
		if err = st.SetDeadline(time.Now().Add(peerTimeout)); err == nil {
			err = transport.WriteFrame(st, said, maxFrame)
		}
	}
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		st.Reset()
	}
	return err
}

// enter makes st the one stream that the peer's messages come on, once the one
// before has ended: what it still brought is stored then, or never.
func (s *Service) enter(ctx context.Context, st transport.Stream) (leave func(), err error) {
	me := &inbound{st, make(chan struct{})}
	peer := st.Peer()
	s.mu.Lock()
	prev := s.in[peer]
	s.in[peer] = me
	s.mu.Unlock()
	leave = func() {
		s.mu.Lock()
		if s.in[peer] == me {
			delete(s.in, peer)
		}
		s.mu.Unlock()
		close(me.done)
	}
	if prev != nil {
		prev.st.Reset()
		<-prev.done
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (s *Service) serve(ctx context.Context, st transport.Stream) error {
	leave, err := s.enter(ctx, st)
	if err != nil {
		return part(st, err)
	}
	defer leave()
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	if err := st.SetDeadline(time.Now().Add(recvIdle)); err != nil {
		return part(st, err)
	}
	in := newIntake(&s.incoming)
	go in.fill(st)
	defer in.drop()
	return part(st, s.receive(st, in))
}

// receive says what is held, then commits what comes and acknowledges it.
func (s *Service) receive(st transport.Stream, in *intake) error {
	hello, err := s.hello(st.Peer())
	if err != nil {
		return err
	}
	if err := transport.WriteFrame(st, hello, maxFrame); err != nil {
		return err
	}
	for {
		batch, ended := in.take()
		if len(batch) > 0 {
			if err := s.store(st.Peer(), batch); err != nil {
				return s.unstored(st.Peer(), err)
			}
			in.stored()
			s.traceFrames(LogReceived, st.Peer(), batch)
			if err := st.SetDeadline(time.Now().Add(recvIdle)); err != nil {
				return err
			}
			last := batch[len(batch)-1].last()
			if err := transport.WriteFrame(st, frame{Type: frameAck, Epoch: &last.epoch, Seq: last.seq}, maxFrame); err != nil {
				return err
			}
		}
		if errors.Is(ended, io.EOF) {
			return nil
		}
		if ended != nil {
			return ended
		}
	}
}

// unstored is how a stream ends whose batch was not stored. If it is this device
// that is at fault, the peer is asked to come back soon.
func (s *Service) unstored(peer contact.ODID, err error) error {
	var r refusal
	if errors.As(err, &r) || errors.Is(err, errUnlisted) || errors.Is(err, errProtocol) || errors.Is(err, store.ErrClosed) {
		return err
	}
	s.log.Error("messages could not be stored", "peer", peer.Short(), "err", err)
	return deferral(notStored)
}

// hello says what this device holds of the peer. It is read by an Update, which
// waits for a commit under way: a View could see one that is not synced yet.
func (s *Service) hello(id contact.ODID) (frame, error) {
	var f frame
	err := s.db.Update(func(tx *store.Tx) error {
		self, err := booksOf(tx).device(tx)
		if err != nil {
			return err
		}
		peer, err := getAccount(tx, id)
		if err != nil {
			return err
		}
		f = frame{Type: frameHello, Epoch: &self.Epoch, Have: &have{peer.InEpoch, peer.InSeq, peer.InID}}
		return nil
	})
	return f, err
}

// store commits a batch whole or not at all. The permission is that of the
// moment of the commit.
func (s *Service) store(id contact.ODID, batch []frame) error {
	return s.db.Update(func(tx *store.Tx) error {
		v, known, err := s.relation(tx, id)
		switch {
		case err != nil:
			return err
		case !known || !listed(v):
			return errUnlisted
		case !v.Given.Has(contact.Messages):
			return refusal(notPermitted)
		}
		peer, err := getAccount(tx, id)
		if err != nil {
			return err
		}
		kept := uint64(0)
		for _, f := range batch {
			before := peer.Order
			if err := s.take(tx, id, peer, f); err != nil {
				return err
			}
			if f.Type == frameMessage {
				kept += peer.Order - before
			}
		}
		tx.OnCommit(func() { s.traffic.received.Add(kept) })
		return nil
	})
}

// take takes one frame in the order of its numbers.
func (s *Service) take(tx *store.Tx, id contact.ODID, peer *account, f frame) error {
	known, err := isKnown(tx, id, f)
	if err != nil {
		return err
	}
	switch c := f.Epoch.compare(peer.InEpoch); {
	case c < 0:
		// Left over from before a restore: its place is gone, its id tells
		// whether it came.
		if known || f.Type == frameSkip {
			return nil
		}
		return s.keep(tx, id, peer, f)
	case c == 0 && f.last().seq <= peer.InSeq:
		if known || f.Type == frameSkip {
			return nil
		}
		return fmt.Errorf("%w: another message under number %d", errProtocol, f.Seq)
	case c == 0 && f.Seq != peer.InSeq+1, c > 0 && f.Seq != 1:
		return fmt.Errorf("%w: number %d after %d", errProtocol, f.Seq, peer.InSeq)
	}
	last := f.last()
	peer.InEpoch, peer.InSeq, peer.InID = last.epoch, last.seq, ID{}
	if f.Type == frameMessage {
		peer.InID = *f.ID
	}
	if known {
		return nil
	}
	return s.keep(tx, id, peer, f)
}

// isKnown reports whether the message is held already. An id that another
// message has is an error: no honest sender makes one.
func isKnown(tx *store.Tx, id contact.ODID, f frame) (bool, error) {
	if f.Type != frameMessage {
		return false, nil
	}
	at, found, err := idTable.Get(tx, f.ID[:])
	if err == nil && found && (at.Contact != id || at.Direction != In) {
		err = fmt.Errorf("%w: id of another message", errProtocol)
	}
	return found, err
}

// keep appends a message, or the gap that a skip leaves, to the history.
func (s *Service) keep(tx *store.Tx, id contact.ODID, peer *account, f frame) error {
	now := millis(tx.Now())
	r := record{Direction: In, State: Received, Kind: f.Kind, Body: f.Body, Sent: f.At, Delivered: now}
	if f.Type == frameMessage {
		r.ID = *f.ID
	} else {
		var err error
		if r.ID, err = NewID(); err != nil {
			return err
		}
		r.Kind, r.Sent, r.Note = KindGap, now, f.Skip.String()
		if n := f.To - f.Seq + 1; n > 1 {
			r.Note = fmt.Sprintf("%d messages %s", n, f.Skip)
		}
	}
	peer.Order++
	if err := putNew(tx, id, peer.Order, r); err != nil {
		return err
	}
	if r.Kind == KindFile {
		if err := s.received(tx, id, r.ID, r.Body); err != nil {
			return err
		}
	}
	return emit(tx, contact.MessageReceived, id, r.ID, Received)
}
