package pairing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

// Protocol is the pairing session.
const Protocol transport.Protocol = "/contacts/pair/1"

// Secret is the key of one pairing, known to its two devices alone. It prints,
// logs and encodes as text redacted.
type Secret [32]byte

const redacted = "[secret]"

// String returns a placeholder.
func (Secret) String() string { return redacted }

// GoString returns a placeholder.
func (Secret) GoString() string { return redacted }

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a placeholder.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// UnmarshalCBOR accepts a byte string of exactly 32 bytes.
func (s *Secret) UnmarshalCBOR(data []byte) error { return codec.Fixed(s[:], data) }

// Result is a finished pairing.
type Result struct {
	Peer   contact.ODID
	Name   string // the peer's own, at most 64 bytes, maybe empty
	PairID contact.PairID
	Secret Secret
	Role   Role // of this device
	// Grants is what this device lets the peer do: contact.PairedDefault and what
	// its user chose to allow beside it.
	Grants contact.Permissions
	// Allow is what the user chose to allow beyond the defaults, for this pairing.
	Allow contact.Permissions
	// Offered is what the peer says it grants.
	Offered contact.Permissions
}

// Explicit reports whether the user chose permissions for this pairing.
func (r Result) Explicit() bool { return r.Allow != contact.NoPermissions }

// Config is what a Service works with. Neighbourhood and Log may be nil, and
// Blocked if nothing is ever blocked.
type Config struct {
	DB            *store.DB
	Identity      *identity.Identity
	Network       transport.Network
	Addresses     transport.Addresses
	Neighbourhood transport.Neighbourhood
	Name          func() string // this device's name, at most 64 bytes

	// Blocked reports whether this device's user blocked the peer.
	Blocked func(tx *store.Tx, peer contact.ODID) (bool, error)
	// Commit makes the peer a paired contact and writes this device's statement
	// naming the pairing, in tx. It may be run more than once.
	Commit func(tx *store.Tx, r Result) error
	// Confirm exchanges statements with the peer and returns nil when both name
	// the pairing.
	Confirm func(ctx context.Context, peer contact.ODID, id contact.PairID) error

	Log *slog.Logger
}

// Service is the pairing feature of one device.
type Service struct {
	cfg  Config
	self contact.ODID
	log  *slog.Logger
	pace *pacer

	shown, entered outcomes

	mu       sync.Mutex
	window   *window // nil while none is open
	sessions []*session
	staged   map[contact.PairID]*window // pairings whose last step may end a window
	opened   chan struct{}              // of capacity 1: a window was opened
}

// New returns a service; Run starts it.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Identity == nil || cfg.Network == nil || cfg.Addresses == nil || cfg.Commit == nil || cfg.Confirm == nil {
		return nil, errors.New("pairing: DB, Identity, Network, Addresses, Commit and Confirm are required")
	}
	if cfg.Name == nil {
		cfg.Name = func() string { return "" }
	}
	if cfg.Blocked == nil {
		cfg.Blocked = func(*store.Tx, contact.ODID) (bool, error) { return false, nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg:    cfg,
		self:   cfg.Identity.Self(),
		log:    cfg.Log,
		pace:   newPacer(),
		staged: make(map[contact.PairID]*window),
		opened: make(chan struct{}, 1),
	}, nil
}

// Run announces open windows to the LAN and drops what has expired, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	if s.cfg.Neighbourhood != nil {
		group.Go(func() { s.announce(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			if err := s.expire(s.cfg.DB.Now()); err != nil {
				s.log.Error("pairing: drop expired records", "err", err)
			}
			timer.Reset(expireEvery)
		}
	}
}

// announce tells the LAN about each window while it is open.
func (s *Service) announce(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	for ctx.Err() == nil {
		w := s.openWindow()
		if w == nil {
			select {
			case <-ctx.Done():
				return
			case <-s.opened:
			}
			continue
		}
		during, cancel := context.WithCancel(ctx)
		group.Go(func() { s.cfg.Neighbourhood.Announce(during) })
		s.waitClosed(ctx, w)
		cancel()
	}
}

// WindowOpen reports whether a code is shown to somebody now.
func (s *Service) WindowOpen() bool { return s.openWindow() != nil }
