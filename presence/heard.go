package presence

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Each calls f with what is known of every device that was heard since the start,
// or whose key is held, in no order; of all others Of knows at most when they were
// heard before, as Sightings tells. f must be short and call nothing of s.
func (s *Service) Each(f func(peer contact.ODID, p Presence)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer, o := range s.origins {
		f(peer, o.presence())
	}
}

// Sightings calls f with when each device was last heard, as far as it was written
// down; what Each tells is newer.
func (s *Service) Sightings(f func(peer contact.ODID, last time.Time)) error {
	return s.cfg.DB.View(func(tx *store.Tx) error {
		for row, err := range sightings().Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if len(row.Key) == len(contact.ODID{}) {
				f(contact.ODID(row.Key), fromMilli(row.Value.Last))
			}
		}
		return nil
	})
}
