package presence

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// partTime bounds how long Part takes.
const partTime = 2 * time.Second

// Part ends what is told to peer, whose connection is about to be ended on
// purpose: the stream ends without a farewell, which says that what was told last
// holds on for a while. So does what was heard of peer. Part returns when the peer
// has read all, after 2 s at most.
func (s *Service) Part(peer contact.ODID) {
	s.mu.Lock()
	s.parted[peer] = true
	if o := s.origins[peer]; o != nil && o.in != nil {
		o.in.parted = true
	}
	snd := s.senders[peer]
	s.mu.Unlock()
	if snd == nil {
		return
	}
	select {
	case snd.part <- struct{}{}:
	default:
	}
	late := time.NewTimer(partTime)
	defer late.Stop()
	select {
	case <-snd.done:
	case <-late.C:
	}
}

// Owes reports whether peer may see this device's state but does not hold the
// present key.
func (s *Service) Owes(tx *store.Tx, peer contact.ODID) (bool, error) {
	if _, held, err := holders().Get(tx, peerKey(peer)); err != nil || held {
		return false, err
	}
	v, known, err := s.cfg.Relation(tx, peer)
	return err == nil && mayTell(v, known), err
}
