package relation

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/stamp"
)

// minter makes the stamps for this device's asks: one hash at a time, so that it
// takes the memory of one, on a goroutine of Run. What it made is in memory alone;
// after a restart the challenge is another one anyway.
type minter struct {
	self contact.ODID
	work stamp.Work
	done func(peer contact.ODID) // called when the stamps for peer are made

	mu    sync.Mutex
	jobs  map[contact.ODID]*job
	queue []contact.ODID
	wake  chan struct{}

	each   atomic.Int64 // nanoseconds that a hash took lately
	made   atomic.Uint64
	hashes atomic.Uint64
}

// job is the stamps for one ask.
type job struct {
	order  stamp.Order
	until  time.Time          // when the challenge lapses
	cancel context.CancelFunc // of the one that is being worked on
	nonces []uint64
}

func (j *job) complete() bool { return len(j.nonces) == j.order.Challenge.Count }

func newMinter(self contact.ODID, work stamp.Work, done func(contact.ODID)) *minter {
	return &minter{self: self, work: work, done: done, jobs: make(map[contact.ODID]*job), wake: make(chan struct{}, 1)}
}

// margin is how long before a challenge lapses stamps are not sent any more: they
// would come too late.
const margin = 10 * time.Second

// busy reports whether stamps for an ask of peer are made, or are there and were not
// shown to it: sent says that what there is was.
func (m *minter) busy(peer contact.ODID, ask contact.Digest, sent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.works(peer, ask, sent)
}

func (m *minter) works(peer contact.ODID, ask contact.Digest, sent bool) bool {
	j := m.jobs[peer]
	return j != nil && j.order.Ask == ask && time.Now().Before(j.until) && (!sent || !j.complete())
}

// order has stamps made for an ask of peer, unless it is busy with that.
func (m *minter) order(peer contact.ODID, ask contact.Digest, c stamp.Challenge, sent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.works(peer, ask, sent) {
		return
	}
	m.end(peer)
	m.jobs[peer] = &job{
		order: stamp.Order{Challenge: c, Author: m.self, Subject: peer, Ask: ask},
		until: time.Now().Add(stamp.Lifetime - margin),
	}
	m.queue = append(m.queue, peer)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// end forgets the job for peer. The caller holds mu.
func (m *minter) end(peer contact.ODID) {
	if j := m.jobs[peer]; j != nil && j.cancel != nil {
		j.cancel()
	}
	delete(m.jobs, peer)
}

// drop ends what is under way for peer: nothing is asked of it any more.
func (m *minter) drop(peer contact.ODID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end(peer)
}

// proof returns the stamps for an ask of peer, nil if they are not made.
func (m *minter) proof(peer contact.ODID, ask contact.Digest) *stamp.Proof {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[peer]
	if j == nil || j.order.Ask != ask || !j.complete() || !time.Now().Before(j.until) {
		return nil
	}
	return &stamp.Proof{Challenge: j.order.Challenge, Nonces: j.nonces}
}

// Minting is how far the stamps for an ask are.
type Minting struct {
	Made, Count int
	Left        time.Duration // that the rest takes on average; 0 while it is not known
}

// progress returns how far the stamps for peer are; ok is false if none are made.
func (m *minter) progress(peer contact.ODID) (p Minting, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[peer]
	if j == nil {
		return p, false
	}
	c := j.order.Challenge
	p = Minting{Made: len(j.nonces), Count: c.Count}
	p.Left = time.Duration((p.Count-p.Made)<<c.Bits) * time.Duration(m.each.Load())
	return p, true
}

// Minting returns how far the stamps for the request to peer are; ok is false if it wants
// none, or has them.
func (s *Service) Minting(peer contact.ODID) (p Minting, ok bool) { return s.minter.progress(peer) }

// minting returns how far the stamps for a request of this device are; ok is false if
// the other device knows of it, or wants none.
func (s *Service) minting(r Request) (p Minting, ok bool) {
	if r.Told {
		return p, false
	}
	return s.minter.progress(r.ODID)
}

// run makes stamps until ctx ends.
func (m *minter) run(ctx context.Context) {
	for {
		j, peer, working := m.next(ctx)
		if j == nil {
			select {
			case <-ctx.Done():
				return
			case <-m.wake:
			}
			continue
		}
		m.make(working, peer, j)
		if ctx.Err() != nil {
			return
		}
	}
}

// next returns the job whose turn it is, and a context that ends with its challenge
// or when it is dropped; nil if there is none.
func (m *minter) next(ctx context.Context) (*job, contact.ODID, context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) > 0 {
		peer := m.queue[0]
		m.queue = m.queue[1:]
		if j := m.jobs[peer]; j != nil && j.cancel == nil && !j.complete() {
			working, cancel := context.WithDeadline(ctx, j.until)
			j.cancel = cancel
			return j, peer, working
		}
	}
	return nil, contact.ODID{}, nil
}

func (m *minter) make(ctx context.Context, peer contact.ODID, j *job) {
	defer j.cancel()
	m.calibrate() // so that it can be told how long it takes
	for i := range j.order.Challenge.Count {
		from := time.Now()
		nonce, hashes, err := j.order.Make(ctx, m.work, i)
		m.hashes.Add(hashes)
		if err != nil {
			break
		}
		m.each.Store(int64(time.Since(from)) / int64(hashes))
		m.made.Add(1)
		m.mu.Lock()
		j.nonces = append(j.nonces, nonce)
		m.mu.Unlock()
	}
	m.mu.Lock()
	if !j.complete() && m.jobs[peer] == j {
		delete(m.jobs, peer) // the challenge lapsed: there is another one to be had
	}
	m.mu.Unlock()
	m.done(peer)
}

// Calibrate returns how long one hash of a stamp takes on this device, measured once
// unless stamps were made lately.
func (s *Service) Calibrate() time.Duration { return s.minter.calibrate() }

func (m *minter) calibrate() time.Duration {
	if each := m.each.Load(); each > 0 {
		return time.Duration(each)
	}
	const hashes = 3
	best := time.Duration(math.MaxInt64)
	for range hashes {
		from := time.Now()
		m.work.Sum(nil)
		best = min(best, time.Since(from))
	}
	m.each.CompareAndSwap(0, int64(max(best, 1)))
	return time.Duration(m.each.Load())
}

// Stamps counts what was done about stamps since the start.
type Stamps struct {
	Made   uint64 // for asks of this device
	Hashes uint64 // that this took: the work that was spent
	Good   uint64 // of others, examined
	Bad    uint64

	Paid, Challenged, Later uint64 // asks of strangers
}

// Stamps returns the counts.
func (s *Service) Stamps() Stamps {
	return Stamps{
		Made: s.minter.made.Load(), Hashes: s.minter.hashes.Load(),
		Good: s.desk.good.Load(), Bad: s.desk.bad.Load(),
		Paid: s.desk.paid.Load(), Challenged: s.desk.challenged.Load(), Later: s.desk.later.Load(),
	}
}
