package pairing

import (
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport/memnet"
)

// guess enters a wrong code once, from a device of its own making.
func guess(t *testing.T, from, at *device, digits string) error {
	t.Helper()
	_, err := from.Enter(t.Context(), digits, EnterOptions{At: at.id.Self()})
	return err
}

func TestWindowClosesAfterTwentyWrongRounds(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{})
		wrong := wrongOf(w.code(t).Digits)
		for i := 0; s.dayRounds() < windowRounds; i++ {
			if w.isOver() {
				t.Fatalf("closed after %d rounds", s.dayRounds())
			}
			if err := guess(t, []*device{e, third}[i%2], s, wrong); !errors.Is(err, ErrWrongCode) {
				t.Fatalf("guess %d: %v", i, err)
			}
			synctest.Wait()
		}
		if !w.isOver() || !errors.Is(w.err, ErrLimited) || s.WindowOpen() {
			t.Fatalf("over %v, %v", w.isOver(), w.err)
		}
		if err := guess(t, e, s, wrong); !errors.Is(err, ErrNoWindow) {
			t.Errorf("%v", err)
		}
		if n := s.countEvents(contact.PairingLimited); n != 1 {
			t.Errorf("%d events", n)
		}
		// A new window is the user's to open, and an honest device pairs in it.
		again := s.watchCodes(ShowOptions{})
		if _, err := e.Enter(t.Context(), again.code(t).Code, EnterOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func TestSixtyWrongRoundsADayOutliveRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, e := newDevice(t, n, 1), newDevice(t, n, 2)
		start := time.Now()
		var first time.Time
		for s.dayRounds() < dayRounds {
			w := s.watchCodes(ShowOptions{})
			if w.err != nil {
				t.Fatalf("after %d rounds: %v", s.dayRounds(), w.err)
			}
			wrong := wrongOf(w.code(t).Digits)
			for range 7 {
				if first.IsZero() {
					first = time.Now()
				}
				guess(t, e, s, wrong)
			}
			w.leave()
			<-time.After(time.Minute)
			s = s.restart(n, 1)
		}
		if d := time.Since(start); d >= dayLength {
			t.Fatalf("took %v", d)
		}
		w := s.watchCodes(ShowOptions{})
		limit, ok := errors.AsType[*LimitedError](w.err)
		if !ok || s.WindowOpen() {
			t.Fatalf("%v", w.err)
		}
		if d := limit.Until.Sub(first.Add(dayLength)).Abs(); d > 2*time.Second {
			t.Errorf("until %v, the first guess was at %v", limit.Until, first)
		}
		<-time.After(time.Until(limit.Until))
		again := s.watchCodes(ShowOptions{})
		if _, err := e.Enter(t.Context(), again.code(t).Code, EnterOptions{}); err != nil {
			t.Errorf("after a day: %v", err)
		}
	})
}

// The 60th wrong round closes the window under those who watch it.
func TestDayLimitClosesTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fillDay(dayRounds - 1)
		w := s.watchCodes(ShowOptions{})
		guess(t, e, s, wrongOf(w.code(t).Digits))
		synctest.Wait()
		limit, ok := errors.AsType[*LimitedError](w.err)
		if !w.isOver() || !ok || time.Until(limit.Until) < 23*time.Hour {
			t.Errorf("over %v, %v", w.isOver(), w.err)
		}
	})
}

// With one guess of the day left, an honest device still pairs.
func TestLastGuessOfTheDayMayBeRight(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fillDay(dayRounds - 1)
		w := s.watchCodes(ShowOptions{})
		if _, err := e.Enter(t.Context(), w.code(t).Code, EnterOptions{}); err != nil {
			t.Error(err)
		}
		if n := s.dayRounds(); n != dayRounds-1 {
			t.Errorf("%d guesses taken", n)
		}
	})
}

func (d *device) fillDay(n int) {
	d.t.Helper()
	var r guessRecord
	for range n {
		r.Times = append(r.Times, time.Now().UnixMilli())
	}
	if err := d.db.Update(func(tx *store.Tx) error { return guesses.Put(tx, []byte(guessesKey), r) }); err != nil {
		d.t.Fatal(err)
	}
}

