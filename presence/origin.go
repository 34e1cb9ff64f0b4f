package presence

import (
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// origin is what is known of a device that was heard since the start, or whose key
// is held. Its fields are guarded by Service.mu, limit guards itself.
type origin struct {
	peer  contact.ODID
	in    *inbound // the newest stream it opened, nil if none
	limit *rate.Limiter
	state State
	text  string
	since time.Time
	heard time.Time // last frame of a state, zero if never
	seq   uint64    // highest taken
	dirty bool      // heard was not saved yet

	relayed bool      // the state came through others, or its origin made room: it holds until a time
	holds   time.Time // until then, if relayed
	until   time.Time // when the newest beacon ends

	held   bool // key is the one that the origin handed over
	key    presenceKey
	ahead  time.Duration // this device's clock is ahead of the origin's
	sealed []byte        // newest beacon, under key; nil if it is over
	hops   int           // devices that passed it on, 0 if it came from the origin

	sharers  []*link   // whose peers know the topic
	supplier *link     // that brings news, nil if none does
	asked    *link     // that was asked for news
	askedAt  time.Time // when, or when the first offer came that waits
	sought   bool      // others were asked since the newest beacon
}

func newOrigin(peer contact.ODID, row seen) *origin {
	return &origin{peer: peer, limit: rate.NewLimiter(beaconRate, beaconBurst+1), heard: fromMilli(row.Last), seq: row.Seq}
}

// inbound is one stream of an origin.
type inbound struct {
	transport.Stream
	from   *origin
	parted bool // this device ends the connection; guarded by Service.mu

	// The newest beacon taken, and how far this device's clock is ahead of the
	// origin's; guarded by Service.mu.
	last  sealed
	ahead time.Duration
}

func (o *origin) presence() Presence {
	return Presence{State: o.state, Text: o.text, Since: o.since, LastSeen: o.heard, Relayed: o.relayed}
}

// enter makes st the stream of its peer and ends the one before.
func (s *Service) enter(st transport.Stream) (*inbound, error) {
	peer := st.Peer()
	row, _, err := s.sighting(peer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	o := s.origins[peer]
	if o == nil {
		o = newOrigin(peer, row)
		s.origins[peer] = o
	}
	in := &inbound{Stream: st, from: o}
	before := o.in
	o.in = in
	s.mu.Unlock()
	if before != nil {
		_ = before.Reset()
	}
	return in, nil
}

func (s *Service) sighting(peer contact.ODID) (row seen, ok bool, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		row, ok, err = sightings().Get(tx, peerKey(peer))
		return err
	})
	return row, ok, err
}

// leave makes the origin's state unknown unless it said goodbye or came back
// already. After a connection that one of the two ended on purpose, since it has no
// room, the state holds for a while.
func (s *Service) leave(in *inbound, clean bool) {
	o := in.from
	s.mu.Lock()
	if o.in == in {
		o.in = nil
		switch {
		case o.state == Unknown || o.state == Offline || o.relayed:
		case clean || in.parted:
			o.relayed, o.holds = true, time.Now().Add(validity)
		default:
			s.unknown(in.Peer(), o)
		}
		s.seek(o, nil, 1)
	}
	s.mu.Unlock()
	s.deliver()
}

// hush makes the state of peers unknown that no longer let this device see it, and
// ends their streams: one whose leave was on its way, as after a pairing, opens
// another and tells again.
func (s *Service) hush(peers []contact.ODID) {
	var streams []*inbound
	s.mu.Lock()
	for _, peer := range peers {
		o := s.origins[peer]
		if o == nil {
			continue
		}
		if o.in != nil {
			streams = append(streams, o.in)
		}
		s.unknown(peer, o)
	}
	s.mu.Unlock()
	for _, in := range streams {
		_ = in.Reset()
	}
	s.deliver()
}

// unknown forgets the state of o; mu is held.
func (s *Service) unknown(peer contact.ODID, o *origin) {
	if o.state == Unknown || s.origins[peer] != o {
		return
	}
	o.state, o.text, o.since, o.relayed = Unknown, "", time.Time{}, false
	s.tellWatchers(peer, o.presence())
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
	if err := s.unhold(peers); err != nil {
		return err
	}
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
	var streams []*inbound
	s.mu.Lock()
	for _, peer := range peers {
		o := s.origins[peer]
		if o == nil {
			continue
		}
		delete(s.origins, peer)
		if o.in != nil {
			streams = append(streams, o.in)
		}
		if o.state != Unknown {
			s.tellWatchers(peer, Presence{})
		}
	}
	s.mu.Unlock()
	for _, in := range streams {
		_ = in.Reset()
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
