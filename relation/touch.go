package relation

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"contactsd/contact"
)

// How Run keeps in touch.
const (
	maxDials   = 8 // exchanges at once with devices that are not connected
	firstRetry = 5 * time.Second
	lastRetry  = 15 * time.Minute
)

// keeper is Run's view of whom to exchange statements with, and when. Run's
// goroutine alone changes it, and holds mu while it does, for those who look.
type keeper struct {
	s       *Service
	ctx     context.Context // of Run
	workers sync.WaitGroup
	done    chan result

	mu        sync.Mutex
	connected map[contact.ODID]*line
	rests     map[contact.ODID]time.Time // until when those are left alone that have no room
	due       map[contact.ODID]*attempt
	order     schedule       // of due, with entries that are out of date
	backlog   []contact.ODID // whose time has come while all dials were taken
	dials     int

	round  *round    // the walk under way, nil between two
	walkAt time.Time // when it goes on, or the next one begins

	sweepAt time.Time // when quarantine is looked through

	spareAt time.Time // when connections beyond the budget are looked at
}

func newKeeper(s *Service) *keeper {
	return &keeper{
		s: s, done: make(chan result),
		connected: make(map[contact.ODID]*line), rests: make(map[contact.ODID]time.Time),
		due: make(map[contact.ODID]*attempt),
	}
}

type attempt struct {
	at      time.Time
	failed  int       // times in a row
	last    time.Time // when it failed last
	err     error     // of then
	waits   bool      // in the backlog
	running bool
	dialing bool // running, as one of maxDials
	again   bool // there is something new to tell since it runs
	lost    bool // the last connection went since it runs
}

type result struct {
	peer contact.ODID
	err  error
}

// Run keeps in touch with the contacts until ctx ends: it exchanges statements
// with each that connects, dials those that are not connected, with backoff, and
// offers the last statement about a removed one until it is acknowledged.
func (s *Service) Run(ctx context.Context) error {
	k := s.keeper
	k.ctx, k.walkAt = ctx, time.Now()
	cancel := s.cfg.Network.Watch(func(peer contact.ODID, up bool) {
		if up {
			s.inbox.put(notice{peer, connected})
		} else {
			s.inbox.put(notice{peer, disconnected})
		}
	})
	defer cancel()
	k.workers.Go(func() { s.minter.run(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(k.next()))
		select {
		case <-ctx.Done():
			k.workers.Wait()
			return nil
		case <-timer.C:
		case <-s.inbox.wake:
			for _, n := range s.inbox.take() {
				k.note(n)
			}
		case r := <-k.done:
			k.ended(r)
		}
		k.start()
	}
}

// plan has the exchange of a peer begin at a time.
func (k *keeper) plan(peer contact.ODID, a *attempt, at time.Time) {
	a.at, a.waits = at, false
	heap.Push(&k.order, turn{at, peer})
}

// upcoming returns the earliest turn that still holds; ok is false if none does.
func (k *keeper) upcoming() (t turn, ok bool) {
	for len(k.order) > 0 {
		t = k.order[0]
		if a := k.due[t.peer]; a != nil && !a.running && !a.waits && a.at.Equal(t.at) {
			return t, true
		}
		heap.Pop(&k.order)
	}
	return turn{}, false
}

// note plans an exchange for what happened, or brings it forward. After a failure
// only news and a connection that the peer made do so: what a peer does to a
// connection that was made to it is no reason to dial it again at once.
func (k *keeper) note(n notice) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	at := now
	switch n.why {
	case full:
		k.rest(n.peer, now)
		return
	case connected:
		delete(k.rests, n.peer)
		k.join(n.peer, now)
	case disconnected:
		delete(k.connected, n.peer)
		at = now.Add(firstRetry)
	case paired:
		at = now.Add(firstRetry)
	}
	if k.connected[n.peer] != nil {
		k.join(n.peer, now)
	}
	a := k.due[n.peer]
	switch {
	case a == nil:
		a = &attempt{}
		k.due[n.peer] = a
		k.plan(n.peer, a, at)
		return
	case a.running:
		a.again = a.again || n.why == said || n.why == paired
		a.lost = a.lost || n.why == disconnected
		return
	case a.failed == 0:
	case n.why == disconnected, n.why == connected && now.Sub(a.last) < firstRetry:
		return
	case n.why == connected:
		a.failed = 0
	case at.Before(a.last.Add(firstRetry)):
		at = a.last.Add(firstRetry)
	}
	if at.Before(a.at) || a.waits && k.connected[n.peer] != nil {
		k.plan(n.peer, a, at)
	}
}

