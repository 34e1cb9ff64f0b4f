package relation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"contactsd/contact"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
)

// Limits of an exchange.
const (
	maxFrame        = 12 << 10 // bytes
	maxAddresses    = 16
	maxAddressSize  = 256 // bytes
	exchangeTimeout = 10 * time.Second
)

// frame is one message of an exchange; see the package's documentation.
type frame struct {
	Mine      *contact.Signed     `cbor:"1,keyasint,omitempty"`
	Yours     *contact.Signed     `cbor:"2,keyasint,omitempty"`
	Addresses []transport.Address `cbor:"3,keyasint,omitempty"`
	Full      bool                `cbor:"4,keyasint,omitempty"`
	Name      string              `cbor:"5,keyasint,omitempty"`
	Later     bool                `cbor:"6,keyasint,omitempty"`
	Said      *digest             `cbor:"7,keyasint,omitempty"` // brief: of what it would say
	Held      *digest             `cbor:"8,keyasint,omitempty"` // brief: of what it heard last
	Same      bool                `cbor:"9,keyasint,omitempty"` // answer to that: there is no news
	Profile   uint64              `cbor:"10,keyasint,omitempty"`
	Challenge *stamp.Challenge    `cbor:"11,keyasint,omitempty"` // what the receiver's ask has to be stamped for
	Stamps    *stamp.Proof        `cbor:"12,keyasint,omitempty"` // of the sender's ask
	Receipt   *contact.Receipt    `cbor:"13,keyasint,omitempty"` // of stamps that were taken: given, and shown again
}

func (f frame) check() error {
	if len(f.Addresses) > maxAddresses {
		return fmt.Errorf("%d addresses, at most %d", len(f.Addresses), maxAddresses)
	}
	for _, a := range f.Addresses {
		if len(a) > maxAddressSize {
			return fmt.Errorf("an address of %d bytes, at most %d", len(a), maxAddressSize)
		}
	}
	return contact.CheckText("name", f.Name, contact.MaxNameSize)
}

// heard is a frame of the peer, verified.
type heard struct {
	frame
	mine  *contact.Statement // what the peer says
	yours *contact.Statement // what this device said, as the peer holds it
}

// errStatement is returned for a frame whose statements are not the peer's and
// this device's own about each other.
var errStatement = errors.New("a statement that is not about these two devices")

func (s *Service) verify(peer contact.ODID, f frame) (heard, error) {
	h := heard{frame: f}
	if err := f.check(); err != nil {
		return h, err
	}
	open := func(signed *contact.Signed, author, subject contact.ODID) (*contact.Statement, error) {
		if signed == nil {
			return nil, nil
		}
		st, err := signed.Open()
		if err != nil {
			return nil, err
		}
		if st.Author != author || st.Subject != subject {
			return nil, errStatement
		}
		return &st, nil
	}
	var err error
	if h.mine, err = open(f.Mine, peer, s.self); err != nil {
		return h, err
	}
	h.yours, err = open(f.Yours, s.self, peer)
	return h, err
}

// say returns what tells the peer all it may know. It is read by an
// Update, which waits for a commit under way: a View could see one that is not synced
// yet, and a statement is durable before it is told.
func (s *Service) say(peer contact.ODID) (saying, error) {
	var f saying
	listed := false
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		f.frame = frame{Mine: e.row.Mine, Yours: e.row.Theirs}
		listed = e.listed()
		f.shown = e.row.Profile
		f.held, f.calm = e.row.Held, listed && !contact.Unacknowledged(e.mine, e.row.Marks)
		if err != nil || e.mine == nil || e.mine.Ask == nil {
			return err
		}
		return s.show(tx, &e, &f)
	})
	if err == nil && listed {
		own := s.cfg.Addresses.Own()
		f.Addresses = own[:min(len(own), maxAddresses)]
		f.Name, f.Profile = s.cfg.Name(), s.cfg.Profile()
	}
	return f, err
}

// Exchange opens a stream to peer, shows it what this device says and takes what
// it says. When it returns nil both sides hold the other's newest statement. It
// returns ErrLater if the peer has no place for this device's request.
func (s *Service) Exchange(ctx context.Context, peer contact.ODID) error {
	return s.meet(ctx, peer, false)
}

// meet is Exchange; with full it says that there is no room for the connection.
func (s *Service) meet(ctx context.Context, peer contact.ODID, full bool) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	st, err := s.cfg.Network.Open(ctx, peer, Protocol)
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.Reset() })
	defer stop()
	if err := s.exchange(st, peer, full); err != nil {
		st.Reset()
		return fmt.Errorf("exchange statements with %s: %w", peer.Short(), err)
	}
	return nil
}

