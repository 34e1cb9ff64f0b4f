package presence

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// drift is how far an origin's clock may move before that is written down.
const drift = 30 * time.Second

// mayPass is the rule of whose beacons this device keeps the key of, and takes
// and passes on when others bring them: of those who let it see their state.
func mayPass(v contact.View, known bool) bool {
	return lists(v, known) && v.Received.Has(contact.Presence)
}

// keep notes the presence key that o handed over, and how far its clock is off.
// It is written down with the next commit, for which nobody waits.
func (s *Service) keep(peer contact.ODID, o *origin, key presenceKey, ahead time.Duration) {
	s.mu.Lock()
	if s.origins[peer] != o {
		s.mu.Unlock()
		return
	}
	moved := ahead - o.ahead
	same := o.held && o.key == key && moved.Abs() < drift
	o.ahead = ahead
	if !same {
		s.rekey(o, key)
	}
	s.mu.Unlock()
	if same {
		return
	}
	row := held{key, ahead.Milliseconds()}
	s.cfg.DB.Later(func(tx *store.Tx) error {
		v, known, err := s.cfg.Relation(tx, peer)
		if err != nil || !mayPass(v, known) {
			return err
		}
		before, ok, err := heldKeys().Get(tx, peerKey(peer))
		off := time.Duration(before.Ahead-row.Ahead) * time.Millisecond
		if err != nil || ok && before.Key == key && off.Abs() < drift {
			return err
		}
		return heldKeys().Put(tx, peerKey(peer), row)
	}, func(err error) {
		if err != nil {
			s.cfg.Log.Error("the presence key of a contact can't be kept", "peer", peer.Short(), "error", err)
		}
	})
}

// keepStreams notes the keys of peers whose statement came after their beacon.
func (s *Service) keepStreams(peers []contact.ODID) {
	for _, peer := range peers {
		s.mu.Lock()
		o := s.origins[peer]
		if o == nil || o.in == nil || o.in.last.beacon == nil || o.held && o.key == o.in.last.key {
			s.mu.Unlock()
			continue
		}
		last, ahead := o.in.last, o.in.ahead
		s.mu.Unlock()
		s.keep(peer, o, last.key, ahead)
		s.mu.Lock()
		if o.held && o.key == last.key && o.sealed == nil && o.direct() {
			o.sealed, o.hops = last.beacon, 0
			s.spread(o, nil)
		}
		s.mu.Unlock()
	}
}

// loadHeld brings the keys that were kept into memory, at the first link.
func (s *Service) loadHeld() error {
	s.loading.Lock()
	defer s.loading.Unlock()
	if s.loaded {
		return nil
	}
	type kept struct {
		peer contact.ODID
		held
		seen
	}
	var list []kept
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for row, err := range heldKeys().Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			peer := contact.ODID(row.Key)
			v, known, err := s.cfg.Relation(tx, peer)
			if err != nil {
				return err
			}
			if !mayPass(v, known) {
				continue // it went while this device was off
			}
			last, _, err := sightings().Get(tx, peerKey(peer))
			if err != nil {
				return err
			}
			if list = append(list, kept{peer, row.Value, last}); len(list) == maxTopics/2 {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range list {
		o := s.origins[k.peer]
		if o == nil {
			o = newOrigin(k.peer, k.seen)
			s.origins[k.peer] = o
		}
		if !o.held {
			o.ahead = time.Duration(k.Ahead) * time.Millisecond
			s.rekey(o, k.Key)
		}
	}
	s.loaded = true
	return nil
}

// rekey makes key the one by which beacons of o are known; mu is held. Beacons
// under the one before are not taken any more.
func (s *Service) rekey(o *origin, key presenceKey) {
	if o.held && o.key == key {
		return
	}
	s.unkey(o)
	if s.topics == maxTopics/2 {
		return
	}
	s.topics++
	o.held, o.key = true, key
	for _, l := range s.links {
		l.diff.know = append(l.diff.know, l.ownMask(o))
		s.match(l, o, key, nil)
		l.poke()
	}
}

// unkey forgets the key of o and all that is known by it; mu is held.
func (s *Service) unkey(o *origin) {
	if !o.held {
		return
	}
	for _, l := range s.links {
		l.diff.forget = append(l.diff.forget, l.ownMask(o))
		s.part(l, o)
		l.poke()
	}
	s.topics--
	o.held, o.key, o.sealed, o.supplier, o.asked = false, presenceKey{}, nil, nil, nil
	delete(s.chased, o)
}

// unhold forgets the keys of peers that are no longer told of here, on disk too.
func (s *Service) unhold(peers []contact.ODID) error {
	if len(peers) == 0 {
		return nil
	}
	kept := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for _, peer := range peers {
			_, ok, err := heldKeys().Get(tx, peerKey(peer))
			if err != nil {
				return err
			}
			kept = kept || ok
		}
		return nil
	})
	if err == nil && kept {
		err = s.cfg.DB.Update(func(tx *store.Tx) error {
			for _, peer := range peers {
				if err := heldKeys().Delete(tx, peerKey(peer)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, peer := range peers {
		if o := s.origins[peer]; o != nil {
			s.unkey(o)
		}
	}
	return nil
}
