package profile

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// How contacts whose profile changed are asked for it.
const (
	maxWants    = 4096             // contacts that are to be asked; others are noticed again when they connect
	maxAsking   = 4                // at once
	spread      = 20 * time.Second // in which those that changed at once are asked
	restOfOne   = time.Minute      // between two questions to one contact
	maxFailures = 3                // then a contact is asked when it shows its revision again
)

// wants are contacts whose profile is another than the one kept, and when they are
// to be asked for it.
type wants struct {
	wake chan struct{} // holds one element if Run has something to look at

	mu    sync.Mutex
	due   map[contact.ODID]*want
	asked map[contact.ODID]time.Time // when they were asked, for as long as that counts
	busy  int
}

type want struct {
	rev     uint64 // that the contact shows
	at      time.Time
	failed  int
	running bool
}

func newWants() *wants {
	return &wants{
		wake: make(chan struct{}, 1),
		due:  make(map[contact.ODID]*want), asked: make(map[contact.ODID]time.Time),
	}
}

// put has peer asked some time soon, for it shows the revision rev.
func (w *wants) put(peer contact.ODID, rev uint64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.due[peer]; d != nil {
		d.rev = rev
		return
	}
	if len(w.due) >= maxWants {
		return
	}
	at := now.Add(rand.N(spread))
	if next := w.asked[peer].Add(restOfOne); at.Before(next) {
		at = next
	}
	w.due[peer] = &want{rev: rev, at: at}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next returns a contact that is due, or else when to look again.
func (w *wants) next(now time.Time) (peer contact.ODID, ok bool, again time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for peer, at := range w.asked {
		if now.Sub(at) >= restOfOne {
			delete(w.asked, peer)
		}
	}
	again = now.Add(time.Hour)
	if w.busy >= maxAsking {
		return peer, false, again // who ends wakes
	}
	var first *want
	for p, d := range w.due {
		if !d.running && (first == nil || d.at.Before(first.at)) {
			peer, first = p, d
		}
	}
	switch {
	case first == nil:
		return peer, false, again
	case first.at.After(now):
		return peer, false, first.at
	}
	first.running = true
	w.busy++
	w.asked[peer] = now
	return peer, true, again
}

// ended notes what came of asking peer. got is the revision that it has.
func (w *wants) ended(peer contact.ODID, got uint64, err error, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	d := w.due[peer]
	d.running = false
	switch {
	case errors.Is(err, errAway), errors.Is(err, ErrBlocked), err == nil && d.rev == got, d.failed >= maxFailures:
		delete(w.due, peer)
	default: // also if it shows one revision and tells another
		d.failed++
		d.at = now.Add(restOfOne << d.failed)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Noticed is told that a device shows the revision of its profile, 0 if it has
// none. A contact's that is not kept is fetched soon, if it stays connected. It
// returns at once.
func (s *Service) Noticed(peer contact.ODID, rev uint64) {
	if rev == 0 {
		return
	}
	known := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		listed, err := s.listed(tx, peer)
		if err != nil || !listed {
			known = true
			return err
		}
		row, _, err := kepts.Get(tx, peer[:])
		known = row.Rev == rev
		return err
	})
	if err != nil {
		s.log.Error("profile: what is kept can't be read", "peer", peer.Short(), "err", err)
		return
	}
	if !known {
		s.wants.put(peer, rev, time.Now())
	}
}

// Run fetches the profiles of contacts that changed, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	s.sweep()
	var asking sync.WaitGroup
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wants.wake:
		}
		for {
			peer, ok, again := s.wants.next(time.Now())
			if !ok {
				timer.Reset(time.Until(again))
				break
			}
			asking.Go(func() { s.renew(ctx, peer) })
		}
	}
}

// renew fetches the profile of a contact that is connected; nobody is dialled for it.
func (s *Service) renew(ctx context.Context, peer contact.ODID) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	rev, err := s.renewed(ctx, peer)
	if err != nil && ctx.Err() == nil {
		s.log.Debug("profile: not fetched", "peer", peer.Short(), "err", err)
	}
	s.wants.ended(peer, rev, err, time.Now())
}

// errAway: the device is no contact any more, or not connected.
var errAway = errors.New("not a connected contact")

func (s *Service) renewed(ctx context.Context, peer contact.ODID) (rev uint64, err error) {
	kept, _, err := s.known(peer)
	if err != nil {
		return 0, err
	}
	if !kept.Listed || !slices.Contains(s.cfg.Network.Connected(), peer) {
		return 0, errAway
	}
	p, unchanged, err := s.ask(ctx, peer, kept.Rev)
	if err != nil || unchanged {
		return kept.Rev, err
	}
	return p.Rev, s.take(peer, Kept{Profile: p, AsOf: s.cfg.DB.Now()})
}
