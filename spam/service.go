package spam

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
)

// Protocol is how reports are told.
const Protocol transport.Protocol = "/contacts/report/1"

// Config is what a Service works with. Log may be nil.
type Config struct {
	DB       *store.DB
	Identity *identity.Identity
	Network  transport.Network
	Log      *slog.Logger

	// Relation tells how this device and a peer stand to each other.
	Relation func(tx *store.Tx, peer contact.ODID) (v contact.View, known bool, err error)
	// Reconsider is called, in tx, when what is reported of peer may have changed.
	Reconsider func(tx *store.Tx, peer contact.ODID) error
}

// Service is the spam feature of one device.
type Service struct {
	cfg    Config
	self   contact.ODID
	log    *slog.Logger
	due    *due
	counts counts
}

// counts are what became of reports since the start.
type counts struct {
	taken, refused, late, told atomic.Uint64
}

// Counts are what became of reports since the start.
type Counts struct {
	Taken   uint64 // of contacts, new ones
	Refused uint64 // that proved nothing
	Late    uint64 // beyond what is taken a day
	Told    uint64 // own ones, to a contact each
}

// New returns a service; Run starts it.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Identity == nil || cfg.Network == nil || cfg.Relation == nil || cfg.Reconsider == nil {
		return nil, errors.New("spam: DB, Identity, Network, Relation and Reconsider are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, self: cfg.Identity.Self(), log: cfg.Log, due: newDue()}, nil
}

// Counts returns what became of reports.
func (s *Service) Counts() Counts {
	return Counts{Taken: s.counts.taken.Load(), Refused: s.counts.refused.Load(), Late: s.counts.late.Load(), Told: s.counts.told.Load()}
}

// Accused reports whether enough paired contacts reported peer after a time.
func (s *Service) Accused(tx *store.Tx, peer contact.ODID, after time.Time) (bool, error) {
	all, err := s.accusations(tx, peer)
	if err != nil || len(all) == 0 {
		return false, err
	}
	v, _, err := s.cfg.Relation(tx, peer)
	if err != nil {
		return false, err
	}
	_, yes := contact.Quarantined(v.Trust, all, after, tx.Now())
	return yes, nil
}

// accusations returns the reports on peer that are not withdrawn.
func (s *Service) accusations(tx *store.Tx, peer contact.ODID) (all []contact.Accusation, err error) {
	for row, err := range reports.Scan(tx, store.Range{Prefix: peer[:]}) {
		if err != nil {
			return nil, err
		}
		if row.Value.Withdrawn {
			continue
		}
		_, reporter := parties(row.Key)
		v, _, err := s.cfg.Relation(tx, reporter)
		if err != nil {
			return nil, err
		}
		all = append(all, contact.Accusation{
			Reporter: reporter, Paired: v.Trust >= contact.Paired,
			Heard: time.UnixMilli(row.Value.At), Lapses: time.UnixMilli(row.Value.Lapses),
		})
	}
	return all, nil
}
