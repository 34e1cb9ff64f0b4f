package spam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// How paired contacts are told of reports.
const (
	maxTelling  = 4 // contacts at once
	firstRetry  = time.Minute
	lastRetry   = 6 * time.Hour
	sweepEvery  = time.Hour
	tellTimeout = 10 * time.Second
)

// due are connected contacts that may have to be told something.
type due struct {
	wake chan struct{} // holds one element if Run has something to look at

	mu    sync.Mutex
	peers map[contact.ODID]*turn
	busy  int
}

type turn struct {
	at      time.Time
	failed  int
	running bool
	again   bool // there is something new since it runs
}

func newDue() *due {
	return &due{wake: make(chan struct{}, 1), peers: make(map[contact.ODID]*turn)}
}

// look has Run look at once.
func (d *due) look() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// put has peer told soon.
func (d *due) put(peer contact.ODID, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.peers[peer]
	switch {
	case t == nil:
		d.peers[peer] = &turn{at: now}
	case t.running:
		t.again = true
		return
	default:
		t.at, t.failed = now, 0
	}
	d.look()
}

func (d *due) drop(peer contact.ODID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.peers[peer]; t != nil && !t.running {
		delete(d.peers, peer)
	}
}

// next returns a contact whose time has come, or else when to look again.
func (d *due) next(now time.Time) (peer contact.ODID, ok bool, again time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	again = now.Add(sweepEvery)
	if d.busy >= maxTelling {
		return peer, false, again // who ends wakes
	}
	for p, t := range d.peers {
		switch {
		case t.running:
		case !t.at.After(now):
			t.running = true
			d.busy++
			return p, true, again
		case t.at.Before(again):
			again = t.at
		}
	}
	return peer, false, again
}

// ended notes what came of telling peer.
func (d *due) ended(peer contact.ODID, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	t := d.peers[peer]
	again := t.again
	t.running, t.again = false, false
	switch {
	case err != nil:
		t.at = now.Add(min(firstRetry<<min(t.failed, 16), lastRetry))
		t.failed++
	case again:
		t.at, t.failed = now, 0
	default:
		delete(d.peers, peer)
	}
	d.look()
}

// wakeAll has all that are connected told.
func (s *Service) wakeAll() {
	now := time.Now()
	for _, peer := range s.cfg.Network.Connected() {
		s.due.put(peer, now)
	}
}

// RelationChanged has peer told what it may know now.
func (s *Service) RelationChanged(peer contact.ODID) {
	if slices.Contains(s.cfg.Network.Connected(), peer) {
		s.due.put(peer, time.Now())
	}
}

// Owes reports whether there is something to tell peer, for which a connection is
// worth making.
func (s *Service) Owes(tx *store.Tx, peer contact.ODID) (bool, error) {
	me, _, err := selves.Get(tx, selfKey())
	if err != nil || me.Shared == 0 {
		return false, err
	}
	t, _, err := tolds.Get(tx, peer[:])
	if err != nil || t.Seq >= me.Shared {
		return false, err
	}
	v, _, err := s.cfg.Relation(tx, peer)
	return v.Trust >= contact.Paired, err
}

// Run tells paired contacts of reports while they are connected, ends locks and forgets
// what is over, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	cancel := s.cfg.Network.Watch(func(peer contact.ODID, up bool) {
		if up {
			s.due.put(peer, time.Now())
		} else {
			s.due.drop(peer)
		}
	})
	defer cancel()
	var telling sync.WaitGroup
	defer telling.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.due.wake:
		}
		unlocks, err := s.unlock()
		if err != nil {
			s.log.Error("spam: the lock of asks can't be read", "err", err)
		}
		if now := time.Now(); now.Sub(swept) >= sweepEvery {
			swept = now
			if err := s.sweep(); err != nil {
				s.log.Error("spam: reports can't be looked through", "err", err)
			}
		}
		for {
			peer, ok, again := s.due.next(time.Now())
			if !ok {
				if !unlocks.IsZero() && unlocks.Before(again) {
					again = unlocks
				}
				timer.Reset(time.Until(again))
				break
			}
			telling.Go(func() {
				err := s.tell(ctx, peer)
				if err != nil && ctx.Err() == nil {
					s.log.Debug("spam: not told of reports", "peer", peer.Short(), "err", err)
				}
				s.due.ended(peer, err, time.Now())
			})
		}
	}
}

// tell brings peer all reports that it does not have, if it is a paired contact.
func (s *Service) tell(ctx context.Context, peer contact.ODID) error {
	for {
		list, err := s.untold(peer)
		if err != nil || len(list) == 0 || !slices.Contains(s.cfg.Network.Connected(), peer) {
			return err
		}
		if err := s.bring(ctx, peer, list); err != nil {
			return err
		}
	}
}

// untold returns the next own reports that peer does not have, in order.
func (s *Service) untold(peer contact.ODID) (list []own, err error) {
	owes := false
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		owes, err = s.Owes(tx, peer)
		return err
	})
	if err != nil || !owes {
		return nil, err
	}
	// An Update waits for a commit under way: what is told is durable.
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		list = nil
		t, _, err := tolds.Get(tx, peer[:])
		if err != nil {
			return err
		}
		me, _, err := selves.Get(tx, selfKey())
		if err != nil {
			return err
		}
		for row, err := range owns.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.Share && row.Value.Seq > t.Seq {
				list = append(list, row.Value)
			}
		}
		if len(list) == 0 { // what there was to tell was forgotten
			return tolds.Put(tx, peer[:], told{me.Shared})
		}
		return nil
	})
	slices.SortFunc(list, func(a, b own) int { return cmp.Compare(a.Seq, b.Seq) })
	return list[:min(len(list), maxStream)], err
}

// bring tells peer of reports until it says later, which is an error.
func (s *Service) bring(ctx context.Context, peer contact.ODID, list []own) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	st, err := s.cfg.Network.Open(ctx, peer, Protocol)
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.Reset() })
	defer stop()
	r := transport.NewFrameReader(st, maxFrame)
	for _, one := range list {
		is, err := exchange(st, r, one.Report)
		if err != nil {
			st.Reset()
			return fmt.Errorf("tell %s of a report: %w", peer.Short(), err)
		}
		if is == later {
			return fmt.Errorf("%s takes no more reports today", peer.Short())
		}
		s.counts.told.Add(1)
		err = s.cfg.DB.Update(func(tx *store.Tx) error { return tolds.Put(tx, peer[:], told{one.Seq}) })
		if err != nil {
			return err
		}
	}
	return st.CloseWrite()
}

func exchange(st transport.Stream, r *transport.FrameReader, report contact.Signed) (outcome, error) {
	if err := transport.WriteFrame(st, request{report}, maxFrame); err != nil {
		return 0, err
	}
	var out response
	if err := r.Read(&out); err != nil {
		return 0, err
	}
	return out.Outcome, out.check()
}
