package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
)

// Protocol is the stream on which a device tells its presence.
const Protocol transport.Protocol = "/contacts/presence/1"

// Timing.
const (
	keepAlive    = 60 * time.Second  // between two frames of a stream, give or take a tenth
	silence      = 210 * time.Second // three late keep-alives and some
	renewAfter   = 10 * time.Minute  // age at which a beacon is made anew for who connects
	saveEvery    = 5 * time.Minute   // times last heard, to the store
	farewellTime = 300 * time.Millisecond
)

// Config is what a Service needs; Log may be nil.
type Config struct {
	DB        *store.DB
	Network   transport.Network
	Identity  *identity.Identity
	Addresses transport.Addresses
	// Relation tells how this device and a peer stand to each other; known is
	// false for a stranger.
	Relation  func(tx *store.Tx, peer contact.ODID) (v contact.View, known bool, err error)
	NoGossip  bool          // as SetGossip sets it
	AwayAfter time.Duration // as SetAwayAfter sets it
	Log       *slog.Logger
}

// Service is the presence of one device. Its methods may be used from any
// goroutine. While Run runs it tells contacts; what it hears comes through
// Handle.
type Service struct {
	cfg  Config
	wake chan struct{} // holds one element if Run has something to look at

	lastSeq uint64 // of the newest beacon, 0 before the first; Run's alone

	notify sync.Mutex // held while watchers are called, so that they see changes in order

	mu        sync.Mutex
	choice    choice
	activity  activity
	awayAfter time.Duration // without activity; 0 for never
	backAt    time.Time     // when the user was last known to come back: start or end of idling
	remint    bool          // the current beacon no longer says what is
	reviewed  bool          // holders of the key were looked at since the start
	ending    bool          // Run is about to return: no new senders
	current   *minted       // newest beacon, nil before the first
	changed   chan struct{}
	connected map[contact.ODID]bool
	asked     map[contact.ODID]bool // relations to look at again
	senders   map[contact.ODID]*sender
	origins   map[contact.ODID]*origin
	watchers  map[int]func(contact.ODID, Presence)
	watcherID int
	pending   []notice
	drops     Drops

	relays    relays
	loading   sync.Mutex // held while keys are loaded, before mu
	loaded    bool       // the keys that were kept are in memory; guarded by loading
	me        *origin    // this device, of which the key alone is used
	gossipOff bool
	topics    int // keys held, this device's own included
	links     map[contact.ODID]*link
	linkers   map[contact.ODID]*sender // that open links
	shuns     map[contact.ODID]time.Time
	admits    map[contact.ODID]*rate.Limiter // of links
	parted    map[contact.ODID]bool          // connections that are about to be ended on purpose
	chased    map[*origin]struct{}           // of which news were offered that have not come
}

// New returns a service with what the store holds. It starts nothing.
func New(cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		cfg:       cfg,
		wake:      make(chan struct{}, 1),
		backAt:    time.Now(),
		changed:   make(chan struct{}),
		connected: make(map[contact.ODID]bool),
		asked:     make(map[contact.ODID]bool),
		senders:   make(map[contact.ODID]*sender),
		origins:   make(map[contact.ODID]*origin),
		watchers:  make(map[int]func(contact.ODID, Presence)),
		me:        &origin{peer: cfg.Identity.Self()},
		gossipOff: cfg.NoGossip,
		awayAfter: cfg.AwayAfter,
		links:     make(map[contact.ODID]*link),
		linkers:   make(map[contact.ODID]*sender),
		shuns:     make(map[contact.ODID]time.Time),
		admits:    make(map[contact.ODID]*rate.Limiter),
		parted:    make(map[contact.ODID]bool),
		chased:    make(map[*origin]struct{}),
	}
	err := cfg.DB.View(func(tx *store.Tx) error {
		c, ok, err := choices().Get(tx, own())
		if !ok {
			c = choice{State: Online}
		}
		s.choice = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	return s, nil
}

// Run tells contacts until ctx ends, then says goodbye to those connected, which
// takes at most 300 ms, and returns nil when its goroutines have ended. The
// network must run for longer than Run. Run may be called once.
func (s *Service) Run(ctx context.Context) error {
	var senders sync.WaitGroup
	sendCtx, stopSenders := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSenders()

	stopWatch := s.cfg.Network.Watch(s.connection)
	tick := time.NewTicker(keepAlive)
	save := time.NewTicker(saveEvery)
	idle := time.NewTimer(s.untilIdle(time.Now()))
	chase := time.NewTicker(patience)
	defer tick.Stop()
	defer chase.Stop()
	defer save.Stop()
	defer idle.Stop()

	for look := true; ctx.Err() == nil; {
		if look {
			if err := s.update(sendCtx, &senders); err != nil {
				s.cfg.Log.Error("presence can't be told", "error", err)
			}
			idle.Reset(s.untilIdle(time.Now()))
		}
		look = true
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-idle.C:
			s.mu.Lock()
			_, away := s.activity.away(time.Now(), s.awayAfter)
			s.remint = s.remint || away
			s.mu.Unlock()
		case <-tick.C:
			s.checkAddresses()
			s.expire(time.Now())
		case <-chase.C:
			s.chase(time.Now())
			look = false // all connected contacts are read for that
		case <-save.C:
			s.save()
		}
	}
	stopWatch()
	s.farewell(&senders, stopSenders)
	s.save()
	return nil
}

