package presence

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// minted is a beacon as every listener gets it.
type minted struct {
	key    presenceKey
	body   beacon
	sealed []byte
	final  bool // nothing follows: the stream ends with it
}

// sender tells one peer.
type sender struct {
	cancel context.CancelFunc
	retry  chan struct{} // holds one element if a failed stream is to be tried again at once
	part   chan struct{} // holds one element if the stream is to end without a farewell
	done   chan struct{} // closed when it has ended
}

func newSender(cancel context.CancelFunc) *sender {
	return &sender{cancel, make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})}
}

// mayTell is the rule of who is told.
func mayTell(v contact.View, known bool) bool {
	return known && v.Status == contact.StatusAccepted && v.Given.Has(contact.Presence)
}

// lists is the rule of whom this device listens to.
func lists(v contact.View, known bool) bool {
	return known && (v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming)
}

// update does what changed since it was last called: it replaces the key if a
// holder lost its right, ends and starts senders, and makes a beacon if somebody
// is there to hear it.
func (s *Service) update(ctx context.Context, running *sync.WaitGroup) error {
	s.mu.Lock()
	asked := s.asked
	s.asked = make(map[contact.ODID]bool)
	connected := make([]contact.ODID, 0, len(s.connected))
	for peer := range s.connected {
		if !s.parted[peer] {
			connected = append(connected, peer)
		}
	}
	s.mu.Unlock()

	err := s.review(asked)
	if err == nil && !s.reviewed {
		err = s.reviewHolders()
		s.reviewed = err == nil
	}
	if err != nil {
		s.mu.Lock()
		for peer := range asked {
			s.asked[peer] = true
		}
		s.mu.Unlock()
		return err
	}
	s.mu.Lock()
	early := s.remint && len(s.senders) > 0
	s.mu.Unlock()
	if early { // those who are told already do not wait for what follows
		if err := s.mint(); err != nil {
			return err
		}
	}
	peers := make(map[contact.ODID]mutual)
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		for _, peer := range connected {
			v, known, err := s.cfg.Relation(tx, peer)
			if err != nil {
				return err
			}
			if mayTell(v, known) {
				peers[peer] = mutual{told: true, gossips: gossips(v, known)}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}

	now := time.Now()
	s.mu.Lock()
	var start []contact.ODID
	for peer, snd := range s.senders {
		if !peers[peer].told && !s.parted[peer] {
			snd.cancel()
		} else if asked[peer] {
			select {
			case snd.retry <- struct{}{}:
			default:
			}
		}
	}
	invisible := s.choice.State == Invisible
	for peer := range peers {
		if s.senders[peer] == nil && !invisible {
			start = append(start, peer)
		}
	}
	audience := len(s.senders)+len(start) > 0
	due := s.remint || len(start) > 0 && s.outdated(now) || s.renewal(now)
	links, over := s.updateLinks(peers, asked)
	s.mu.Unlock()
	for _, l := range over {
		_ = l.Reset()
	}

	if due && audience {
		if err := s.mint(); err != nil {
			return err
		}
	}
	if due && !audience {
		s.mu.Lock()
		s.remint, s.current = false, nil
		s.mu.Unlock()
	}
	for _, peer := range start {
		peerCtx, cancel := context.WithCancel(ctx)
		snd := newSender(cancel)
		s.mu.Lock()
		s.senders[peer] = snd
		s.mu.Unlock()
		running.Go(func() { s.send(peerCtx, peer, snd) })
	}
	for _, peer := range links {
		peerCtx, cancel := context.WithCancel(ctx)
		k := newSender(cancel)
		s.mu.Lock()
		s.linkers[peer] = k
		s.mu.Unlock()
		running.Go(func() { s.openLinks(peerCtx, peer, k) })
	}
	return nil
}

// refresh has the current beacon made anew if it is too old for a new stream: one
// that follows a stream which broke, long after the beacon was made. It reports
// whether it has to be.
func (s *Service) refresh() bool {
	s.mu.Lock()
	due := s.outdated(time.Now())
	s.remint = s.remint || due
	s.mu.Unlock()
	if due {
		s.poke()
	}
	return due
}

// outdated reports whether the current beacon is none for a new listener.
func (s *Service) outdated(now time.Time) bool {
	if s.current == nil || s.current.final {
		return true
	}
	age := int64(s.stamp(now)) - int64(s.current.body.Sent)
	return age < 0 || age > renewAfter.Milliseconds()
}

// stamp returns a time as others are told it: by the device's clock, in Unix
// milliseconds.
func (s *Service) stamp(t time.Time) uint64 { return unixMilli(t.Add(time.Until(s.cfg.DB.Now()))) }

// mint makes the beacon of what is now, seq durable, and wakes the senders. Only
// Run calls it.
func (s *Service) mint() error {
	addrs := fit(s.cfg.Addresses.Own())
	now := time.Now()
	s.mu.Lock()
	me := s.mine(now)
	final := s.ending || me.Chosen == Invisible
	s.remint = false
	s.mu.Unlock()

	b := beacon{
		State: me.State, Text: me.Text, Addresses: addrs,
		Since: s.stamp(me.Since), Sent: s.stamp(now), Validity: uint64(validity / time.Second),
	}
	if final {
		b.State, b.Text, b.Addresses = Offline, "", nil
		if me.Chosen != Invisible {
			b.Since = b.Sent
		}
	}
	key, seq, err := s.number(s.cfg.DB.Now())
	b.Seq = seq
	var sealed []byte
	if err == nil {
		sealed, err = seal(s.cfg.Identity, key, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.remint = true
		return err
	}
	s.current = &minted{key, b, sealed, final}
	s.rekey(s.me, key)
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// seqAhead is how far seqs are set apart at once, in milliseconds as they are: so
// many changes cost one commit.
const seqAhead = 60_000

// number returns the present key and the next seq, which is below what the store
// sets apart: none is given twice, whatever crashes. Only Run calls it.
func (s *Service) number(now time.Time) (presenceKey, uint64, error) {
	var row ownKey
	var ok bool
	read := func(tx *store.Tx) (err error) {
		row, ok, err = keys().Get(tx, own())
		return err
	}
	if err := s.cfg.DB.View(read); err != nil {
		return presenceKey{}, 0, err
	}
	seq := contact.NextSeq(s.lastSeq, now)
	if !ok || s.lastSeq == 0 || seq > row.Seq {
		err := s.cfg.DB.Update(func(tx *store.Tx) error {
			if err := read(tx); err != nil {
				return err
			}
			if !ok {
				rand.Read(row.Key[:])
			}
			seq = contact.NextSeq(row.Seq, now)
			row.Seq = seq + seqAhead
			return keys().Put(tx, own(), row)
		})
		if err != nil {
			return presenceKey{}, 0, err
		}
	}
	s.lastSeq = seq
	return row.Key, seq, nil
}

// newest returns the current beacon and what is closed when it is no longer that.
func (s *Service) newest() (*minted, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.changed
}

// Waiting before a stream that failed is tried again.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = time.Minute
)

// send tells peer until ctx ends or the last word is said.
func (s *Service) send(ctx context.Context, peer contact.ODID, snd *sender) {
	defer func() {
		snd.cancel()
		s.mu.Lock()
		delete(s.senders, peer)
		s.mu.Unlock()
		close(snd.done)
		s.poke()
	}()
	wait := firstRetry
	for {
		began := time.Now()
		err := s.tell(ctx, peer, snd)
		if err == nil || errors.Is(err, errNotAllowed) || ctx.Err() != nil {
			return
		}
		s.cfg.Log.Debug("presence stream ended", "peer", peer.Short(), "error", err)
		if time.Since(began) > lastRetry {
			wait = firstRetry
		}
		if !s.rest(ctx, snd, jitter(wait, 2)) {
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// rest waits for d or until it is worth trying again. It returns false if there
// is nothing left to say.
func (s *Service) rest(ctx context.Context, snd *sender, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		cur, changed := s.newest()
		if cur == nil || cur.final {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-snd.retry:
			return true
		case <-changed:
		}
	}
}

// jitter returns a duration within a part of d around it.
func jitter(d time.Duration, part int64) time.Duration {
	span := int64(d) / part
	return d - time.Duration(span) + time.Duration(mathrand.Int64N(2*span+1))
}
