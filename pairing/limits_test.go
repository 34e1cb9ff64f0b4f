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

// The 20th wrong round of a window: codes of 6 digits are refused from then on, those
// who watch see one of 9, and an honest device pairs by it.
func TestTwentyWrongRoundsLengthenTheCode(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{})
		short := w.code(t)
		if short.Accepts != SixDigits {
			t.Errorf("accepts %v", short.Accepts)
		}
		wrong := wrongOf(short.Digits)
		for i := 0; s.dayRounds() < windowRounds; i++ {
			if err := guess(t, []*device{e, third}[i%2], s, wrong); !errors.Is(err, ErrWrongCode) && !errors.Is(err, ErrLimited) {
				t.Fatalf("guess %d: %v", i, err)
			}
			synctest.Wait()
		}
		long := w.code(t)
		if w.isOver() || long.Accepts != NineDigits || len(long.Digits) != longCode || !long.ShortAt.IsZero() {
			t.Fatalf("over %v, %+v", w.isOver(), long)
		}
		if n := s.countEvents(contact.PairingLimited); n != 1 {
			t.Errorf("%d events", n)
		}
		if err := guess(t, e, s, short.Digits); !errors.Is(err, ErrWrongCode) {
			t.Errorf("the code of 6 digits: %v", err)
		}
		if n := s.dayRounds(); n != windowRounds {
			t.Errorf("%d rounds of 6 digits", n)
		}
		if n := s.longRounds(); n != 1 {
			t.Errorf("%d rounds of 9 digits", n)
		}
		if _, err := e.Enter(t.Context(), long.Code, EnterOptions{}); err != nil {
			t.Error(err)
		}
		mustPair(t, s, e)
		// Another window is the user's to open, and begins with 6.
		if got := s.watchCodes(ShowOptions{}).code(t); got.Accepts != SixDigits {
			t.Errorf("the next window accepts %v", got.Accepts)
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
		long := w.code(t)
		if long.Accepts != NineDigits || len(long.Digits) != longCode {
			t.Fatalf("%+v", long)
		}
		if d := long.ShortAt.Sub(first.Add(dayLength)).Abs(); d > 2*time.Second {
			t.Errorf("6 digits again at %v, the first guess was at %v", long.ShortAt, first)
		}
		w.leave()
		<-time.After(time.Until(long.ShortAt))
		again := s.watchCodes(ShowOptions{}).code(t)
		if again.Accepts != SixDigits {
			t.Errorf("after a day: %v", again.Accepts)
		}
		if _, err := e.Enter(t.Context(), again.Code, EnterOptions{}); err != nil {
			t.Errorf("after a day: %v", err)
		}
	})
}

// 300 wrong rounds of 9 digits: codes are over for those who watch them and for
// those who ask, until the day has passed. A link still pairs.
func TestThreeHundredLongRoundsLeaveLinksAlone(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fill(dayRounds, dayRoundsLong-1)
		w := s.watchCodes(ShowOptions{})
		long := w.code(t)
		if long.Accepts != NineDigits {
			t.Fatalf("%+v", long)
		}
		if err := guess(t, e, s, "000000000"); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		limit, ok := errors.AsType[*LimitedError](w.err)
		if !w.isOver() || !ok || time.Until(limit.Until) < 23*time.Hour || s.WindowOpen() {
			t.Fatalf("over %v, %v", w.isOver(), w.err)
		}
		if refused := s.watchCodes(ShowOptions{}); !errors.Is(refused.err, ErrLimited) {
			t.Errorf("%v", refused.err)
		}
		l := s.watchCodes(ShowOptions{Link: true})
		shown := l.code(t)
		if shown.Accepts != LinksOnly || shown.Link == "" {
			t.Fatalf("%+v", shown)
		}
		if err := guess(t, e, s, "000000000"); !errors.Is(err, ErrLimited) {
			t.Errorf("a code where links alone are accepted: %v", err)
		}
		if _, err := e.Enter(t.Context(), shown.Link, EnterOptions{}); err != nil {
			t.Error(err)
		}
		mustPair(t, s, e)
		<-time.After(time.Until(limit.Until))
		if got := s.watchCodes(ShowOptions{}).code(t); got.Accepts != SixDigits {
			t.Errorf("a day later: %+v", got)
		}
	})
}