func (s *Service) exchange(st transport.Stream, peer contact.ODID, full bool) error {
	out, err := s.say(peer)
	if err != nil {
		return err
	}
	r := transport.NewFrameReader(st, maxFrame)
	if brief, ok := out.brief(); ok {
		brief.Full = full
		if err := transport.WriteFrame(st, brief, maxFrame); err != nil {
			return err
		}
		var in frame
		if err := r.Read(&in); err != nil {
			return err
		}
		if in.Same {
			s.cfg.Noticed(peer, out.shown)
			return nil
		}
	}
	out.Full = full
	if err := transport.WriteFrame(st, out.frame, maxFrame); err != nil {
		return err
	}
	var in frame
	if err := r.Read(&in); err != nil {
		return err
	}
	h, err := s.verify(peer, in)
	if err != nil {
		return err
	}
	t, is, err := s.take(peer, h)
	if err != nil {
		return err
	}
	s.cfg.Noticed(peer, h.Profile)
	owed, err := s.owe(peer, out.frame, in)
	if err != nil {
		return err
	}
	now, err := s.say(peer)
	if err != nil {
		return err
	}
	last := frame{Yours: now.Yours}
	t.tell(&last, is)
	if !same(now.Mine, out.Mine) { // what the peer said ended a pairing, or undid something
		last.Mine, last.Addresses, last.Name, last.Profile = now.Mine, now.Addresses, now.Name, now.Profile
	}
	switch {
	case owed:
		return nil
	case in.Later && in.Challenge == nil:
		return ErrLater
	case in.Mine == nil && last.Mine == nil:
		return nil // nothing to acknowledge, and who answers a stranger has closed already
	}
	return transport.WriteFrame(st, last, maxFrame)
}

func same(a, b *contact.Signed) bool {
	return a == b || a != nil && b != nil && bytes.Equal(a.Bytes, b.Bytes)
}

// Handle answers an exchange that a peer opened.
func (s *Service) Handle(_ context.Context, st transport.Stream, d contact.Decision) {
	defer st.Close()
	if err := st.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		st.Reset()
		return
	}
	answer := s.answer
	if d != contact.Serve {
		answer = s.answerStranger
	}
	if err := answer(st); err != nil {
		s.log.Debug("relation: exchange broken off", "peer", st.Peer().Short(), "err", err)
		st.Reset()
	}
}

func (s *Service) answer(st transport.Stream) error {
	r := transport.NewFrameReader(st, maxFrame)
	in, done, err := s.begin(st, r, contact.Serve)
	if err != nil {
		return err
	}
	var t toll
	is := contact.Discard
	if !done {
		if t, is, err = s.hear(st.Peer(), frame{}, in); err != nil {
			return err
		}
	}
	if in.Full {
		s.inbox.put(notice{st.Peer(), full})
	}
	if done {
		return nil
	}
	return s.conclude(st, r, t, is)
}

// hear takes a frame of the peer, which answers shown. It says what became of a
// request in it.
func (s *Service) hear(peer contact.ODID, shown, in frame) (toll, contact.Admission, error) {
	h, err := s.verify(peer, in)
	if err != nil {
		return toll{}, contact.Discard, err
	}
	t, is, err := s.take(peer, h)
	if err != nil {
		return t, is, err
	}
	s.cfg.Noticed(peer, h.Profile)
	_, err = s.owe(peer, shown, in)
	return t, is, err
}

// conclude tells the peer all it may know, and takes what it says to that.
func (s *Service) conclude(st transport.Stream, r *transport.FrameReader, t toll, is contact.Admission) error {
	out, err := s.say(st.Peer())
	if err != nil {
		return err
	}
	shown := out.frame
	t.tell(&out.frame, is)
	if err := transport.WriteFrame(st, out.frame, maxFrame); err != nil {
		return err
	}
	var in frame
	if err := r.Read(&in); errors.Is(err, io.EOF) {
		return nil // it will acknowledge at the next occasion
	} else if err != nil {
		return err
	}
	_, _, err = s.hear(st.Peer(), shown, in)
	return err
}

// confirmRetry is how long Confirm waits before it asks again.
const confirmRetry = 200 * time.Millisecond

// Confirm exchanges statements with peer until both name the pairing id. It
// returns the context's error if that does not happen in time.
func (s *Service) Confirm(ctx context.Context, peer contact.ODID, id contact.PairID) error {
	for {
		err := s.Exchange(ctx, peer)
		if err == nil && s.confirmed(peer, id) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(confirmRetry):
		}
	}
}

func (s *Service) confirmed(peer contact.ODID, id contact.PairID) (yes bool) {
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		yes = e.mine != nil && e.mine.Pair != nil && *e.mine.Pair == id &&
			e.theirs != nil && e.theirs.Pair != nil && *e.theirs.Pair == id
		return err
	})
	return err == nil && yes
}
