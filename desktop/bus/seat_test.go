package bus

import (
	"testing"
	"time"
)

// TestWhatIsSeenOfTheUser: the rule, without a bus.
func TestWhatIsSeenOfTheUser(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var s Seat
	for i, c := range []struct {
		after time.Duration
		is    sight
		idle  time.Duration
		known bool
	}{
		{0, sight{}, 0, false}, // nobody tells
		{time.Minute, sight{known: true, measured: 7 * time.Second}, 7 * time.Second, true},
		{time.Minute, sight{hint: hint{given: true}}, 0, true},
		{time.Minute, sight{hint: hint{given: true, idle: true, since: now.Add(time.Minute)}}, 2 * time.Minute, true},
		{time.Minute, sight{known: true, hint: hint{given: true, idle: true, since: now}}, 0, true}, // what is measured is newer
		{time.Minute, sight{shut: true}, 0, true},
		{time.Minute, sight{shut: true}, time.Minute, true},
		{time.Minute, sight{shut: true, known: true}, 2 * time.Minute, true}, // somebody moves the mouse
		{time.Minute, sight{shut: true, known: true, measured: time.Hour}, time.Hour, true},
		{time.Minute, sight{known: true}, 0, true},
		{time.Minute, sight{shut: true, known: true}, 0, true},
		{time.Minute, sight{}, 0, false},
		{time.Minute, sight{hint: hint{given: true, idle: true, since: now.Add(time.Hour)}}, 0, true}, // a clock that was set back
	} {
		now = now.Add(c.after)
		if idle, known := s.judge(now, c.is); idle != c.idle || known != c.known {
			t.Errorf("%d: idle for %v, %v; want %v, %v", i, idle, known, c.idle, c.known)
		}
	}
}

func TestSeatAsksTheDesktop(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	s := open(t, b)
	seat := OpenSeat(t.Context(), s, b.Address)
	t.Cleanup(seat.Close)
	go seat.Run(t.Context())
	idle := func() (time.Duration, bool) { return seat.Idle(t.Context()) }
	if _, known := idle(); known {
		t.Error("nobody is there, and it is known")
	}
	login, err := b.Login()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(login.Close)
	if _, known := idle(); known {
		t.Error("logind was told nothing, and it is known")
	}
	if err := login.Hint("IdleSinceHint", uint64(time.Now().Add(-time.Hour).UnixMicro())); err != nil {
		t.Fatal(err)
	}
	next(t, "a change", seat.Changed())
	if got, known := idle(); got != 0 || !known {
		t.Errorf("not idle by logind: %v, %v", got, known)
	}
	if err := login.Hint("IdleHint", true); err != nil {
		t.Fatal(err)
	}
	next(t, "a change", seat.Changed())
	if got, known := idle(); got < time.Hour || !known {
		t.Errorf("idle by logind: %v, %v", got, known)
	}
	saver, err := b.Saver(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(saver.Close)
	if got, known := idle(); got != 0 || !known {
		t.Errorf("measured first: %v, %v", got, known)
	}
	saver.Idle(1)
	if got, known := idle(); got != time.Second || !known {
		t.Errorf("measured: %v, %v", got, known)
	}
	for name, shut := range map[string]func(bool) error{
		"blanked": saver.Activate, "asleep": login.Sleep, "locked": func(on bool) error { return login.Hint("LockedHint", on) },
	} {
		if err := shut(true); err != nil {
			t.Fatal(err)
		}
		next(t, "a change", seat.Changed())
		idle()
		seat.mu.Lock()
		if seat.shut.IsZero() {
			t.Errorf("%s, and it is not seen", name)
		}
		seat.mu.Unlock()
		if err := shut(false); err != nil {
			t.Fatal(err)
		}
		next(t, "a change", seat.Changed())
		idle()
		seat.mu.Lock()
		if !seat.shut.IsZero() {
			t.Errorf("no longer %s, and it is not seen", name)
		}
		seat.mu.Unlock()
	}
}

func TestSeatWithoutASystemBus(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	s := open(t, b)
	seat := OpenSeat(t.Context(), s, "unix:path=/nonexistent/bus")
	defer seat.Close()
	if _, err := b.Saver(true); err != nil {
		t.Fatal(err)
	}
	if idle, known := seat.Idle(t.Context()); known {
		t.Errorf("idle for %v", idle)
	}
}