// Who watches a link keeps the window when codes are over.
func TestLinkOutlivesTheCodesOfItsWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fill(dayRounds, dayRoundsLong-1)
		codes, l := s.watchCodes(ShowOptions{}), s.watchCodes(ShowOptions{Link: true})
		guess(t, e, s, "000000000")
		synctest.Wait()
		if !codes.isOver() || !errors.Is(codes.err, ErrLimited) {
			t.Errorf("codes: over %v, %v", codes.isOver(), codes.err)
		}
		if l.isOver() {
			t.Fatal(l.err)
		}
		if _, err := e.Enter(t.Context(), l.code(t).Link, EnterOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// Nine digits get a round a second from the first on.
func TestLongRoundsAreOnePerSecond(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fill(dayRounds, 0)
		s.watchCodes(ShowOptions{})
		start := time.Now()
		for range 5 {
			if err := guess(t, e, s, "000000000"); !errors.Is(err, ErrWrongCode) {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 4*time.Second || d > 5*time.Second {
			t.Errorf("5 rounds took %v", d)
		}
	})
}

// The 60th wrong round of the day lengthens the code under those who watch it.
func TestDayLimitLengthensTheCode(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fillDay(dayRounds - 1)
		w := s.watchCodes(ShowOptions{})
		guess(t, e, s, wrongOf(w.code(t).Digits))
		synctest.Wait()
		if got := w.code(t); w.isOver() || got.Accepts != NineDigits || time.Until(got.ShortAt) < 23*time.Hour {
			t.Errorf("over %v, %+v", w.isOver(), got)
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

// A right code of 9 digits gives its guess back too.
func TestLongCodeIsRefunded(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.fill(dayRounds, 7)
		w := s.watchCodes(ShowOptions{})
		w.code(t)
		<-time.After(32 * time.Second) // so that round 1 tries the code before
		synctest.Wait()
		if _, err := e.Enter(t.Context(), w.code(t).Code, EnterOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := s.longRounds(); n != 7 {
			t.Errorf("%d guesses taken", n)
		}
	})
}

func (d *device) fillDay(n int) { d.t.Helper(); d.fill(n, 0) }

// fill has so many guesses at short and long codes taken.
func (d *device) fill(short, long int) {
	d.t.Helper()
	var r guessRecord
	for range short {
		r.Times = append(r.Times, time.Now().UnixMilli())
	}
	for range long {
		r.Long = append(r.Long, time.Now().UnixMilli())
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
		for range dayRoundsLong {
			ahead.Long = append(ahead.Long, time.Now().AddDate(1, 0, 0).UnixMilli())
		}
		if err := s.db.Update(func(tx *store.Tx) error { return guesses.Put(tx, []byte(guessesKey), ahead) }); err != nil {
			t.Fatal(err)
		}
		if left, err := s.allowed(); err != nil || left.accepts != LinksOnly {
			t.Fatalf("%+v, %v", left, err)
		}
		<-time.After(dayLength + expireEvery)
		if left, err := s.allowed(); err != nil || left.accepts != SixDigits {
			t.Errorf("a day later: %+v, %v", left, err)
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
	if !r.until(shortCode).IsZero() {
		t.Errorf("limited until %v", r.until(shortCode))
	}
	for range dayRounds - 3 {
		r.Times = append(r.Times, ago(0))
	}
	if got := r.until(shortCode); !got.Equal(now.Add(time.Millisecond)) {
		t.Errorf("until %v, want %v", got, now.Add(time.Millisecond))
	}
}

// The debit is durable before the guess is looked at: if it can't be, no guess is
// answered, not even a right one.
func TestNoDebitNoAnswer(t *testing.T) {
	d := newDuel(t)
	refusing := errors.New("disk full")
	d.attackWith(t, func(s *showing) { s.debit = func(*shownCode) error { return refusing } })
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
		s.pace.spend()
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
		s.pace.spend()
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
		s.pace.spend()
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

// When the day's guesses run out under an open window, even the right code is not
// looked at, and a longer one is shown.
func TestNoGuessLeftUnderAnOpenWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{})
		code := w.code(t).Code
		s.fillDay(dayRounds)
		if _, err := e.Enter(t.Context(), code, EnterOptions{}); !errors.Is(err, ErrLimited) {
			t.Errorf("E: %v", err)
		}
		synctest.Wait()
		if w.isOver() || len(s.committed) > 0 || w.code(t).Accepts != NineDigits {
			t.Errorf("over %v, %v", w.isOver(), w.err)
		}
		if short, long := s.dayRounds(), s.longRounds(); short != dayRounds || long != 0 {
			t.Errorf("%d and %d guesses", short, long)
		}
	})
}

// Floods from all sides get no more guesses at 6 digits than a window has, and an
// honest device pairs among them by the 9 that are shown then.
func TestFloodLeadsToNineDigitsAndAnHonestDevicePairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, honest := newDevice(t, n, 1), newDevice(t, n, 2)
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
		var long Shown
		for long.Accepts != NineDigits {
			long = <-w.seen
		}
		if n := s.dayRounds(); n > windowRounds {
			t.Errorf("%d guesses at 6 digits", n)
		}
		err := errors.New("not tried")
		for try := 0; err != nil && try < 30; try++ {
			<-time.After(time.Second)
			select {
			case long = <-w.seen:
			default:
			}
			_, err = honest.Enter(t.Context(), long.Code, EnterOptions{At: s.id.Self()})
		}
		if err != nil {
			t.Errorf("the honest device: %v", err)
			w.leave()
		}
		<-w.ended
		group.Wait()
		if !w.how.Paired || w.how.Peer != honest.id.Self() {
			t.Errorf("%+v, %v", w.how, w.err)
		}
	})
}
