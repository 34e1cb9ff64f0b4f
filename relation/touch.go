package relation

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// How Run keeps in touch.
const (
	maxExchanges = 8 // at once
	firstRetry   = 5 * time.Second
	lastRetry    = 15 * time.Minute
)

// keeper is Run's view of whom to exchange statements with, and when. One
// goroutine owns it.
type keeper struct {
	s       *Service
	ctx     context.Context
	workers sync.WaitGroup
	done    chan result
	due     map[contact.ODID]*attempt
	order   schedule // of due, with entries that are out of date
	running int
}

type attempt struct {
	at      time.Time
	failed  int
	running bool
	again   bool // something happened while running
}

type result struct {
	peer contact.ODID
	err  error
}

// Run keeps in touch with the contacts until ctx ends: it exchanges statements
// with each that connects, dials those that are not connected, with backoff, and
// offers the last statement about a removed one until it is acknowledged.
func (s *Service) Run(ctx context.Context) error {
	k := &keeper{s: s, ctx: ctx, done: make(chan result), due: make(map[contact.ODID]*attempt)}
	cancel := s.cfg.Network.Watch(func(peer contact.ODID, up bool) {
		if up {
			s.inbox.put(notice{peer, connected})
		} else {
			s.inbox.put(notice{peer, disconnected})
		}
	})
	defer cancel()
	if err := k.begin(); err != nil {
		return err
	}
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
				k.soon(n.peer, n.why.delay())
			}
		case r := <-k.done:
			k.ended(r)
		}
		k.start()
	}
}

func (r reason) delay() time.Duration {
	switch r {
	case paired, disconnected:
		return firstRetry
	}
	return 0
}

// begin tells the transport the stored addresses and plans a first try for
// everybody there is a reason to reach.
func (k *keeper) begin() error {
	known := make(map[contact.ODID][]transport.Address)
	err := k.s.cfg.DB.View(func(tx *store.Tx) error {
		clear(known)
		for row, err := range devices.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			e, err := takeApart(contact.ODID(row.Key), row.Value, true)
			if err != nil {
				return err
			}
			if e.listed() || contact.Unacknowledged(e.mine, e.row.Marks) {
				known[e.peer] = e.row.Addresses
			}
		}
		return nil
	})
	for peer, addrs := range known {
		k.s.cfg.Addresses.Learn(peer, addrs)
		k.soon(peer, 0)
	}
	return err
}

// plan has the exchange of a peer begin at a time.
func (k *keeper) plan(peer contact.ODID, a *attempt, at time.Time) {
	a.at = at
	heap.Push(&k.order, turn{at, peer})
}

// upcoming returns the earliest turn that still holds; ok is false if none does.
func (k *keeper) upcoming() (t turn, ok bool) {
	for len(k.order) > 0 {
		t = k.order[0]
		if a := k.due[t.peer]; a != nil && !a.running && a.at.Equal(t.at) {
			return t, true
		}
		heap.Pop(&k.order)
	}
	return turn{}, false
}

// soon plans an exchange in d, or earlier if one is planned earlier.
func (k *keeper) soon(peer contact.ODID, d time.Duration) {
	at := time.Now().Add(d)
	a := k.due[peer]
	if a == nil {
		a = &attempt{}
		k.due[peer] = a
		k.plan(peer, a, at)
		return
	}
	if d == 0 {
		a.failed = 0
	}
	if a.running {
		a.again = true
	} else if at.Before(a.at) {
		k.plan(peer, a, at)
	}
}

// next returns when the earliest exchange that could start is due.
func (k *keeper) next() time.Time {
	if k.running < maxExchanges {
		if t, ok := k.upcoming(); ok {
			return t.at
		}
	}
	return time.Now().Add(time.Hour)
}

func (k *keeper) start() {
	now := time.Now()
	for k.running < maxExchanges {
		t, ok := k.upcoming()
		if !ok || t.at.After(now) {
			return
		}
		heap.Pop(&k.order)
		if !k.s.MayDial(t.peer) {
			delete(k.due, t.peer)
			continue
		}
		k.due[t.peer].running = true
		k.running++
		k.workers.Go(func() {
			err := k.s.Exchange(k.ctx, t.peer)
			select {
			case k.done <- result{t.peer, err}:
			case <-k.ctx.Done():
			}
		})
	}
}

func (k *keeper) ended(r result) {
	k.running--
	a := k.due[r.peer]
	a.running = false
	switch {
	case a.again:
		a.again = false
		k.plan(r.peer, a, time.Now())
	case r.err != nil:
		k.s.log.Debug("relation: not in touch", "peer", r.peer.Short(), "err", r.err)
		k.plan(r.peer, a, time.Now().Add(backoff(a.failed)))
		a.failed++
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
