package card

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Relations is what the statements say of cards.
type Relations interface {
	// Of returns where this device and peer stand about their cards.
	Of(tx *store.Tx, peer contact.ODID) (contact.CardView, error)
	// Hold says to peer that revision rev of its card is kept here, in the transaction
	// that keeps it; ok is false if it may not be kept.
	Hold(tx *store.Tx, peer contact.ODID, rev uint64) (ok bool, err error)
	// Show tells all with whom the card is shared which revision it has now.
	Show() error
	// Forget deletes what is kept of grants that ended long ago.
	Forget() error
}

// Config is what a Service works with. Log may be nil.
type Config struct {
	DB        *store.DB
	Network   transport.Network
	Relations Relations
	Log       *slog.Logger
}

// Service is the card feature of one device. Its methods may be used from any
// goroutine.
type Service struct {
	cfg   Config
	log   *slog.Logger
	door  *door
	wants *wants
}

// New returns a service; Run starts it.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Network == nil || cfg.Relations == nil {
		return nil, errors.New("card: DB, Network and Relations are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, log: cfg.Log, door: newDoor(), wants: newWants()}, nil
}

// ErrNotHeld: this device has no card of that contact.
var ErrNotHeld = errors.New("no contact card of this contact is held here")

// Mine returns this device's own card.
func (s *Service) Mine() (c Card, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		row, _, err := owns.Get(tx, theKey())
		c = row.card()
		return err
	})
	return c, err
}

// Rev returns the revision of this device's own card, 0 if none was ever set.
func (s *Service) Rev(tx *store.Tx) (uint64, error) {
	row, _, err := owns.Get(tx, theKey())
	return row.Rev, err
}

// Set changes this device's card and has those who hold it told. What is there
// already changes nothing. Errors: *contact.LimitError, *contact.InvalidError.
func (s *Service) Set(ch Change) (c Card, err error) {
	changed := false
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		changed = false
		row, _, err := owns.Get(tx, theKey())
		if err != nil {
			return err
		}
		was := row.card()
		if c, err = ch.apply(was); err != nil || c == was {
			return err
		}
		changed = true
		now := tx.Now().UnixMilli()
		c.Rev = max(was.Rev+1, uint64(max(now, 0)))
		if err := owns.Put(tx, theKey(), ownRowOf(c)); err != nil {
			return err
		}
		return tx.Emit(contact.Event{Type: contact.CardChanged, At: now})
	})
	if err != nil || !changed {
		return c, err
	}
	if err := s.cfg.Relations.Show(); err != nil {
		return c, fmt.Errorf("the card is changed, but not told to those who hold it: %w", err)
	}
	return c, nil
}

// Held returns the cards of others that are held here, in the order of their ODIDs.
func (s *Service) Held() (list []Held, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		list = nil
		for row, err := range helds.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if !row.Value.over(tx.Now()) {
				list = append(list, row.Value.held(contact.ODID(row.Key)))
			}
		}
		return nil
	})
	return list, err
}

// Of returns the card of another device; ErrNotHeld if there is none here.
func (s *Service) Of(peer contact.ODID) (h Held, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		row, ok, err := helds.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if !ok || row.over(tx.Now()) {
			return fmt.Errorf("%w: %s", ErrNotHeld, peer.Short())
		}
		h = row.held(peer)
		return nil
	})
	return h, err
}

// Drop deletes the card of peer, in the transaction that ends the right to hold it.
func (s *Service) Drop(tx *store.Tx, peer contact.ODID) error {
	_, ok, err := helds.Get(tx, peer[:])
	if err != nil || !ok {
		return err
	}
	return helds.Delete(tx, peer[:])
}

// Run fetches the cards that this device may have, and ends leases, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	// A stop may have come between a change of the card and its being told.
	if err := s.cfg.Relations.Show(); err != nil {
		return fmt.Errorf("tell the revision of the card: %w", err)
	}
	var fetching sync.WaitGroup
	defer fetching.Wait()
	due, leases := time.NewTimer(0), time.NewTimer(0)
	defer due.Stop()
	defer leases.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-leases.C:
			if err := s.checkLeases(); err != nil {
				s.log.Error("card: leases can't be looked at", "err", err)
			}
			leases.Reset(renewEvery)
			continue
		case <-due.C:
		case <-s.wants.wake:
		}
		for {
			peer, ok, again := s.wants.next(time.Now())
			if !ok {
				due.Reset(time.Until(again))
				break
			}
			fetching.Go(func() {
				err := s.fetch(ctx, peer)
				if err != nil && ctx.Err() == nil {
					s.log.Debug("card: not fetched", "peer", peer.Short(), "err", err)
				}
				s.wants.ended(peer, err, time.Now())
			})
		}
	}
}

// connected reports whether there is a connection with peer.
func (s *Service) connected(peer contact.ODID) bool {
	return slices.Contains(s.cfg.Network.Connected(), peer)
}
