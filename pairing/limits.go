package pairing

import (
	"context"
	"errors"
	"slices"
	"time"

	"contactsd/store"
	"contactsd/transport"
)

// Limits. What counts is the total of guesses that anybody gets, since a code
// burns on success alone: burning it on failure would only let strangers spoil it.
const (
	windowRounds = 20 // failed rounds a window, over all peers: a chance of 2.0e-5
	dayRounds    = 60 // failed rounds in any 24 h: 6e-5
	dayLength    = 24 * time.Hour

	roundEvery = time.Second
	roundBurst = 5

	maxSessions    = 4
	messageTimeout = 5 * time.Second
	sessionTimeout = 20 * time.Second
)

// guesses holds one row: the failed rounds of the last 24 h.
var guesses = store.NewTable[guessRecord]("pairing/guesses", 1)

const guessesKey = "rounds"

// guessRecord is the durable count:
//
//	key  field  type
//	 1   times  [int]  Unix milliseconds, oldest first, at most 60
type guessRecord struct {
	Times []int64 `cbor:"1,keyasint"`
}

// recent drops what is older than 24 h. A time in the future, from before the
// clock was set back, counts as now; correctGuesses keeps it so, that it ends.
func (r *guessRecord) recent(now time.Time) {
	ms, oldest := now.UnixMilli(), now.Add(-dayLength).UnixMilli()
	r.Times = slices.DeleteFunc(r.Times, func(t int64) bool { return t <= oldest })
	for i, t := range r.Times {
		r.Times[i] = min(t, ms)
	}
	slices.Sort(r.Times)
}

// until returns when another guess is allowed, zero if it is now.
func (r *guessRecord) until() time.Time {
	if n := len(r.Times); n >= dayRounds {
		return time.UnixMilli(r.Times[n-dayRounds]).Add(dayLength)
	}
	return time.Time{}
}

// limited returns a *LimitedError while no code may be shown.
func (s *Service) limited() error {
	var until time.Time
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		r.recent(time.Now())
		until = r.until()
		return err
	})
	if err == nil && !until.IsZero() {
		err = &LimitedError{Until: until}
	}
	return err
}

// correctGuesses writes down as of now what is counted as of now, after the clock
// was set back: else it would count as of a later now each time.
func (s *Service) correctGuesses(now time.Time) error {
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		if err != nil || !slices.ContainsFunc(r.Times, func(t int64) bool { return t > now.UnixMilli() }) {
			return err
		}
		r.recent(now)
		return guesses.Put(tx, []byte(guessesKey), r)
	})
}

// debit takes one guess from the window and from the day, durably, before the
// guess is looked at: a crash at any moment gives none back. It waits for its
// turn at 1 round a second. Errors: errPace when that takes too long,
// *LimitedError when no guess is left.
func (s *Service) debit(ctx context.Context, w *window) (at int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	if err := s.pace.Wait(ctx); err != nil {
		return 0, errPace
	}
	if !s.takeRound(w) {
		return 0, &LimitedError{}
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		if err != nil {
			return err
		}
		now := time.Now()
		r.recent(now)
		if until := r.until(); !until.IsZero() {
			return &LimitedError{Until: until}
		}
		at = now.UnixMilli()
		r.Times = append(r.Times, at)
		return guesses.Put(tx, []byte(guessesKey), r)
	})
	return at, err
}

var errPace = errors.New("too many rounds at once")

func (s *Service) takeRound(w *window) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.rounds >= windowRounds {
		return false
	}
	w.rounds++
	return true
}

// refund gives back what a session took that then proved the code.
func refund(tx *store.Tx, debits []int64) error {
	r, ok, err := guesses.Get(tx, []byte(guessesKey))
	if err != nil || !ok {
		return err
	}
	for _, at := range debits {
		if i := slices.Index(r.Times, at); i >= 0 {
			r.Times = slices.Delete(r.Times, i, i+1)
		}
	}
	return guesses.Put(tx, []byte(guessesKey), r)
}

// session is an inbound session, as far as it takes a place.
type session struct {
	st      transport.Stream
	window  *window
	proving bool // it has sent a proof, which costs it a guess
}

// admit gives the stream one of the places in w: one a peer, 4 in all. The
// peer's older session, or the oldest of all, yields, unless it has sent a proof:
// holding a place costs guesses. admit returns nil if there is no place.
func (s *Service) admit(w *window, st transport.Stream) *session {
	mine := &session{st: st, window: w}
	var yields *session
	s.mu.Lock()
	i := slices.IndexFunc(s.sessions, func(o *session) bool { return o.st.Peer() == st.Peer() })
	if i < 0 && len(s.sessions) >= maxSessions {
		i = max(0, slices.IndexFunc(s.sessions, func(o *session) bool { return !o.proving }))
	}
	if i >= 0 {
		if yields = s.sessions[i]; yields.proving {
			s.mu.Unlock()
			return nil
		}
		s.sessions = slices.Delete(s.sessions, i, i+1)
	}
	s.sessions = append(s.sessions, mine)
	s.mu.Unlock()
	if yields != nil {
		yields.st.Reset()
	}
	return mine
}

// proving notes whether the session has sent a proof that is not yet answered.
// It returns false if the session has yielded its place.
func (s *Service) proving(o *session, is bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.proving = is
	return slices.Contains(s.sessions, o)
}

func (s *Service) leave(o *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = slices.DeleteFunc(s.sessions, func(p *session) bool { return p == o })
}
