package presence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// origin is what is known of a device that was heard since the start. Its fields
// are guarded by Service.mu, limit guards itself.
type origin struct {
	stream transport.Stream // the newest one it opened, nil if none
	limit  *rate.Limiter
	state  State
	text   string
	since  time.Time
	heard  time.Time // last frame of a state, zero if never
	seq    uint64    // highest taken
	dirty  bool      // heard was not saved yet
}

func (o *origin) presence() Presence {
	return Presence{State: o.state, Text: o.text, Since: o.since, LastSeen: o.heard}
}

// How often a device may change its mind, a second and at once. Both ends keep
// to it, so a beacon in excess is not dropped: whoever sends too fast is read at
// this pace.
const (
	beaconRate  = 1
	beaconBurst = 5
)

// Drops counts beacons that were not taken.
type Drops struct {
	Forged    uint64 // not sealed or signed by its origin
	Malformed uint64 // broken beacons, frames and limits
	Stale     uint64 // out of its time
	Replayed  uint64 // older than one already taken
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
	peer := st.Peer()
	o, err := s.enter(peer, st)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
		err = s.listen(ctx, st, o)
		stop()
		s.leave(peer, o, st)
	}
	if errors.Is(err, io.EOF) {
		_ = st.Close()
		return
	}
	_ = st.Reset()
	s.cfg.Log.Debug("presence of a contact ended", "peer", peer.Short(), "error", err)
}

// enter makes st the stream of peer and ends the one before.
func (s *Service) enter(peer contact.ODID, st transport.Stream) (*origin, error) {
	row, _, err := s.sighting(peer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	o := s.origins[peer]
	if o == nil {
		o = &origin{limit: rate.NewLimiter(beaconRate, beaconBurst+1), heard: fromMilli(row.Last), seq: row.Seq}
		s.origins[peer] = o
	}
	before := o.stream
	o.stream = st
	s.mu.Unlock()
	if before != nil {
		_ = before.Reset()
	}
	return o, nil
}

func (s *Service) sighting(peer contact.ODID) (row seen, ok bool, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		row, ok, err = sightings().Get(tx, peerKey(peer))
		return err
	})
	return row, ok, err
}

// leave makes peer's state unknown unless it said goodbye or came back already.
func (s *Service) leave(peer contact.ODID, o *origin, st transport.Stream) {
	s.mu.Lock()
	if o.stream == st {
		o.stream = nil
		if o.state != Offline {
			s.unknown(peer, o)
		}
	}
	s.mu.Unlock()
	s.deliver()
}

// hush makes the state of peers unknown that no longer let this device see it.
func (s *Service) hush(peers []contact.ODID) {
	s.mu.Lock()
	for _, peer := range peers {
		if o := s.origins[peer]; o != nil {
			s.unknown(peer, o)
		}
	}
	s.mu.Unlock()
	s.deliver()
}

// unknown forgets the state of o; mu is held.
func (s *Service) unknown(peer contact.ODID, o *origin) {
	if o.state == Unknown || s.origins[peer] != o {
		return
	}
	o.state, o.text, o.since = Unknown, "", time.Time{}
	s.tellWatchers(peer, o.presence())
}

// listen reads frames until the stream ends. It returns io.EOF after a clean end.
func (s *Service) listen(ctx context.Context, st transport.Stream, o *origin) error {
	r := transport.NewFrameReader(st, maxFrame)
	var key *presenceKey
	for {
		if err := st.SetDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		var f frame
		if err := r.Read(&f); err != nil {
			if errors.Is(err, transport.ErrFrame) {
				s.count(errMalformed)
			}
			return err
		}
		if err := o.limit.Wait(ctx); err != nil {
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
		err := s.hear(st, o, *key, f)
		switch {
		case errors.Is(err, errNotListed), errors.Is(err, errSuperior):
			return err
		case err != nil:
			s.count(err)
			s.cfg.Log.Debug("beacon dropped", "peer", st.Peer().Short(), "error", err)
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
	default:
		s.drops.Malformed++
	}
}

// hear takes one frame after the key.
func (s *Service) hear(st transport.Stream, o *origin, key presenceKey, f frame) error {
	now := time.Now()
	if f.Beacon == nil {
		if f.Key == nil {
			return s.keptAlive(st, o, now)
		}
		return nil
	}
	peer := st.Peer()
	listed := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		v, known, err := s.cfg.Relation(tx, peer)
		listed = lists(v, known)
		return err
	})
	if err == nil && !listed {
		err = errNotListed
	}
	if err != nil {
		return err
	}
	b, err := unseal(peer, key, f.Beacon)
	if err != nil {
		return err
	}
	if err := b.timely(now, f.Clock); err != nil {
		return err
	}
	if err := s.take(st, o, b, now, offset(now, f.Clock)); err != nil {
		return err
	}
	if len(b.Addresses) > 0 {
		s.cfg.Addresses.Learn(peer, b.Addresses)
	}
	return nil
}

