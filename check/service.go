package check

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Config is what a Service works with. Log may be nil.
type Config struct {
	DB      *store.DB
	Network transport.Network
	Log     *slog.Logger

	// Party returns what the gate knows of a device, the user's policy included.
	Party func(tx *store.Tx, peer contact.ODID) (contact.Party, error)
	// Sides returns what this device and peer say of each other.
	Sides func(tx *store.Tx, peer contact.ODID) (contact.Sides, error)
}

// Service is the check feature of one device. It has nothing to run.
type Service struct {
	cfg       Config
	log       *slog.Logger
	contacts  *quota
	strangers *quota
}

// New returns a service.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Network == nil || cfg.Party == nil || cfg.Sides == nil {
		return nil, errors.New("check: DB, Network, Party and Sides are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, log: cfg.Log, contacts: newQuota(maxContacts), strangers: newQuota(maxStrangers)}, nil
}

// answerTimeout is how long a device may take to ask its question.
const answerTimeout = 5 * time.Second

// Handle answers a question. Whoever may not ask, or asked too often, is treated
// as the gate treats who may not reach a service.
func (s *Service) Handle(_ context.Context, st transport.Stream, d contact.Decision) {
	defer st.Close()
	q := s.strangers
	if d == contact.Serve {
		q = s.contacts
	}
	if !q.take(st.Peer(), time.Now()) {
		st.Reset()
		return
	}
	if err := s.answer(st); err != nil {
		s.log.Debug("check: question not answered", "peer", st.Peer().Short(), "err", err)
		st.Reset()
	}
}

func (s *Service) answer(st transport.Stream) error {
	if err := st.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	var in request
	if err := transport.NewFrameReader(st, maxFrame).Read(&in); err != nil {
		return err
	}
	var p contact.Party
	err := s.cfg.DB.View(func(tx *store.Tx) (err error) {
		p, err = s.cfg.Party(tx, st.Peer())
		return err
	})
	if err != nil {
		return err
	}
	return transport.WriteFrame(st, response{contact.AnswerCheck(in.Question, p)}, maxFrame)
}
