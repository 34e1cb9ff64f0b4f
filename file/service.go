package file

import (
	"cmp"
	"context"
	"errors"
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
	// Send puts the message of an offer into the outbox. The same again changes nothing.
	Send func(to contact.ODID, id ID, body []byte) error
	// Revoke takes the message of an offer out of the outbox, if it is still there.
	Revoke func(id ID) error
	// Policy says what is received without asking the user; nil asks always.
	Policy func() contact.Policy
	// Folder is where files are received unless the user or the policy says otherwise.
	Folder string
	Log    *slog.Logger // nil discards
}

// Service offers, sends and receives files. Its methods may be called from any
// goroutine, whether Run runs or not.
type Service struct {
	db       *store.DB
	net      transport.Network
	relation func(*store.Tx, contact.ODID) (contact.View, bool, error)
	send     func(contact.ODID, ID, []byte) error
	revoke   func(ID) error
	policy   func() contact.Policy
	folder   string
	log      *slog.Logger

	kick chan struct{} // the lanes changed

	mu        sync.Mutex // held for moments only
	lanes     map[ID]*lane
	connected map[contact.ODID]bool
	serving   map[*serving]struct{}
	moving    movements
}

// New makes a service; Run starts it.
func New(c Config) (*Service, error) {
	if c.DB == nil || c.Network == nil || c.Relation == nil || c.Send == nil || c.Revoke == nil {
		return nil, errors.New("file service: DB, Network, Relation, Send and Revoke are required")
	}
	if c.Policy == nil {
		c.Policy = contact.DefaultPolicy
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: c.DB, net: c.Network, relation: c.Relation, send: c.Send, revoke: c.Revoke, policy: c.Policy, folder: c.Folder, log: c.Log,
		kick:      make(chan struct{}, 1),
		lanes:     make(map[ID]*lane),
		connected: make(map[contact.ODID]bool),
		serving:   make(map[*serving]struct{}),
		moving:    newMovements(),
	}, nil
}

// usual is the folder for files of which the user says nothing else, "" for none.
func (s *Service) usual() string { return cmp.Or(s.policy().FilesFolder, s.folder) }

// listed reports whether the peer is on this device's contact list and not blocked.
func listed(v contact.View) bool {
	return v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
}

// isListed is listed for whoever has no transaction.
func (s *Service) isListed(peer contact.ODID) (ok bool, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		v, known, err := s.relation(tx, peer)
		ok = known && listed(v)
		return err
	})
	return ok, err
}

// RelationChanged says that what stands between this device and the peer changed:
// with one that is no contact any more nothing moves.
func (s *Service) RelationChanged(peer contact.ODID) {
	ok, err := s.isListed(peer)
	if err != nil {
		s.log.Error("relation unreadable, transfers stopped", "peer", peer.Short(), "err", err)
	}
	if !ok {
		s.halt(peer)
		return
	}
	s.wake(peer)
}

// do is one step of what a transfer needs.
func (s *Service) do(ctx context.Context, id ID) error {
	var r record
	err := s.db.View(func(tx *store.Tx) (err error) {
		r, err = get(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	switch r.work() {
	case workPrepare:
		return s.prepare(ctx, r)
	case workPull:
		return s.pull(ctx, r)
	case workTell:
		return s.tell(ctx, r)
	}
	return nil
}
