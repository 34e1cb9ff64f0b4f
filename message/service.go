package message

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Config is what the service needs.
type Config struct {
	DB      *store.DB // opened with Tables
	Network transport.Network
	// Relation says what stands between this device and the peer, and whether
	// the peer is known at all. It is asked within transactions.
	Relation func(*store.Tx, contact.ODID) (v contact.View, known bool, err error)
	// Dialable reports whether there is an address at which the peer may be found;
	// Found says that there is one now. nil: there always is.
	Dialable func(contact.ODID) bool
	// Received takes a message of KindFile that is stored for the first time, in the
	// transaction that stores it; nil takes none.
	Received func(tx *store.Tx, from contact.ODID, id ID, body []byte) error
	Log      *slog.Logger // nil discards
}

// Service queues, delivers, receives and keeps messages. Its methods may be
// called from any goroutine, whether Run runs or not.
type Service struct {
	db       *store.DB
	net      transport.Network
	relation func(*store.Tx, contact.ODID) (contact.View, bool, error)
	dialable func(contact.ODID) bool
	received func(*store.Tx, contact.ODID, ID, []byte) error
	log      *slog.Logger

	kick     chan struct{} // the schedule changed
	traffic  traffic
	incoming budget // of frames that are not stored yet
	outgoing budget // of frames that are not written to their stream yet

	mu       sync.Mutex // held for moments only
	sched    schedule
	troubles troubles
	in       map[contact.ODID]*inbound
}

// New makes a service. It gives the store its first epoch if it has none.
func New(c Config) (*Service, error) {
	if c.DB == nil || c.Network == nil || c.Relation == nil {
		return nil, errors.New("message service: DB, Network and Relation are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Received == nil {
		c.Received = func(*store.Tx, contact.ODID, ID, []byte) error { return nil }
	}
	if c.Dialable == nil {
		c.Dialable = func(contact.ODID) bool { return true }
	}
	s := &Service{
		db: c.DB, net: c.Network, relation: c.Relation, dialable: c.Dialable, received: c.Received, log: c.Log,
		kick:     make(chan struct{}, 1),
		sched:    newSchedule(),
		troubles: troubles{list: make(map[contact.ODID]trouble)},
		in:       make(map[contact.ODID]*inbound),
	}
	err := s.db.Update(func(tx *store.Tx) error {
		self, err := booksOf(tx).device(tx)
		if err != nil || !self.Epoch.isZero() {
			return err
		}
		return NewEpoch(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("message service: %w", err)
	}
	return s, nil
}

// listed reports whether the peer is on this device's contact list and not blocked.
func listed(v contact.View) bool {
	return v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
}

// open reports whether the peer takes messages, as far as this device knows.
func open(v contact.View) bool {
	return listed(v) && v.Received.Has(contact.Messages)
}
