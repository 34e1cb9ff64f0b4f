package profile

import (
	"errors"

	"contactsd/contact"
	"contactsd/store"
)

// RelationChanged is told that the relation to peer is another one: of whom is no
// contact any more nothing is kept. It returns at once.
func (s *Service) RelationChanged(peer contact.ODID) {
	s.looks.drop(peer)
	gone := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		_, kept, err := kepts.Get(tx, peer[:])
		if err != nil || !kept {
			return err
		}
		listed, err := s.listed(tx, peer)
		gone = !listed
		return err
	})
	if err == nil && gone {
		s.cfg.DB.Later(func(tx *store.Tx) error { return s.forgetUnlisted(tx, peer) }, func(err error) { s.unforgotten(peer, err) })
	} else {
		s.unforgotten(peer, err)
	}
}

// sweep forgets what is left of contacts whose removal was the last thing before a
// crash.
func (s *Service) sweep() {
	var peers []contact.ODID
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		peers = nil
		for row, err := range orders.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			peer := peerOf(row.Key)
			listed, err := s.listed(tx, peer)
			if err != nil {
				return err
			}
			if !listed {
				peers = append(peers, peer)
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("profile: what is kept can't be read", "err", err)
	}
	for _, peer := range peers {
		s.RelationChanged(peer)
	}
}

func (s *Service) forgetUnlisted(tx *store.Tx, peer contact.ODID) error {
	listed, err := s.listed(tx, peer)
	if err != nil || listed {
		return err
	}
	return forget(tx, peer)
}

func (s *Service) unforgotten(peer contact.ODID, err error) {
	if err != nil && !errors.Is(err, store.ErrClosed) {
		s.log.Error("profile: what is kept of a removed contact is not forgotten", "peer", peer.Short(), "err", err)
	}
}
