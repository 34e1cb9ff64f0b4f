package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Pace and life of a link.
const (
	greeting   = 30 * time.Second // until both sides named their topics
	writing    = 30 * time.Second // a frame at most
	linkLife   = 24 * time.Hour   // then topics are named anew, less up to a tenth
	frameRate  = 100              // frames a second that are read
	frameBurst = 2000             // the first ones, after a time apart
	diffRate   = 0.2              // frames a second that name topics anew: each costs a look at all keys
	diffBurst  = 64
	linkRate   = 0.1 // links a second with one contact: each costs the same, and naming all topics
	linkBurst  = 6
	again      = time.Minute // until the same beacon may be had once more
)

// Why a link does not come about.
var (
	errForbidden = errors.New("no gossip with this device")
	errTooOften  = errors.New("too many links in a short time")
)

// link is the gossip with one connected contact. What follows wake is guarded by
// Service.mu.
type link struct {
	transport.Stream
	self, peer   contact.ODID
	mine, theirs nonce
	day          uint64 // of the topics that this side names
	wake         chan struct{}

	known  map[mask]struct{} // what the peer named, decoys included
	shared map[*origin]*share
	byMask map[mask]*origin // of shared, by the masks of this side
	diff   diff
	todo   map[*origin]task
	renew  bool // somebody beyond the peer hears of this device through it
	wished bool // the peer was asked to renew
}

// diff is what the peer has yet to be told of what this side knows.
type diff struct{ know, forget []mask }

// share is a topic that both sides of a link know.
type share struct {
	mine, theirs mask
	mode         mode
	cannot       bool   // the peer has news, but from too far away to pass them on
	waits        bool   // the peer wants news, and was told that of this side
	has          uint64 // the highest seq that the peer has, as far as is known
	offered      uint64 // the peer says that it has this one, 0 once it was asked for it
	hops         int    // over so many devices
	sent         uint64 // the one passed on to the peer last, at a time
	sentAt       time.Time
}

// mode is how the peer hears of a topic.
type mode uint8

const (
	announced mode = iota // it is told that there is news
	pulled                // it gets the news
	stopped               // it gets them from somebody else
)

// task is what the peer has yet to be told of a topic.
type task uint8

const (
	tellHave task = 1 << iota
	tellPull
	tellStop
	tellNews
	tellNone
)

func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// queue has the peer told t about o; mu is held.
func (l *link) queue(o *origin, t task) {
	switch t {
	case tellPull:
		l.todo[o] &^= tellStop
	case tellStop:
		l.todo[o] &^= tellPull
	}
	l.todo[o] |= t
	l.poke()
}

// ownMask is how this side names o; mu is held.
func (l *link) ownMask(o *origin) mask {
	return maskOf(topicOf(o.key, l.day), l.self, l.mine, l.theirs)
}

// theirMasks are how the peer may name the topic of key.
func (l *link) theirMasks(key presenceKey) (all [3]mask) {
	for i, day := range nearDays(l.day) {
		all[i] = maskOf(topicOf(key, day), l.peer, l.theirs, l.mine)
	}
	return all
}

// gossips is the rule of with whom this device gossips: contacts that see each
// other's state.
func gossips(v contact.View, known bool) bool {
	return mayTell(v, known) && v.Received.Has(contact.Presence)
}

func (s *Service) mustGossip(tx *store.Tx, peer contact.ODID) error {
	v, known, err := s.cfg.Relation(tx, peer)
	if err == nil && !gossips(v, known) {
		err = errForbidden
	}
	return err
}

// gossip runs a link over st until it ends, and owns st.
func (s *Service) gossip(ctx context.Context, st transport.Stream) error {
	defer func() { _ = st.Reset() }()
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	s.mu.Lock()
	on := s.gossiping()
	s.mu.Unlock()
	if !on {
		return errForbidden
	}
	if err := s.cfg.DB.View(func(tx *store.Tx) error { return s.mustGossip(tx, st.Peer()) }); err != nil {
		return err
	}
	if err := s.loadHeld(); err != nil {
		return err
	}
	l, r, err := s.greet(st)
	if err != nil {
		return err
	}
	topics, err := s.admit(l)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := s.writeLink(ctx, l, topics, ended); err != nil {
			s.cfg.Log.Debug("gossip can't be written", "peer", l.peer.Short(), "error", err)
			_ = st.Reset()
		}
	}()
	err = s.readLink(ctx, l, r)
	close(ended)
	_ = st.Reset()
	<-written
	s.dismiss(l)
	return err
}

