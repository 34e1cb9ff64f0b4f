package presence

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// GossipProtocol is the stream on which two contacts pass on what they hear of
// others.
const GossipProtocol transport.Protocol = "/contacts/gossip/1"

const (
	firstLink = time.Second // waiting before a link that failed is tried again
	lastLink  = 15 * time.Minute
	yielding  = 5 * time.Second // that one of the two waits for the other to open the link
	shunned   = 15 * time.Minute
	renewFrom = 12 * time.Minute // age at which a beacon is renewed for those who hear of it through others
)

// Relays counts beacons that came through others, and that were passed on.
type Relays struct {
	Taken  uint64 // were news
	Known  uint64 // had been heard before
	Passed uint64 // sent to others
}

type relays struct{ Taken, Known, Passed atomic.Uint64 }

// Gossip returns what was relayed since the start, and how many contacts this
// device gossips with now.
func (s *Service) Gossip() (counts Relays, links int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Relays{s.relays.Taken.Load(), s.relays.Known.Load(), s.relays.Passed.Load()}, len(s.links)
}

// SetGossip turns gossip on or off. With it off nothing is passed on here and
// nothing comes through others.
func (s *Service) SetGossip(on bool) {
	s.mu.Lock()
	s.gossipOff = !on
	s.mu.Unlock()
	s.poke()
}

// gossiping reports whether this device gossips; mu is held. Who is invisible
// says nothing.
func (s *Service) gossiping() bool {
	return !s.gossipOff && s.choice.State != Invisible && !s.ending
}

// mutual is a connected peer as the store has it.
type mutual struct{ told, gossips bool }

// updateLinks ends the links that may not be, and has those opened that may; mu
// is held. It returns the peers to open links to.
func (s *Service) updateLinks(peers map[contact.ODID]mutual, asked map[contact.ODID]bool) (start []contact.ODID, end []*link) {
	on := s.gossiping()
	for peer, l := range s.links {
		if !on || !peers[peer].gossips {
			end = append(end, l)
		}
	}
	for peer, k := range s.linkers {
		if !on || !peers[peer].gossips {
			k.cancel()
		} else if asked[peer] {
			select {
			case k.retry <- struct{}{}:
			default:
			}
		}
	}
	for peer, m := range peers {
		if on && m.gossips && s.links[peer] == nil && s.linkers[peer] == nil {
			start = append(start, peer)
		}
	}
	return start, end
}

// openLinks keeps a link with peer until ctx ends or the peer has opened one. Of
// two devices the one with the smaller ODID goes first.
func (s *Service) openLinks(ctx context.Context, peer contact.ODID, k *sender) {
	defer func() {
		k.cancel()
		s.mu.Lock()
		delete(s.linkers, peer)
		s.mu.Unlock()
		s.poke()
	}()
	var wait time.Duration
	if self := s.cfg.Network.Self(); string(self[:]) > string(peer[:]) {
		wait = yielding
	}
	for next := firstLink; ; next = min(2*next, lastLink) {
		if !pause(ctx, k, wait) {
			return
		}
		s.mu.Lock()
		linked := s.links[peer] != nil
		s.mu.Unlock()
		if linked {
			return
		}
		began := time.Now()
		err := s.openLink(ctx, peer)
		if ctx.Err() != nil || errors.Is(err, errForbidden) {
			return
		}
		s.cfg.Log.Debug("gossip ended", "peer", peer.Short(), "error", err)
		s.shun(peer, err)
		switch {
		case lasting(err):
			next = lastLink
		case time.Since(began) > lastLink:
			next = firstLink
		}
		wait = jitter(next, 2)
	}
}

func (s *Service) openLink(ctx context.Context, peer contact.ODID) error {
	opening, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st, err := s.cfg.Network.Open(opening, peer, GossipProtocol)
	if err != nil {
		return err
	}
	return s.gossip(ctx, st)
}

// pause waits for d, or until it is worth trying at once. It returns false if ctx
// ended.
func pause(ctx context.Context, k *sender, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-k.retry:
	}
	return true
}

// renewal reports whether the current beacon is to be made anew, since somebody
// hears of this device through others; mu is held.
func (s *Service) renewal(now time.Time) bool {
	if s.current == nil || s.current.final || now.UnixMilli()-int64(s.current.body.Sent) < renewFrom.Milliseconds() {
		return false
	}
	for _, l := range s.links {
		if l.renew {
			return true
		}
	}
	return false
}
