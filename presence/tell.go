package presence

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

var (
	errNotAllowed = errors.New("the contact may not see the presence")
	errEnded      = errors.New("the contact ended the stream")
)

// tell opens a stream to peer and tells it what is and what changes. It returns
// nil when the last word is said.
func (s *Service) tell(ctx context.Context, peer contact.ODID, snd *sender) (err error) {
	openCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st, err := s.cfg.Network.Open(openCtx, peer, Protocol)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// The peer has nothing to say here: whatever comes is the end.
		_, _ = st.Read(make([]byte, 1))
	}()
	abort := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer func() {
		abort()
		if err == nil {
			err = st.Close()
		}
		if err != nil {
			_ = st.Reset()
		}
		<-ended
	}()

	out := outgoing{s: s, peer: peer, stream: st, limit: rate.NewLimiter(rate.Limit(beaconRate), beaconBurst)}
	for {
		cur, changed := s.newest()
		if cur == nil || cur.final && out.seq == 0 {
			return nil
		}
		again, next := jitter(keepAlive, 10), out.keepAlive
		if out.seq == 0 && s.refresh() {
			next = nil // what a new stream begins with is on its way
		} else if turn := out.limit.Reserve(); out.seq == cur.body.Seq {
			turn.Cancel()
		} else if wait := turn.Delay(); wait > 0 && !cur.final {
			// What changes meanwhile replaces what waits.
			turn.Cancel()
			again, next = wait, nil
		} else if err := out.say(cur); err != nil {
			return err
		}
		if cur.final {
			return conclude(ctx, st, ended)
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-ended:
			err = errEnded
		case <-changed:
		case <-snd.part:
			timer.Stop()
			return conclude(ctx, st, ended)
		case <-timer.C:
			if next != nil {
				err = next()
			}
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
}

// conclude waits until the peer has read all and closed its end: a network that
// stops next would lose what is on its way. A peer that takes too long is left.
func conclude(ctx context.Context, st transport.Stream, ended <-chan struct{}) error {
	if err := st.CloseWrite(); err != nil {
		return err
	}
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// outgoing is the state of one stream to a listener.
type outgoing struct {
	s      *Service
	peer   contact.ODID
	stream transport.Stream
	limit  *rate.Limiter
	key    presenceKey // handed over, zero before
	seq    uint64      // told, 0 before
}

func (o *outgoing) keepAlive() error { return o.write(frame{}) }

// say sends cur, and its key before it unless the peer has that.
func (o *outgoing) say(cur *minted) error {
	if o.key != cur.key {
		if err := o.s.recordHolder(o.peer, cur.key); err != nil {
			return err
		}
		key := cur.key
		if err := o.write(frame{Key: &key, Clock: unixMilli(o.s.cfg.DB.Now())}); err != nil {
			return err
		}
		o.key = cur.key
	}
	if err := o.write(frame{Beacon: cur.sealed, Clock: unixMilli(o.s.cfg.DB.Now())}); err != nil {
		return err
	}
	o.seq = cur.body.Seq
	return nil
}

// write sends a frame if the peer may still be told: the store is asked each
// time, so that a permission withdrawn acts with its commit.
func (o *outgoing) write(f frame) error {
	err := o.s.cfg.DB.View(func(tx *store.Tx) error { return o.s.mustTell(tx, o.peer) })
	if err != nil {
		return err
	}
	// Reads end at this time, too; the next write moves it.
	if err := o.stream.SetDeadline(time.Now().Add(2 * keepAlive)); err != nil {
		return err
	}
	return transport.WriteFrame(o.stream, f, maxFrame)
}

func (s *Service) mustTell(tx *store.Tx, peer contact.ODID) error {
	v, known, err := s.cfg.Relation(tx, peer)
	if err == nil && !mayTell(v, known) {
		err = errNotAllowed
	}
	return err
}