// linked returns the contacts that are connected.
func (k *keeper) linked() (peers []contact.ODID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for peer, l := range k.connected {
		if l.contact {
			peers = append(peers, peer)
		}
	}
	return peers
}

// next returns when there is something to do.
func (k *keeper) next() time.Time {
	at := time.Now().Add(time.Hour)
	if t, ok := k.upcoming(); ok {
		at = t.at
	}
	if k.idle() && k.walkAt.Before(at) {
		at = k.walkAt
	}
	if k.over() && k.spareAt.Before(at) {
		at = k.spareAt
	}
	return at
}

// idle reports whether there is room for more dials.
func (k *keeper) idle() bool { return len(k.backlog) == 0 && k.dials < maxDials }

// start begins what is due, and walks on while there is room.
func (k *keeper) start() {
	if now := time.Now(); k.over() && !now.Before(k.spareAt) {
		if err := k.spare(now); err != nil {
			k.s.log.Error("relation: connected contacts can't be read", "err", err)
		}
	}
	k.startDue()
	if now := time.Now(); !now.Before(k.sweepAt) {
		k.sweepAt = now.Add(sweepEvery)
		if err := k.s.sweep(); err != nil {
			k.s.log.Error("relation: what is in quarantine can't be looked through", "err", err)
		}
	}
	if !k.idle() || time.Now().Before(k.walkAt) {
		return
	}
	if err := k.walk(); err != nil {
		k.s.log.Error("relation: devices can't be read", "err", err)
	}
	k.startDue()
}

// startDue begins what is due. Devices that have to be dialled take turns, for each
// may take long to fail; whoever is connected does not wait for them.
func (k *keeper) startDue() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.backlog) > 0 && k.dials < maxDials {
		peer := k.backlog[0]
		k.backlog = k.backlog[1:]
		if a := k.due[peer]; a != nil && a.waits {
			a.waits = false
			k.exchange(peer, a)
		}
	}
	for now := time.Now(); ; {
		t, ok := k.upcoming()
		if !ok || t.at.After(now) {
			return
		}
		heap.Pop(&k.order)
		a := k.due[t.peer]
		if k.connected[t.peer] == nil && k.dials == maxDials {
			a.waits = true
			k.backlog = append(k.backlog, t.peer)
			continue
		}
		k.exchange(t.peer, a)
	}
}

// exchange begins an exchange if there is a reason and a way. Else it is
// forgotten: a connection, something new to say, or the walk brings it back.
func (k *keeper) exchange(peer contact.ODID, a *attempt) {
	here := k.connected[peer] != nil
	near := here || k.s.cfg.Addresses.Knows(peer) || len(k.s.Where(peer)) > 0
	if !near || !k.s.MayDial(peer) || !here && !k.wanted(peer) {
		delete(k.due, peer)
		return
	}
	a.running = true
	if a.dialing = !here; a.dialing {
		k.dials++
	}
	k.workers.Go(func() {
		err := k.s.Exchange(k.ctx, peer)
		select {
		case k.done <- result{peer, err}:
		case <-k.ctx.Done():
		}
	})
}

func (k *keeper) ended(r result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.due[r.peer]
	if a.dialing {
		k.dials--
	}
	again, lost := a.again, a.lost
	a.running, a.dialing, a.again, a.lost = false, false, false, false
	now := time.Now()
	switch {
	case r.err != nil:
		k.s.log.Debug("relation: not in touch", "peer", r.peer.Short(), "err", r.err)
		wait := backoff(a.failed)
		if again {
			wait = min(wait, firstRetry)
		}
		a.failed++
		a.last, a.err = now, r.err
		k.plan(r.peer, a, now.Add(wait))
	case again:
		a.failed = 0
		k.plan(r.peer, a, now)
	case lost:
		a.failed = 0
		k.plan(r.peer, a, now.Add(firstRetry))
	default:
		delete(k.due, r.peer)
	}
}

// backoff doubles from 5 s to 15 min and takes up to a quarter off, so that many
// devices which lost each other at once do not return at once.
func backoff(failed int) time.Duration {
	d := min(firstRetry<<min(failed, 10), lastRetry)
	return d - rand.N(d/4)
}

// turn is when a peer's exchange is to begin.
type turn struct {
	at   time.Time
	peer contact.ODID
}

// schedule is a heap of turns, the earliest first.
type schedule []turn

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(t any)        { *s = append(*s, t.(turn)) }
func (s *schedule) Pop() any {
	old := *s
	t := old[len(old)-1]
	*s = old[:len(old)-1]
	return t
}