func (s *Service) keptAlive(st transport.Stream, o *origin, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.stream != st {
		return errSuperior
	}
	if o.state != Unknown && o.state != Offline {
		o.heard, o.dirty = now, true
	}
	return nil
}

// take makes b what is known of its origin. The same beacon again is no replay:
// a device that reconnects repeats what it said.
func (s *Service) take(st transport.Stream, o *origin, b beacon, now time.Time, ahead time.Duration) error {
	peer := st.Peer()
	s.mu.Lock()
	switch {
	case o.stream != st || s.origins[peer] != o:
		s.mu.Unlock()
		return errSuperior
	case b.Seq < o.seq:
		s.mu.Unlock()
		return errReplayed
	}
	since := fromMilli(b.Since).Add(ahead)
	if since.After(now) {
		since = now
	}
	changed := o.state != b.State || o.text != b.Text
	o.state, o.text, o.since, o.seq = b.State, b.Text, since, b.Seq
	o.heard, o.dirty = now, true
	if changed {
		s.tellWatchers(peer, o.presence())
	}
	s.mu.Unlock()
	s.deliver()
	return nil
}

// Of returns what is known of peer. A device that was never heard is Unknown.
func (s *Service) Of(peer contact.ODID) Presence {
	s.mu.Lock()
	o := s.origins[peer]
	var p Presence
	if o != nil {
		p = o.presence()
	}
	s.mu.Unlock()
	if o != nil {
		return p
	}
	row, _, err := s.sighting(peer)
	if err != nil {
		s.cfg.Log.Error("when a contact was last heard can't be read", "peer", peer.Short(), "error", err)
	}
	return Presence{LastSeen: fromMilli(row.Last)}
}

// forget drops all that is known of peers which are no contacts any more.
func (s *Service) forget(peers []contact.ODID) error {
	var had []contact.ODID
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for _, peer := range peers {
			_, ok, err := sightings().Get(tx, peerKey(peer))
			if err != nil {
				return err
			}
			if ok {
				had = append(had, peer)
			}
		}
		return nil
	})
	if err == nil && len(had) > 0 {
		err = s.cfg.DB.Update(func(tx *store.Tx) error {
			for _, peer := range had {
				if err := sightings().Delete(tx, peerKey(peer)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	var streams []transport.Stream
	s.mu.Lock()
	for _, peer := range peers {
		o := s.origins[peer]
		if o == nil {
			continue
		}
		delete(s.origins, peer)
		if o.stream != nil {
			streams = append(streams, o.stream)
		}
		if o.state != Unknown {
			s.tellWatchers(peer, Presence{})
		}
	}
	s.mu.Unlock()
	for _, st := range streams {
		_ = st.Reset()
	}
	s.deliver()
	return nil
}

// save writes the times last heard that changed.
func (s *Service) save() {
	rows := make(map[contact.ODID]seen)
	s.mu.Lock()
	for peer, o := range s.origins {
		if o.dirty {
			rows[peer] = seen{unixMilli(o.heard), o.seq}
			o.dirty = false
		}
	}
	s.mu.Unlock()
	if len(rows) == 0 {
		return
	}
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		for peer, row := range rows {
			if err := sightings().Put(tx, peerKey(peer), row); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	s.cfg.Log.Error("times last heard can't be saved", "error", err)
	s.mu.Lock()
	for peer := range rows {
		if o := s.origins[peer]; o != nil {
			o.dirty = true
		}
	}
	s.mu.Unlock()
}
