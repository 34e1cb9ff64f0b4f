package profile

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Config is what a Service works with. Name, Announce and Log may be empty.
type Config struct {
	DB        *store.DB
	Network   transport.Network
	Addresses transport.Addresses
	// Relation tells how this device and a peer stand to each other; known is
	// false for a stranger.
	Relation func(tx *store.Tx, peer contact.ODID) (v contact.View, known bool, err error)

	Name        string // from before there were profiles, as the user set it
	DefaultName string // told to those who pair while the user has set none
	// Announce is called after a change of the own profile was committed, to have
	// connected contacts told its revision. It must not block.
	Announce func()
	Log      *slog.Logger
}

// Service is the profile feature of one device. Its methods may be used from any
// goroutine.
type Service struct {
	cfg       Config
	log       *slog.Logger
	strangers *door
	contacts  *door
	looks     *looks
	wants     *wants

	setting  sync.Mutex // so that the profile in memory is the one stored last
	decoding sync.Mutex // one picture of the user at a time: it may take 60 MB
	own      atomic.Pointer[Profile]
}

// New returns a service with what the store holds; Run starts it.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Network == nil || cfg.Addresses == nil || cfg.Relation == nil {
		return nil, errors.New("profile: DB, Network, Addresses and Relation are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Announce == nil {
		cfg.Announce = func() {}
	}
	s := &Service{
		cfg: cfg, log: cfg.Log,
		strangers: newDoor(forStrangers()), contacts: newDoor(forContacts()),
		looks: newLooks(), wants: newWants(),
	}
	var own Profile
	err := cfg.DB.View(func(tx *store.Tx) error {
		row, _, err := owns.Get(tx, theKey())
		own = row.profile()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	own.Name = cmp.Or(own.Name, cfg.Name)
	s.own.Store(&own)
	return s, nil
}

// Mine returns this device's own profile. Its name is what the user set, else the
// default, which strangers are not told.
func (s *Service) Mine() Profile {
	p := *s.own.Load()
	p.Name = s.Name()
	return p
}

// Name returns what this device is called.
func (s *Service) Name() string { return cmp.Or(s.own.Load().Name, s.cfg.DefaultName) }

// Rev returns the revision of the own profile, 0 as long as nothing was set.
func (s *Service) Rev() uint64 { return s.own.Load().Rev }

// Picture makes a picture of what a user gave, as NewPicture does, one at a time.
func (s *Service) Picture(given []byte) (Picture, error) {
	s.decoding.Lock()
	defer s.decoding.Unlock()
	return NewPicture(given)
}

// Set changes this device's profile and has contacts told. What is there already
// changes nothing. Errors: *contact.LimitError, *contact.InvalidError.
func (s *Service) Set(c Change) (Profile, error) {
	s.setting.Lock()
	defer s.setting.Unlock()
	was := *s.own.Load()
	next, err := c.apply(was)
	if err != nil || same(was, next) {
		return s.Mine(), err
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		now := tx.Now().UnixMilli()
		next.Rev = max(was.Rev+1, uint64(max(now, 0)))
		if err := owns.Put(tx, theKey(), ownRowOf(next)); err != nil {
			return err
		}
		tx.OnCommit(func() { s.own.Store(&next) })
		return tx.Emit(contact.Event{Type: contact.ProfileChanged, At: now})
	})
	if err != nil {
		return Profile{}, err
	}
	s.cfg.Announce()
	return s.Mine(), nil
}
