package file

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// How much is done at once.
const (
	maxPrepares = 1
	maxPulls    = 4
	maxTells    = 4
)

// Between attempts that failed.
const (
	firstDelay = 5 * time.Second
	lastDelay  = 15 * time.Minute
)

// lane is a transfer for which there is something to do.
type lane struct {
	id       ID
	peer     contact.ODID
	work     work
	due      time.Time
	attempts int    // that failed, one after another
	trouble  string // why the last one did
	held     uint64 // chunks that were found to be on the disk, since the start
	stop     context.CancelFunc
	running  bool
	again    bool // something changed while it ran
}

// Run does what transfers need until ctx ends; then it returns nil once its
// goroutines have ended.
func (s *Service) Run(ctx context.Context) error {
	if err := s.loadWork(); err != nil {
		return err
	}
	cancel := s.net.Watch(s.connection)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { s.sweeping(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		ready, next := s.ready(ctx, now)
		for _, l := range ready {
			work.Go(func() { s.attempt(l.ctx, l.lane) })
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(next.Sub(now))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.kick:
		case <-timer.C:
		}
	}
}

func (s *Service) loadWork() error {
	var list []record
	err := s.db.View(func(tx *store.Tx) error {
		for row, err := range workTable.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			r, err := get(tx, ID(row.Key))
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	for _, r := range list {
		s.arrange(r)
	}
	return err
}

// arrange has what a transfer needs done at once, and stops what it needs no more.
func (s *Service) arrange(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, w := s.lanes[r.ID], r.work()
	switch {
	case l == nil && w == workNone:
		return
	case l == nil:
		l = &lane{id: r.ID, peer: r.Contact}
		s.lanes[r.ID] = l
	case l.running && l.work != w:
		l.stop()
	case !l.running && w == workNone:
		delete(s.lanes, r.ID)
		return
	}
	if l.running {
		l.again = true
		return
	}
	l.work, l.attempts, l.due = w, 0, time.Now()
	signal(s.kick)
}

// started is a lane whose turn has come, with its context.
type started struct {
	lane *lane
	ctx  context.Context
}

// ready takes the lanes that are due, as many as may run, those first whose peers
// are connected, and says when the next one is.
func (s *Service) ready(ctx context.Context, now time.Time) (begin []started, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := map[work]int{workPrepare: maxPrepares, workPull: maxPulls, workTell: maxTells}
	var due []*lane
	for _, l := range s.lanes {
		switch {
		case l.running:
			free[l.work]--
		case !l.due.After(now):
			due = append(due, l)
		case next.IsZero() || l.due.Before(next):
			next = l.due
		}
	}
	slices.SortFunc(due, func(a, b *lane) int {
		if s.connected[a.peer] != s.connected[b.peer] {
			if s.connected[a.peer] {
				return -1
			}
			return 1
		}
		return cmp.Or(a.due.Compare(b.due), slices.Compare(a.id[:], b.id[:]))
	})
	for _, l := range due {
		if free[l.work] <= 0 {
			continue // the end of one that runs looks again
		}
		free[l.work]--
		l.running, l.again = true, false
		inner, stop := context.WithCancel(ctx)
		l.stop = stop
		begin = append(begin, started{l, inner})
	}
	return begin, next
}

// attempt runs one step of a lane and plans the next one.
func (s *Service) attempt(ctx context.Context, l *lane) {
	err := s.do(ctx, l.id)
	stopped := ctx.Err() != nil
	l.stop()
	w := workNone
	if viewErr := s.db.View(func(tx *store.Tx) error {
		r, err := get(tx, l.id)
		w = r.work()
		return err
	}); viewErr != nil {
		err = cmp.Or(err, viewErr)
	}
	if err != nil && !stopped {
		s.log.Debug("transfer waits", "peer", l.peer.Short(), "id", l.id.String(), "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer signal(s.kick)
	l.running = false
	if w == workNone {
		delete(s.lanes, l.id)
		return
	}
	l.work, l.trouble = w, ""
	if err != nil && !stopped {
		l.trouble = words(err)
	}
	if err == nil || l.again || stopped {
		l.attempts, l.due = 0, time.Now()
		return
	}
	l.due = time.Now().Add(delay(l.attempts))
	l.attempts++
}

// delay is how long to wait after so many failures and one more, a little more or
// less, so that not all come at once.
func delay(failures int) time.Duration {
	d := lastDelay
	if failures < 8 {
		d = min(firstDelay<<failures, lastDelay)
	}
	return d - rand.N(d/4)
}

// words tells a person why an attempt failed.
func words(err error) string {
	if said, ok := errors.AsType[*refusal](err); ok {
		return said.Error()
	}
	return err.Error()
}

// connection is told by the network who comes and goes.
func (s *Service) connection(peer contact.ODID, connected bool) {
	s.mu.Lock()
	if connected {
		s.connected[peer] = true
	} else {
		delete(s.connected, peer)
	}
	s.mu.Unlock()
	if connected {
		s.wake(peer)
	}
}

// wake has whatever waits for a peer tried at once.
func (s *Service) wake(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if l.peer != peer {
			continue
		}
		if l.running {
			l.again = true
			continue
		}
		l.attempts, l.due = 0, time.Now()
	}
	signal(s.kick)
}

// halt stops whatever moves between this device and a peer.
func (s *Service) halt(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if l.peer == peer && l.running {
			l.stop()
		}
	}
	for v := range s.serving {
		if v.st.Peer() == peer {
			v.st.Reset()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