// greet exchanges the nonces.
func (s *Service) greet(st transport.Stream) (*link, *transport.FrameReader, error) {
	l := &link{
		Stream: st, self: s.cfg.Network.Self(), peer: st.Peer(), day: dayOf(time.Now()), wake: make(chan struct{}, 1),
		known: make(map[mask]struct{}), shared: make(map[*origin]*share), byMask: make(map[mask]*origin), todo: make(map[*origin]task),
	}
	rand.Read(l.mine[:])
	if err := st.SetDeadline(time.Now().Add(greeting)); err != nil {
		return nil, nil, err
	}
	if err := transport.WriteFrame(st, gossipFrame{Nonce: &l.mine}, maxGossipFrame); err != nil {
		return nil, nil, err
	}
	r := transport.NewFrameReader(st, maxGossipFrame)
	f, err := readGossip(r)
	if err != nil {
		s.countFrame(err)
		return nil, nil, err
	}
	if f.Nonce == nil {
		s.count(errMalformed)
		return nil, nil, fmt.Errorf("%w: a link begins with a nonce", errMalformed)
	}
	l.theirs = *f.Nonce
	return l, r, nil
}

// countFrame counts an error of a frame as a drop, and none of the network.
func (s *Service) countFrame(err error) {
	if errors.Is(err, transport.ErrFrame) || errors.Is(err, errMalformed) {
		s.count(err)
	}
}

func readGossip(r *transport.FrameReader) (gossipFrame, error) {
	var f gossipFrame
	if err := r.Read(&f); err != nil {
		return f, err
	}
	return f, f.check()
}

// keyed is a key as it was at some time.
type keyed struct {
	o   *origin
	key presenceKey
}

// keyring returns all keys that are held; mu is held.
func (s *Service) keyring() []keyed {
	list := make([]keyed, 0, s.topics)
	for _, o := range s.origins {
		if o.held {
			list = append(list, keyed{o, o.key})
		}
	}
	if s.me.held {
		list = append(list, keyed{s.me, s.me.key})
	}
	return list
}

// admit makes l the link with its peer and ends the one before. It returns what
// the peer is to be told at first; what changes after that is in l.diff.
func (s *Service) admit(l *link) ([]keyed, error) {
	s.mu.Lock()
	if !s.gossiping() {
		s.mu.Unlock()
		return nil, errForbidden
	}
	limit := s.admits[l.peer]
	if limit == nil {
		limit = rate.NewLimiter(linkRate, linkBurst)
		s.admits[l.peer] = limit
	}
	if !limit.Allow() {
		s.mu.Unlock()
		return nil, errTooOften
	}
	before := s.links[l.peer]
	s.links[l.peer] = l
	topics := s.keyring()
	if before != nil {
		s.clear(before)
	}
	s.mu.Unlock()
	if before != nil {
		_ = before.Reset()
	}
	return topics, nil
}

// dismiss ends l for the others.
func (s *Service) dismiss(l *link) {
	s.mu.Lock()
	if s.links[l.peer] == l {
		delete(s.links, l.peer)
	}
	s.clear(l)
	s.mu.Unlock()
	s.poke()
}

// writeLink tells the peer what this side knows, and what there is to tell later.
func (s *Service) writeLink(ctx context.Context, l *link, topics []keyed, ended <-chan struct{}) error {
	names := make([]mask, len(topics))
	for i, k := range topics {
		names[i] = maskOf(topicOf(k.key, l.day), l.self, l.mine, l.theirs)
	}
	for _, f := range framesOf(decoyed(names, minTopics), func(f *gossipFrame, list masks, more bool) { f.Know, f.More = list, more }) {
		if err := s.writeFrames(l, []outFrame{{gossipFrame: f}}); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return nil
		case <-l.wake:
		}
		s.mu.Lock()
		frames := s.compose(l, time.Now())
		s.mu.Unlock()
		if err := s.writeFrames(l, frames); err != nil {
			return err
		}
	}
}

// outFrame is a frame, and whose beacon it passes on. One that came from its origin
// is not proven to be signed.
type outFrame struct {
	gossipFrame
	of       contact.ODID
	key      presenceKey
	unproven bool
}

