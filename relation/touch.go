package relation

import (
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
	running int
}

type attempt struct {
	at      time.Time
	failed  int
	running bool
	again   bool // something new was said while running
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

// soon plans an exchange in d, or earlier if one is planned earlier.
func (k *keeper) soon(peer contact.ODID, d time.Duration) {
	a := k.due[peer]
	if a == nil {
		a = &attempt{at: time.Now().Add(d)}
		k.due[peer] = a
	}
	if d == 0 {
		a.failed = 0
		a.again = a.running
	}
	if at := time.Now().Add(d); at.Before(a.at) {
		a.at = at
	}
}

// next returns when the earliest exchange that could start is due.
func (k *keeper) next() time.Time {
	next := time.Now().Add(time.Hour)
	if k.running >= maxExchanges {
		return next
	}
	for _, a := range k.due {
		if !a.running && a.at.Before(next) {
			next = a.at
		}
	}
	return next
}

func (k *keeper) start() {
	now := time.Now()
	for peer, a := range k.due {
		if k.running >= maxExchanges {
			return
		}
		if a.running || a.at.After(now) {
			continue
		}
		if !k.s.MayDial(peer) {
			delete(k.due, peer)
			continue
		}
		a.running = true
		k.running++
		k.workers.Go(func() {
			err := k.s.Exchange(k.ctx, peer)
			select {
			case k.done <- result{peer, err}:
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
		a.at = time.Now()
	case r.err != nil:
		k.s.log.Debug("relation: not in touch", "peer", r.peer.Short(), "err", r.err)
		a.at = time.Now().Add(backoff(a.failed))
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