// farewell makes Offline the last word of every sender and waits for them.
func (s *Service) farewell(senders *sync.WaitGroup, stop context.CancelFunc) {
	s.mu.Lock()
	s.ending = true
	links := slices.Collect(maps.Values(s.links))
	for _, k := range s.linkers {
		k.cancel()
	}
	listened := len(s.senders) > 0 && s.choice.State != Invisible
	s.mu.Unlock()
	for _, l := range links {
		_ = l.Reset()
	}
	if listened {
		if err := s.mint(); err != nil {
			s.cfg.Log.Error("contacts are not told that this device stops", "error", err)
			stop()
		}
	}
	ended := make(chan struct{})
	go func() { senders.Wait(); close(ended) }()
	late := time.NewTimer(farewellTime)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
	stop()
	<-ended
}

// connection is told by the network who comes and goes.
func (s *Service) connection(peer contact.ODID, connected bool) {
	s.mu.Lock()
	var over *link
	if connected {
		s.connected[peer] = true
	} else {
		delete(s.connected, peer)
		delete(s.parted, peer)
		for _, snd := range []*sender{s.senders[peer], s.linkers[peer]} {
			if snd != nil {
				snd.cancel()
			}
		}
		over = s.links[peer]
	}
	s.mu.Unlock()
	if over != nil {
		_ = over.Reset()
	}
	s.poke()
}

// RelationChanged has the relation to peer looked at again: whether it may still,
// or from now on, be told. It returns at once and may be called at any time
// after the change was committed.
func (s *Service) RelationChanged(peer contact.ODID) {
	s.mu.Lock()
	s.asked[peer] = true
	s.mu.Unlock()
	s.poke()
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Set changes what contacts are told. The choice is durable and stays until the
// next one; only Online gives way to Away while the user is idle. The same choice
// again changes nothing, but says that the user is there. Errors are
// *contact.InvalidError for a state that can't be set, *contact.LimitError for
// the text, or those of the store.
func (s *Service) Set(state State, text string) error {
	if state != Online && state != Away && state != Busy && state != Invisible {
		return &contact.InvalidError{Field: "presence", Reason: fmt.Sprintf("%s can't be set: use online, away, busy or invisible", state)}
	}
	if err := checkText(text); err != nil {
		return err
	}
	now := time.Now()
	var next choice
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		prev, ok, err := choices().Get(tx, own())
		if err != nil {
			return err
		}
		if ok && prev.State == state && prev.Text == text {
			next = prev
			return nil
		}
		next = choice{State: state, Text: text, Since: unixMilli(now), Rev: prev.Rev + 1}
		if ok && prev.State == state {
			next.Since = prev.Since
		}
		event := contact.Event{Type: contact.PresenceSet, At: now.UnixMilli(), State: state.String()}
		return errors.Join(choices().Put(tx, own(), next), tx.Emit(event))
	})
	if err != nil {
		return fmt.Errorf("set presence: %w", err)
	}
	s.mu.Lock()
	if next.Rev > s.choice.Rev {
		s.choice = next
		s.remint = true
	}
	s.activity.touch(now) // whoever sets it is there
	s.mu.Unlock()
	s.poke()
	return nil
}

// Mine returns this device's own presence.
func (s *Service) Mine() Own {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine(time.Now())
}

func (s *Service) mine(now time.Time) Own {
	o := Own{Chosen: s.choice.State, State: s.choice.State, Text: s.choice.Text, Since: fromMilli(s.choice.Since)}
	switch o.Chosen {
	case Invisible:
		o.State = Offline
	case Online:
		if s.backAt.After(o.Since) {
			o.Since = s.backAt
		}
		if since, away := s.activity.away(now, s.awayAfter); away {
			o.State, o.Since = Away, since
		}
	}
	return o
}

// checkAddresses has the beacon made anew if this device moved.
func (s *Service) checkAddresses() {
	addrs := fit(s.cfg.Addresses.Own())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && !s.current.final && !slices.Equal(s.current.body.Addresses, addrs) {
		s.remint = true
	}
}
