package presence

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

// How often a device may change its mind, a second and at once. Both ends keep
// to it, so a beacon in excess is not dropped: whoever sends too fast is read at
// this pace.
const (
	beaconRate  = 1
	beaconBurst = 5
)

// Drops counts beacons that were not taken.
type Drops struct {
	Forged       uint64 // not sealed or signed by its origin
	Malformed    uint64 // broken beacons, frames and limits
	Oversized    uint64 // frames over the limit
	Stale        uint64 // out of its time
	Replayed     uint64 // older than one already taken
	NotPermitted uint64 // of a device that is no contact any more
	Unasked      uint64 // passed on, of a device that this one does not know
	TooMany      uint64 // passed on, beyond one a second of a device
}

// Dropped returns how many beacons were not taken since the start.
func (s *Service) Dropped() Drops {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drops
}

var (
	errSequence  = errors.New("a stream begins with the presence key")
	errNotListed = errors.New("no longer a contact")
	errSuperior  = errors.New("superseded by a newer stream")
)

// Handle serves a stream that a peer opened to tell its presence, and owns it.
func (s *Service) Handle(ctx context.Context, st transport.Stream, d contact.Decision) {
	if d != contact.Serve {
		_ = st.Reset()
		return
	}
	in, err := s.enter(st)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
		err = s.listen(ctx, in)
		stop()
		s.leave(in, errors.Is(err, io.EOF))
	}
	if errors.Is(err, io.EOF) {
		_ = st.Close()
		return
	}
	_ = st.Reset()
	s.cfg.Log.Debug("presence of a contact ended", "peer", st.Peer().Short(), "error", err)
}

// listen reads frames until the stream ends. It returns io.EOF after a clean end.
func (s *Service) listen(ctx context.Context, in *inbound) error {
	r := transport.NewFrameReader(in, maxFrame)
	var key *presenceKey
	for {
		if err := in.SetDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		var f frame
		if err := r.Read(&f); err != nil {
			if errors.Is(err, transport.ErrFrame) {
				s.count(err)
			}
			return err
		}
		if err := in.from.limit.Wait(ctx); err != nil {
			return err
		}
		if f.Key != nil {
			key = f.Key
		}
		if key == nil {
			s.count(errMalformed)
			return errSequence
		}
		if f.Clock > maxTime {
			s.count(errMalformed)
			return fmt.Errorf("%w: clock", errMalformed)
		}
		err := s.hear(in, *key, f)
		switch {
		case errors.Is(err, errNotListed):
			s.count(err)
			return err
		case errors.Is(err, errSuperior):
			return err
		case err != nil:
			s.count(err)
			s.cfg.Log.Debug("beacon dropped", "peer", in.Peer().Short(), "error", err)
		}
	}
}

func (s *Service) count(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errForged):
		s.drops.Forged++
	case errors.Is(err, errStale):
		s.drops.Stale++
	case errors.Is(err, errReplayed):
		s.drops.Replayed++
	case errors.Is(err, errNotListed):
		s.drops.NotPermitted++
	case errors.Is(err, transport.ErrFrameSize):
		s.drops.Oversized++
	default:
		s.drops.Malformed++
	}
}

// hear takes one frame after the key.
func (s *Service) hear(in *inbound, key presenceKey, f frame) error {
	now := time.Now()
	if f.Beacon == nil {
		if f.Key == nil {
			return s.keptAlive(in, now)
		}
		return nil
	}
	peer := in.Peer()
	listed, passes := false, false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		v, known, err := s.cfg.Relation(tx, peer)
		listed, passes = lists(v, known), mayPass(v, known)
		return err
	})
	if err == nil && !listed {
		err = errNotListed
	}
	if err != nil {
		return err
	}
	b, err := unsealOwn(peer, key, f.Beacon)
	if err != nil {
		return err
	}
	if err := b.timely(now, f.Clock); err != nil {
		return err
	}
	ahead := offset(now, f.Clock)
	as := sealed{key, f.Beacon}
	if f.Clock == 0 {
		as = sealed{} // how old it is can't be told to others
	} else if passes {
		s.keep(peer, in.from, key, ahead)
	}
	if err := s.take(in, b, as, now, ahead); err != nil {
		return err
	}
	if len(b.Addresses) > 0 {
		s.cfg.Addresses.Learn(peer, b.Addresses)
	}
	return nil
}

func (s *Service) keptAlive(in *inbound, now time.Time) error {
	o := in.from
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.in != in {
		return errSuperior
	}
	if o.state != Unknown && o.state != Offline {
		o.heard, o.dirty = now, true
	}
	return nil
}

// sealed is a beacon as it came, and the key that opened it.
type sealed struct {
	key    presenceKey
	beacon []byte
}

// take makes b what is known of its origin. The same beacon again is no replay:
// a device that reconnects repeats what it said.
func (s *Service) take(in *inbound, b beacon, as sealed, now time.Time, ahead time.Duration) error {
	o := in.from
	s.mu.Lock()
	switch {
	case o.in != in || s.origins[o.peer] != o:
		s.mu.Unlock()
		return errSuperior
	case b.Seq < o.seq:
		s.mu.Unlock()
		return errReplayed
	}
	in.last, in.ahead = as, ahead
	news := b.Seq > o.newsAbove()
	o.relayed = false
	s.become(o, b, now, ahead)
	if o.held && o.key == as.key {
		o.sealed, o.hops, o.sought = as.beacon, 0, false
	}
	if o.supplier != nil {
		o.supplier.queue(o, tellStop)
		o.supplier = nil
	}
	if news {
		s.spread(o, nil)
	}
	s.mu.Unlock()
	s.deliver()
	return nil
}