// Wrong codes of a time when the clock was a year ahead end the day after it was
// set right, as any others.
func TestClockSetBackDoesNotCloseForEver(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		var ahead guessRecord
		for range dayRounds {
			ahead.Times = append(ahead.Times, time.Now().AddDate(1, 0, 0).UnixMilli())
		}
		if err := s.db.Update(func(tx *store.Tx) error { return guesses.Put(tx, []byte(guessesKey), ahead) }); err != nil {
			t.Fatal(err)
		}
		if err := s.limited(); !errors.Is(err, ErrLimited) {
			t.Fatalf("not limited: %v", err)
		}
		<-time.After(dayLength + expireEvery)
		if err := s.limited(); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

func (d *device) countEvents(kind contact.EventType) (n int) {
	d.t.Helper()
	entries, err := d.db.Events(0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Event.Type == kind {
			n++
		}
	}
	return n
}

func TestRecentGuesses(t *testing.T) {
	now := time.UnixMilli(1_000_000_000_000)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	r := guessRecord{Times: []int64{ago(25 * time.Hour), ago(24 * time.Hour), ago(24*time.Hour - time.Millisecond), ago(-100 * time.Hour), ago(time.Hour)}}
	r.recent(now)
	want := []int64{ago(24*time.Hour - time.Millisecond), ago(time.Hour), ago(0)}
	if len(r.Times) != 3 || r.Times[0] != want[0] || r.Times[1] != want[1] || r.Times[2] != want[2] {
		t.Errorf("%v, want %v", r.Times, want)
	}
	if !r.until().IsZero() {
		t.Errorf("limited until %v", r.until())
	}
	for range dayRounds - 3 {
		r.Times = append(r.Times, ago(0))
	}
	if got := r.until(); !got.Equal(now.Add(time.Millisecond)) {
		t.Errorf("until %v, want %v", got, now.Add(time.Millisecond))
	}
}

// The debit is durable before the guess is looked at: if it can't be, no guess is
// answered, not even a right one.
func TestNoDebitNoAnswer(t *testing.T) {
	d := newDuel(t)
	refusing := errors.New("disk full")
	d.attackWith(t, func(s *showing) { s.debit = func() error { return refusing } })
	if !errors.Is(d.errS, refusing) || d.used != 0 || d.errE == nil || d.committed != (Result{}) {
		t.Errorf("S: %v, E: %v, %d used", d.errS, d.errE, d.used)
	}
}

func TestRoundsAreOnePerSecondAfterFive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, e := newDevice(t, n, 1), newDevice(t, n, 2)
		w := s.watchCodes(ShowOptions{})
		wrong := wrongOf(w.code(t).Digits)
		start := time.Now()
		for range roundBurst {
			guess(t, e, s, wrong)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("%d rounds took %v", roundBurst, d)
		}
		for range 5 {
			guess(t, e, s, wrong)
		}
		if d := time.Since(start); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("five more took %v", d)
		}
	})
}

// opened opens a session up to the OFFER and leaves it there.
func opened(t *testing.T, from, to *device) *line {
	t.Helper()
	l := newLine(from.open(t, to))
	if err := l.send(typeHello, anyHello.encode()); err != nil {
		t.Error(err)
	}
	if kind, _, err := l.recv(maxBody, typeOffer, typeReject); err != nil || kind != typeOffer {
		t.Errorf("type %d, %v", kind, err)
	}
	return l
}

func (l *line) isReset() bool {
	l.st.SetDeadline(time.Now().Add(time.Millisecond))
	_, err := l.st.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func TestOldestIdleSessionYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		w := s.watchCodes(ShowOptions{})
		code := w.code(t)
		var lines []*line
		for i := range maxSessions {
			lines = append(lines, opened(t, newDevice(t, n, byte(10+i)), s))
		}
		honest := newDevice(t, n, 2)
		if _, err := honest.Enter(t.Context(), code.Code, EnterOptions{}); err != nil {
			t.Fatalf("an honest device behind %d idle sessions: %v", maxSessions, err)
		}
		if !lines[0].isReset() {
			t.Error("the oldest session kept its place")
		}
		if n := s.dayRounds(); n != 0 {
			t.Errorf("idle sessions cost %d guesses", n)
		}
	})
}

func TestOneSessionAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, e, third := newDevice(t, n, 1), newDevice(t, n, 2), newDevice(t, n, 3)
		s.watchCodes(ShowOptions{})
		other := opened(t, third, s)
		first := opened(t, e, s)
		second := opened(t, e, s)
		if !first.isReset() {
			t.Error("two sessions of one peer")
		}
		if second.isReset() || other.isReset() {
			t.Error("the wrong session ended")
		}
	})
}

// Nor does a second session get around a proof of the first that is waiting.
func TestSecondSessionWaitsForTheProofOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, e := newDevice(t, n, 1), newDevice(t, n, 2)
		w := s.watchCodes(ShowOptions{})
		for range roundBurst {
			s.pace.Allow()
		}
		l := opened(t, e, s)
		if err := l.send(typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		code := w.code(t).Code
		if _, err := e.Enter(t.Context(), code, EnterOptions{}); !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
		<-time.After(2 * roundEvery)
		if _, err := e.Enter(t.Context(), code, EnterOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// Sessions that have sent a proof keep their places; whoever comes then is told
// to come again.
func TestProvingSessionsDoNotYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		w := s.watchCodes(ShowOptions{})
		w.code(t)
		for range roundBurst {
			s.pace.Allow() // so that proofs wait
		}
		proof := prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode()
		for i := range maxSessions {
			l := opened(t, newDevice(t, n, byte(10+i)), s)
			if err := l.send(typeProve, proof); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		late := newDevice(t, n, 2)
		if err := guess(t, late, s, "000000"); !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
		<-time.After(maxSessions * roundEvery)
		synctest.Wait()
		if n := s.dayRounds(); n != maxSessions {
			t.Errorf("%d guesses taken by %d proofs", n, maxSessions)
		}
	})
}

// An idle session yields even if others that came before it are proving.
func TestIdleSessionYieldsBehindProvingOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		w := s.watchCodes(ShowOptions{})
		code := w.code(t).Code
		for range roundBurst {
			s.pace.Allow()
		}
		var lines []*line
		for i := range maxSessions {
			lines = append(lines, opened(t, newDevice(t, n, byte(10+i)), s))
		}
		for _, l := range lines[:maxSessions-1] {
			if err := l.send(typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if _, err := newDevice(t, n, 2).Enter(t.Context(), code, EnterOptions{At: s.id.Self()}); err != nil {
			t.Error(err)
		}
		if !lines[maxSessions-1].isReset() {
			t.Error("the idle session kept its place")
		}
	})
}

// When the day's guesses run out under an open window, even the right code is
// not looked at, and the window closes.
func TestNoGuessLeftUnderAnOpenWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{})
		s.fillDay(dayRounds)
		_, err := e.Enter(t.Context(), w.code(t).Code, EnterOptions{})
		if !errors.Is(err, ErrLimited) {
			t.Errorf("E: %v", err)
		}
		synctest.Wait()
		if !w.isOver() || !errors.Is(w.err, ErrLimited) || len(s.committed) > 0 {
			t.Errorf("over %v, %v", w.isOver(), w.err)
		}
		if n := s.dayRounds(); n != dayRounds {
			t.Errorf("%d guesses", n)
		}
	})
}

// Floods from all sides never get more guesses than the window has.
func TestFloodGetsTwentyGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		w := s.watchCodes(ShowOptions{})
		wrong := wrongOf(w.code(t).Digits)
		var group sync.WaitGroup
		for i := range 8 {
			d := newDevice(t, n, byte(10+i))
			group.Go(func() {
				for s.WindowOpen() {
					d.Enter(t.Context(), wrong, EnterOptions{At: s.id.Self()})
					<-time.After(100 * time.Millisecond)
				}
			})
		}
		group.Wait()
		if n := s.dayRounds(); n > windowRounds {
			t.Errorf("%d guesses", n)
		}
		<-w.ended
		if !errors.Is(w.err, ErrLimited) {
			t.Errorf("%v", w.err)
		}
	})
}
