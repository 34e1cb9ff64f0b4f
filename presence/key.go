package presence

import (
	"crypto/rand"
	"errors"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

var errKeyReplaced = errors.New("the presence key is being replaced")

// recordHolder notes that peer gets key. It must succeed before the key is sent:
// a holder nobody knows of could read on after it lost the right.
func (s *Service) recordHolder(peer contact.ODID, key presenceKey) error {
	known := false
	check := func(tx *store.Tx) error {
		if err := s.mustTell(tx, peer); err != nil {
			return err
		}
		row, _, err := keys().Get(tx, own())
		if err != nil {
			return err
		}
		if row.Key != key {
			return errKeyReplaced
		}
		_, known, err = holders().Get(tx, peerKey(peer))
		return err
	}
	if err := s.cfg.DB.View(check); err != nil || known {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		if err := check(tx); err != nil || known {
			return err
		}
		return holders().Put(tx, peerKey(peer), holder{At: unixMilli(time.Now())})
	})
}

// review looks at the relations to peers again: who is no longer listed is
// forgotten, who no longer tells its state is unknown, and if one of them held
// the key without being allowed to any more, the key is replaced.
func (s *Service) review(peers map[contact.ODID]bool) error {
	if len(peers) == 0 {
		return nil
	}
	lost := false
	var gone, silent, passing []contact.ODID
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for peer := range peers {
			v, known, err := s.cfg.Relation(tx, peer)
			if err != nil {
				return err
			}
			if !lists(v, known) {
				gone = append(gone, peer)
			} else if !v.Received.Has(contact.Presence) {
				silent = append(silent, peer)
			} else {
				passing = append(passing, peer)
			}
			_, held, err := holders().Get(tx, peerKey(peer))
			if err != nil {
				return err
			}
			lost = lost || held && !mayTell(v, known)
		}
		return nil
	})
	if err == nil && lost {
		err = s.replaceKey()
	}
	if err == nil && len(gone) > 0 {
		err = s.forget(gone)
	}
	if err == nil {
		err = s.unhold(silent)
	}
	s.hush(silent)
	s.keepStreams(passing)
	return err
}

// reviewHolders replaces the key if a holder lost its right while Run did not run.
func (s *Service) reviewHolders() error {
	lost := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for row, err := range holders().Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if err := s.mustTell(tx, contact.ODID(row.Key)); errors.Is(err, errNotAllowed) {
				lost = true
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && lost {
		err = s.replaceKey()
	}
	return err
}

// replaceKey makes a new key that nobody holds. The streams that stand hand it
// over with the next beacon.
func (s *Service) replaceKey() error {
	if err := s.cfg.DB.Update(NewKey); err != nil {
		return err
	}
	s.mu.Lock()
	s.remint = true
	s.mu.Unlock()
	return nil
}

// NewKey makes a new presence key that nobody holds. Whoever restores a store from
// a copy calls it: the copy does not know to whom the key was given since, and who
// of them may no longer have it.
func NewKey(tx *store.Tx) error {
	var held [][]byte
	for row, err := range holders().Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		held = append(held, row.Key)
	}
	for _, peer := range held {
		if err := holders().Delete(tx, peer); err != nil {
			return err
		}
	}
	row, _, err := keys().Get(tx, own())
	if err != nil {
		return err
	}
	rand.Read(row.Key[:])
	return keys().Put(tx, own(), row)
}
