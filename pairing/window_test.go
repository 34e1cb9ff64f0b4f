package pairing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport/memnet"
)

func TestWindowIsOpenWhileSomebodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		if d.WindowOpen() {
			t.Fatal("open before anybody asked")
		}
		first := d.watchCodes(ShowOptions{})
		second := d.watchCodes(ShowOptions{})
		if a, b := first.code(t), second.code(t); a != b {
			t.Errorf("two watchers see %v and %v", a, b)
		}
		<-time.After(time.Hour)
		if !d.WindowOpen() {
			t.Error("closed while two watch")
		}
		first.leave()
		synctest.Wait()
		if !d.WindowOpen() || !first.isOver() || second.isOver() {
			t.Error("closed while one watches")
		}
		second.leave()
		synctest.Wait()
		if d.WindowOpen() || !second.isOver() || !errors.Is(second.err, context.Canceled) {
			t.Errorf("open: %v, %v", d.WindowOpen(), second.err)
		}
	})
}

// A jump of the wall clock moves no code: the window counts from a reading of the
// monotonic clock, and so do the times it hands out.
func TestWindowCountsOnTheMonotonicClock(t *testing.T) {
	s := &Service{opened: make(chan struct{}, 1)}
	w := s.watch(ShowOptions{}, allowance{})
	shown, _, err := s.look(w, ShowOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{w.opened, w.lease, shown.SwitchesAt, shown.ExpiresAt} {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%v has no monotonic reading", at)
		}
	}
}

func TestShownTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		w := d.watchCodes(ShowOptions{})
		start := time.Now()
		var codes []Shown
		for range 3 {
			c := w.code(t)
			codes = append(codes, c)
			if c.Code != c.Digits[:3]+"-"+c.Digits[3:] || len(c.Digits) != 6 {
				t.Errorf("%q and %q", c.Code, c.Digits)
			}
			if c.ExpiresAt.Sub(c.SwitchesAt) != codeGrace {
				t.Errorf("expires %v after it is replaced", c.ExpiresAt.Sub(c.SwitchesAt))
			}
			<-time.After(30 * time.Second)
			synctest.Wait()
		}
		for i, c := range codes {
			if want := start.Add(time.Duration(i+1) * 30 * time.Second); !c.SwitchesAt.Equal(want) {
				t.Errorf("code %d switches at %v, want %v", i, c.SwitchesAt, want)
			}
		}
		if codes[0].Digits == codes[1].Digits && codes[1].Digits == codes[2].Digits {
			t.Error("the code does not change")
		}
	})
}

func TestOnceStaysOpenUntilTheCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		w := d.watchCodes(ShowOptions{Once: true})
		if !w.isOver() || w.err != nil || w.how != (Ended{}) {
			t.Fatalf("%v, %+v, %v", w.isOver(), w.how, w.err)
		}
		expires := w.code(t).ExpiresAt
		if left := time.Until(expires); left != time.Minute {
			t.Errorf("%v left", left)
		}
		<-time.After(time.Until(expires) - time.Nanosecond)
		if !d.WindowOpen() {
			t.Error("closed too early")
		}
		<-time.After(time.Nanosecond)
		if d.WindowOpen() {
			t.Error("still open")
		}
	})
}

func TestOnceHoldsAWatchedWindowOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		w := d.watchCodes(ShowOptions{})
		once := d.watchCodes(ShowOptions{Once: true})
		if a, b := w.code(t), once.code(t); a != b {
			t.Errorf("%v and %v", a, b)
		}
		w.leave()
		synctest.Wait()
		if !d.WindowOpen() {
			t.Error("closed though --once printed a code")
		}
		<-time.After(time.Minute)
		if d.WindowOpen() {
			t.Error("still open")
		}
	})
}

// A code that is proven when the window has closed is as good as a wrong one,
// also if nobody has noticed yet that it closed.
func TestProofAfterTheWindowClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := newDevice(t, memnet.New(memnet.Options{}), 1).cfg
		for wait, want := range map[time.Duration]bool{time.Second: true, 2 * time.Second: false} {
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Show(t.Context(), ShowOptions{Once: true}, func(Shown) {}); err != nil {
				t.Fatal(err)
			}
			<-time.After(58*time.Second + 500*time.Millisecond)
			w := s.openWindow()
			codes := first(s.candidates(w, kindCode))
			<-time.After(wait)
			if got := s.use(w, codes[0]); got != want {
				t.Errorf("%v later: %v", wait, got)
			}
		}
	})
}

// A watcher that takes no codes any more keeps no window open.
func TestWindowLapsesWithoutEyes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		stuck, done := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := d.Show(t.Context(), ShowOptions{}, func(Shown) { <-stuck })
			done <- err
		}()
		synctest.Wait()
		<-time.After(windowLasts - time.Second)
		if !d.WindowOpen() {
			t.Error("closed before 5 minutes")
		}
		<-time.After(time.Second)
		if d.WindowOpen() {
			t.Error("open after 5 minutes")
		}
		close(stuck)
		if err := <-done; !errors.Is(err, ErrWindowLapsed) {
			t.Errorf("%v", err)
		}
	})
}

func TestWindowIsAnnouncedWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s, e := newDevice(t, n, 1), newDevice(t, n, 2)
		sees := func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			peer, ok := <-e.net.Candidates(ctx)
			return ok && peer == s.id.Self()
		}
		if sees() {
			t.Error("announced before it is open")
		}
		for range 3 {
			w := s.watchCodes(ShowOptions{})
			if !sees() {
				t.Error("not announced")
			}
			w.leave()
			synctest.Wait()
			if sees() {
				t.Error("announced after it closed")
			}
		}
		s.watchCodes(ShowOptions{Once: true})
		if !sees() {
			t.Error("--once is not announced")
		}
		<-time.After(2 * time.Minute)
		if sees() {
			t.Error("--once is announced for ever")
		}
		// A watcher that leaves before a --once window ends must not keep it announced.
		w := s.watchCodes(ShowOptions{})
		s.watchCodes(ShowOptions{Once: true})
		w.leave()
		<-time.After(time.Minute + time.Millisecond)
		if sees() {
			t.Error("announced after --once ended")
		}
	})
}

func TestRunEndsUnderAnOpenWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		d.watchCodes(ShowOptions{Once: true})
		start := time.Now()
		d.stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestLongNameIsRefusedBeforeAnythingIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, memnet.New(memnet.Options{}), 1)
		d.cfg.Name = func() string { return string(fill(65, 'n')) }
		_, err := d.Show(t.Context(), ShowOptions{}, func(Shown) { t.Error("shown") })
		if _, ok := errors.AsType[*contact.LimitError](err); !ok || d.WindowOpen() {
			t.Errorf("%v", err)
		}
		if _, err = d.Enter(t.Context(), "482-193", EnterOptions{}); !errors.As(err, new(*contact.LimitError)) {
			t.Errorf("%v", err)
		}
	})
}

func TestNewRefusesAnIncompleteConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("no error")
	}
}