// writeFrames writes frames to a peer if it may still have them: the store is
// asked each time, so that a permission withdrawn acts with its commit.
func (s *Service) writeFrames(l *link, frames []outFrame) error {
	if len(frames) == 0 {
		return nil
	}
	may := make([]bool, len(frames))
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		if err := s.mustGossip(tx, l.peer); err != nil {
			return err
		}
		for i, f := range frames {
			may[i] = true
			if f.News != nil {
				v, known, err := s.cfg.Relation(tx, f.of)
				if err != nil {
					return err
				}
				may[i] = mayPass(v, known)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.SetDeadline(time.Now().Add(writing)); err != nil {
		return err
	}
	w := transport.NewFrameWriter(l.Stream, maxGossipFrame)
	for i, f := range frames {
		if !may[i] {
			continue
		}
		if f.unproven {
			if _, err := unseal(f.of, f.key, f.News.Beacon); err != nil {
				s.count(err)
				continue
			}
		}
		if err := w.Write(f.gossipFrame); err != nil {
			return err
		}
		if f.News != nil {
			s.relays.Passed.Add(1)
		}
	}
	return l.SetDeadline(time.Now().Add(jitter(linkLife-linkLife/10, 10)))
}

// readLink takes what the peer says until the link ends.
func (s *Service) readLink(ctx context.Context, l *link, r *transport.FrameReader) error {
	frames := rate.NewLimiter(frameRate, frameBurst)
	diffs := rate.NewLimiter(diffRate, diffBurst)
	var fresh map[mask]struct{}
	for {
		f, err := readGossip(r)
		if err != nil {
			s.countFrame(err)
			return err
		}
		if err := frames.Wait(ctx); err != nil {
			return err
		}
		if len(f.Forget) > 0 || len(f.Know) > 0 && !f.More {
			if err := diffs.Wait(ctx); err != nil {
				return err
			}
		}
		if len(f.Know) > 0 {
			if fresh == nil {
				fresh = make(map[mask]struct{})
			}
			if err := s.learn(l, f.Know.list(), fresh); err != nil {
				s.count(err)
				return err
			}
			if !f.More {
				s.matchAll(l, fresh)
				fresh = nil
			}
		}
		if err := s.hearLink(l, f); err != nil {
			s.count(err)
			return err
		}
	}
}

// learn notes masks that the peer names.
func (s *Service) learn(l *link, list []mask, fresh map[mask]struct{}) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range list {
		l.known[m] = struct{}{}
		fresh[m] = struct{}{}
	}
	if len(l.known) > maxTopics {
		return fmt.Errorf("%w: more than %d topics", errMalformed, maxTopics)
	}
	return nil
}

// matchAll finds the topics behind fresh masks of the peer. It computes without
// mu: with thousands of keys it takes some milliseconds.
func (s *Service) matchAll(l *link, fresh map[mask]struct{}) {
	s.mu.Lock()
	all := s.keyring()
	s.mu.Unlock()
	type found struct {
		keyed
		mask
	}
	var hits []found
	for _, k := range all {
		for _, m := range l.theirMasks(k.key) {
			if _, ok := fresh[m]; ok {
				hits = append(hits, found{k, m})
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range hits {
		s.match(l, h.o, h.key, &h.mask)
	}
}

// hearLink takes a frame's other parts.
func (s *Service) hearLink(l *link, f gossipFrame) error {
	now := time.Now()
	s.mu.Lock()
	for _, m := range f.Forget.list() {
		s.forgetMask(l, m)
	}
	for _, c := range f.Have.list() {
		if o := l.byMask[c.mask]; o != nil {
			s.offered(l, o, c, now)
		}
	}
	for _, c := range f.Pull.list() {
		if o := l.byMask[c.mask]; o != nil {
			s.wanted(l, o, c.seq, now)
		}
	}
	for _, m := range f.Stop.list() {
		if o := l.byMask[m]; o != nil {
			s.unwanted(l, o)
		}
	}
	s.mu.Unlock()
	if f.News != nil {
		return s.heardOf(l, *f.News, now)
	}
	return nil
}

// lasting reports whether err ends gossip with a peer for longer: it broke the
// rules, and will again.
func lasting(err error) bool {
	return errors.Is(err, errForged) || errors.Is(err, errMalformed) || errors.Is(err, transport.ErrFrame)
}

// HandleGossip serves a stream that a peer opened to gossip, and owns it.
func (s *Service) HandleGossip(ctx context.Context, st transport.Stream, d contact.Decision) {
	if d != contact.Serve {
		_ = st.Reset()
		return
	}
	peer := st.Peer()
	if s.shunned(peer, time.Now()) {
		_ = st.Reset()
		return
	}
	if err := s.gossip(ctx, st); err != nil && !errors.Is(err, io.EOF) {
		s.shun(peer, err)
		s.cfg.Log.Debug("gossip of a contact ended", "peer", peer.Short(), "error", err)
	}
}
