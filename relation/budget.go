package relation

import (
	"context"
	"math/rand/v2"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// How many connections with contacts are kept, and what becomes of the others.
const (
	budget     = 64               // unless Config.Budget says otherwise
	spareEvery = 10 * time.Second // while there are more
	restTime   = 6 * time.Hour    // that a contact without room is left alone, give or take a quarter
	usedFor    = 2 * time.Hour    // that a use is remembered
)

// Used notes that a message, or an act of the user, goes over the connection with
// peer: those that are used are kept longest.
func (s *Service) Used(peer contact.ODID) {
	now := time.Now()
	s.usedMu.Lock()
	defer s.usedMu.Unlock()
	if now.Sub(s.used[peer]) > time.Second {
		s.used[peer] = now
	}
}

// forgetUses forgets uses that count no more.
func (s *Service) forgetUses(now time.Time) {
	s.usedMu.Lock()
	defer s.usedMu.Unlock()
	for peer, at := range s.used {
		if now.Sub(at) > usedFor {
			delete(s.used, peer)
		}
	}
}

// line is a connected peer.
type line struct {
	since   time.Time
	contact bool // it counts for the budget
	leaving bool // it is being left
}

// join notes that peer connected, or looks again at what it is.
func (k *keeper) join(peer contact.ODID, now time.Time) {
	l := k.connected[peer]
	if l == nil {
		l = &line{since: now}
		k.connected[peer] = l
	}
	l.contact = k.s.MayDial(peer)
}

// lines counts the connections that the budget is about.
func (k *keeper) lines() (n int) {
	for _, l := range k.connected {
		if l.contact && !l.leaving {
			n++
		}
	}
	return n
}

// over reports whether there are more.
func (k *keeper) over() bool { return k.s.cfg.Disconnect != nil && k.lines() > k.s.cfg.Budget }

// full reports whether another connection needs a reason.
func (k *keeper) full() bool { return k.lines() >= k.s.cfg.Budget }

// resting reports whether peer said that it has no room.
func (k *keeper) resting(peer contact.ODID, now time.Time) bool {
	until, ok := k.rests[peer]
	if ok && !now.Before(until) {
		delete(k.rests, peer)
		return false
	}
	return ok
}

// wanted reports whether peer is worth a connection to be made: there is room at
// both ends, or there is something to say.
func (k *keeper) wanted(peer contact.ODID) bool {
	return !k.full() && !k.resting(peer, time.Now()) || k.s.owes(peer)
}

// owes reports whether this device has something to say to peer.
func (s *Service) owes(peer contact.ODID) (yes bool) {
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		staged, err := s.cfg.Staged(tx, peer)
		if yes = staged && !e.blocked() || contact.Unacknowledged(e.mine, e.row.Marks); yes || err != nil {
			return err
		}
		a, open, err := s.openAsk(tx, &e)
		if yes = open && a.Owes; yes || err != nil {
			return err
		}
		yes, err = s.cfg.Owes(tx, peer)
		return err
	})
	return err == nil && yes
}

// spare ends the connections beyond the budget.
func (k *keeper) spare(now time.Time) error {
	k.s.forgetUses(now)
	k.spareAt = now.Add(spareEvery)
	var links []contact.Link
	err := k.s.cfg.DB.View(func(tx *store.Tx) error {
		for peer, l := range k.connected {
			if !l.contact || l.leaving {
				continue
			}
			v, _, err := k.s.View(tx, peer)
			if err != nil {
				return err
			}
			a := k.due[peer]
			links = append(links, contact.Link{Peer: peer, Trust: v.Trust, Since: l.since, Busy: a != nil && a.running})
		}
		return nil
	})
	if err != nil {
		return err
	}
	k.s.usedMu.Lock()
	for i := range links {
		links[i].Used = k.s.used[links[i].Peer]
	}
	k.s.usedMu.Unlock()
	for _, peer := range contact.Spare(links, k.s.cfg.Budget, now) {
		k.connected[peer].leaving = true
		k.workers.Go(func() { k.s.leave(k.ctx, peer) })
	}
	return nil
}

// leave ends the connection with a contact, which is told that there is no room,
// so that it does not come back without a reason.
func (s *Service) leave(ctx context.Context, peer contact.ODID) {
	s.cfg.Leaving(peer)
	if err := s.meet(ctx, peer, true); err != nil {
		s.log.Debug("relation: not told that there is no room", "peer", peer.Short(), "err", err)
	}
	s.cfg.Disconnect(peer)
}

// rest leaves peer alone: it has no room.
func (k *keeper) rest(peer contact.ODID, now time.Time) {
	k.rests[peer] = now.Add(restTime - restTime/4 + rand.N(restTime/2))
}
