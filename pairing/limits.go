package pairing

import (
	"context"
	"slices"
	"time"

	"contactsd/store"
)

// Limits. What counts is the total of guesses that anybody gets, since a code
// burns on success alone: burning it on failure would only let strangers spoil it.
// A code of 9 digits is 31 bits cut to 10^9 values, so the likeliest of them comes
// with 3/2^31 = 1.4e-9.
const (
	windowRounds  = 20  // failed rounds of 6 digits a window, over all peers: a chance of 2.0e-5
	dayRounds     = 60  // failed rounds of 6 digits in any 24 h: 6e-5
	dayRoundsLong = 300 // failed rounds of 9 digits in any 24 h: 4.2e-7
	dayLength     = 24 * time.Hour

	roundEvery = time.Second
	roundBurst = 5 // rounds saved up; of 9 digits, 1

	maxSessions    = 4
	maxOfSource    = 2 // sessions from one place
	messageTimeout = 5 * time.Second
	sessionTimeout = 20 * time.Second
)

// Accepts is what a window lets others enter. Links it always takes, if it shows
// one.
type Accepts uint8

const (
	SixDigits Accepts = iota
	NineDigits
	LinksOnly
)

// digits of a code, 0 if there are none.
func (a Accepts) digits() int { return [...]int{shortCode, longCode, 0}[a] }

// String returns the name that the API uses.
func (a Accepts) String() string { return [...]string{"six_digits", "nine_digits", "link"}[a] }

// guesses holds one row: the failed rounds of the last 24 h.
var guesses = store.NewTable[guessRecord]("pairing/guesses", 1)

const guessesKey = "rounds"

// guessRecord is the durable count, Unix milliseconds, oldest first:
//
//	key  field  type
//	 1   times  [int]  rounds of 6 digits, at most 60
//	 2   long   [int]  rounds of 9 digits, at most 300; left out if there are none
type guessRecord struct {
	Times []int64 `cbor:"1,keyasint"`
	Long  []int64 `cbor:"2,keyasint,omitempty"`
}

// recent drops what is older than 24 h. A time in the future, from before the
// clock was set back, counts as now; correctGuesses keeps it so, that it ends.
func (r *guessRecord) recent(now time.Time) {
	r.Times, r.Long = recent(r.Times, now), recent(r.Long, now)
}

func recent(times []int64, now time.Time) []int64 {
	ms, oldest := now.UnixMilli(), now.Add(-dayLength).UnixMilli()
	times = slices.DeleteFunc(times, func(t int64) bool { return t <= oldest })
	for i, t := range times {
		times[i] = min(t, ms)
	}
	slices.Sort(times)
	return times
}

// of returns the count that a code of so many digits is debited to, and its limit.
func (r *guessRecord) of(digits int) (times *[]int64, limit int) {
	if digits == longCode {
		return &r.Long, dayRoundsLong
	}
	return &r.Times, dayRounds
}

// until returns when another guess at a code of so many digits is allowed, zero
// if it is now.
func (r *guessRecord) until(digits int) time.Time {
	times, limit := r.of(digits)
	if n := len(*times); n >= limit {
		return time.UnixMilli((*times)[n-limit]).Add(dayLength)
	}
	return time.Time{}
}

// allowance is what the guesses of the day leave.
type allowance struct {
	accepts Accepts
	short   time.Time // 6 digits are accepted again, zero if they are now
	codes   time.Time // any are
}

func (r *guessRecord) allows() allowance {
	a := allowance{short: r.until(shortCode)}
	if a.short.IsZero() {
		return a
	}
	a.accepts = NineDigits
	if long := r.until(longCode); !long.IsZero() {
		a.accepts, a.codes = LinksOnly, earlier(long, a.short)
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// take counts one guess at a code of so many digits, or returns a *LimitedError.
func (r *guessRecord) take(digits int, now time.Time) (at int64, err error) {
	r.recent(now)
	if until := r.until(digits); !until.IsZero() {
		return 0, &LimitedError{Until: until}
	}
	times, _ := r.of(digits)
	*times = append(*times, now.UnixMilli())
	return now.UnixMilli(), nil
}

// allowed returns what the guesses of the day leave now.
func (s *Service) allowed() (a allowance, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		r.recent(tx.Now())
		a = r.allows()
		return err
	})
	return a, err
}

// correctGuesses writes down as of now what is counted as of now, after the clock
// was set back: else it would count as of a later now each time.
func (s *Service) correctGuesses(now time.Time) error {
	ahead := func(t int64) bool { return t > now.UnixMilli() }
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		if err != nil || !slices.ContainsFunc(r.Times, ahead) && !slices.ContainsFunc(r.Long, ahead) {
			return err
		}
		r.recent(now)
		return guesses.Put(tx, []byte(guessesKey), r)
	})
}

// debited is one guess that was taken.
type debited struct {
	digits int
	at     int64 // Unix milliseconds
}

// debit takes one guess from the window and from the day, durably, before the
// guess is looked at: a crash at any moment gives none back. It waits for its
// turn at 1 round a second. A link costs no guess, but its turn. Errors: errPace
// when that takes too long, *LimitedError when no guess is left.
func (s *Service) debit(ctx context.Context, place *session, c *shownCode) (debited, error) {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	d := debited{digits: len(c.digits)}
	burst := roundBurst
	if d.digits == longCode {
		burst = 1
	}
	if err := s.pace.wait(ctx, place.source, burst); err != nil {
		return d, err
	}
	if !s.turn(place) {
		return d, errPace
	}
	if c.link != nil {
		return d, nil
	}
	if !s.takeRound(place.window, d.digits) {
		return d, &LimitedError{}
	}
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		if err != nil {
			return err
		}
		if d.at, err = r.take(d.digits, tx.Now()); err != nil {
			return err
		}
		return guesses.Put(tx, []byte(guessesKey), r)
	})
	return d, err
}

// takeRound counts a guess against the window. None at 6 digits is left once it
// shows 9, however the code came to be tried.
func (s *Service) takeRound(w *window, digits int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.accepts.digits() != digits || digits == shortCode && w.rounds >= windowRounds {
		return false
	}
	if digits == shortCode {
		w.rounds++
	}
	return true
}

// refund gives back what a session took that then proved the code.
func refund(tx *store.Tx, debits []debited) error {
	r, ok, err := guesses.Get(tx, []byte(guessesKey))
	if err != nil || !ok {
		return err
	}
	for _, d := range debits {
		times, _ := r.of(d.digits)
		if i := slices.Index(*times, d.at); i >= 0 {
			*times = slices.Delete(*times, i, i+1)
		}
	}
	return guesses.Put(tx, []byte(guessesKey), r)
}
