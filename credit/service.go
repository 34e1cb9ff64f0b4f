package credit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// maxEntries is how many charges are kept.
const maxEntries = 1000

// Config is what a Service works with. Log may be nil.
type Config struct {
	DB *store.DB
	// Paired returns how many paired contacts there are.
	Paired func(tx *store.Tx) (int, error)
	Log    *slog.Logger
}

// Service is the ledger of one device. It has nothing to run.
type Service struct {
	cfg Config
	log *slog.Logger
}

// New returns a service.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Paired == nil {
		return nil, errors.New("credit: DB and Paired are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, log: cfg.Log}, nil
}

// Charge pays for an act towards peer, in the transaction of the act. Errors:
// *contact.CreditError, having written nothing, if it has to wait; one that wraps
// store.ErrCorrupt if the ledger is damaged. An act that is never refused is not
// refused for that either.
func (s *Service) Charge(tx *store.Tx, a contact.Act, peer contact.ODID) error {
	err := s.charge(tx, a, peer)
	if errors.Is(err, store.ErrCorrupt) && !a.Waits() {
		s.log.Error("credit: not charged", "act", a.String(), "err", err)
		return nil
	}
	return err
}

func (s *Service) charge(tx *store.Tx, a contact.Act, peer contact.ODID) error {
	standing, err := s.standing(tx)
	if err != nil {
		return err
	}
	h, was, err := newest(tx)
	if err != nil {
		return err
	}
	now := tx.Now()
	p, cost, err := was.purse().Charge(a, standing.Daily(), now)
	if err != nil || cost == 0 {
		return err
	}
	e := entry{At: now.UnixMilli(), Act: a, Peer: peer, Cost: cost, Since: p.Since, Spent: p.Spent, Prev: h.Hash}
	sum, err := e.hash()
	if err != nil {
		return err
	}
	next := h.Last + 1
	if next > maxEntries {
		if err := ledger.Delete(tx, entryKey(next-maxEntries)); err != nil {
			return err
		}
	}
	return errors.Join(ledger.Put(tx, entryKey(next), e), heads.Put(tx, headKey(), head{Last: next, Hash: sum}))
}

func (s *Service) standing(tx *store.Tx) (contact.Standing, error) {
	paired, err := s.cfg.Paired(tx)
	return contact.StandingOf(paired), err
}

// Balance is how it stands with the credits of a device.
type Balance struct {
	Standing contact.Standing
	Paired   int // contacts
	Daily    int
	Left     int
	Refill   time.Time // when all are there again, zero if they are
}

// Balance returns how it stands. The error wraps store.ErrCorrupt if the ledger is
// damaged.
func (s *Service) Balance() (b Balance, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		if b.Paired, err = s.cfg.Paired(tx); err != nil {
			return err
		}
		_, last, err := newest(tx)
		if err != nil {
			return err
		}
		b.Standing = contact.StandingOf(b.Paired)
		b.Daily = b.Standing.Daily()
		b.Left, b.Refill = last.purse().Left(b.Daily, tx.Now()), last.purse().Refill(tx.Now())
		return nil
	})
	return b, err
}

// Charge is one charge as users see it.
type Charge struct {
	Number uint64
	At     time.Time
	Act    contact.Act
	Peer   contact.ODID
	Cost   int // credits
}

// Charges returns at most limit charges before that with a number, 0 for the newest,
// the newest first.
func (s *Service) Charges(before uint64, limit int) (list []Charge, err error) {
	r := store.Range{Reverse: true}
	if before > 0 {
		r.Before = entryKey(before)
	}
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		list = nil
		for row, err := range ledger.Scan(tx, r) {
			if err != nil {
				return err
			}
			if len(list) == limit {
				break
			}
			if len(row.Key) != keySize {
				return fmt.Errorf("%w: a charge with a key of %d bytes", store.ErrCorrupt, len(row.Key))
			}
			e := row.Value
			list = append(list, Charge{binary.BigEndian.Uint64(row.Key), time.UnixMilli(e.At), e.Act, e.Peer, e.Cost})
		}
		return nil
	})
	return list, err
}
