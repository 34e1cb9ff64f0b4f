package pairing

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport/memnet"
)

// watchWaiting shows codes and sends the lists of who waits.
func (d *device) watchWaiting() (*watcher, chan []Waiting) {
	lists := make(chan []Waiting, 1000)
	return d.watchCodes(ShowOptions{Waiting: func(l []Waiting) { lists <- l }}), lists
}

// The devices that try are listed from the third wrong code on, the latest first.
func TestWaitingDevicesAreListedAfterThreeFailures(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w, lists := s.watchWaiting()
		wrong := wrongOf(w.code(t).Digits)
		guess(t, e, s, wrong)
		guess(t, e, s, wrong)
		synctest.Wait()
		if len(lists) != 0 {
			t.Fatalf("listed after two: %v", <-lists)
		}
		<-time.After(2 * time.Second)
		guess(t, third, s, wrong)
		synctest.Wait()
		list := <-lists
		if len(list) != 2 || list[0].Peer != third.id.Self() || list[0].Wrong != 1 || list[1].Peer != e.id.Self() || list[1].Wrong != 2 {
			t.Errorf("%+v", list)
		}
		if w.isOver() {
			t.Error(w.err)
		}
	})
}

func TestListIsToldOnceASecond(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w, lists := s.watchWaiting()
		wrong := wrongOf(w.code(t).Digits)
		for range listAfter {
			guess(t, e, s, wrong)
		}
		synctest.Wait()
		for len(lists) > 0 {
			<-lists
		}
		start := time.Now()
		for time.Since(start) < 10*time.Second {
			l := newLine(e.open(t, s))
			l.send(typeHello, anyHello.encode())
			<-time.After(50 * time.Millisecond)
			l.st.Reset()
		}
		synctest.Wait()
		if n := len(lists); n < 8 || n > 11 {
			t.Errorf("told %d times in 10 s", n)
		}
	})
}

// Choosing one device serves that one alone: others are told that S is busy, cost no
// guess, and lose the sessions that they hold.
func TestChosenDeviceAloneIsServed(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		if err := s.ServeOnly(e.id.Self()); !errors.Is(err, ErrNothingShown) {
			t.Errorf("without a window: %v", err)
		}
		w, lists := s.watchWaiting()
		code := w.code(t)
		for range listAfter {
			guess(t, third, s, wrongOf(code.Digits))
		}
		held := opened(t, third, s)
		taken := s.dayRounds()
		if err := s.ServeOnly(e.id.Self()); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond) // on its way
		if !held.isReset() {
			t.Error("another device kept its session")
		}
		for range 5 {
			if _, err := third.Enter(t.Context(), code.Code, EnterOptions{At: s.id.Self()}); !errors.Is(err, ErrBusy) {
				t.Errorf("the right code of another device: %v", err)
			}
		}
		if n := s.dayRounds(); n != taken {
			t.Errorf("%d guesses taken from a device that is not served", n-taken)
		}
		if err := s.ServeOnly(contact.ODID{}); err != nil {
			t.Fatal(err)
		}
		if err := guess(t, third, s, wrongOf(code.Digits)); !errors.Is(err, ErrWrongCode) {
			t.Errorf("all are served again: %v", err)
		}
		if err := s.ServeOnly(e.id.Self()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Enter(t.Context(), code.Code, EnterOptions{At: s.id.Self()}); err != nil {
			t.Error(err)
		}
		var last []Waiting
		for len(lists) > 0 {
			last = <-lists
		}
		if len(last) == 0 || last[0].Peer != third.id.Self() {
			t.Errorf("%+v", last)
		}
	})
}

func TestOnlyOfShow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{Link: true, Only: e.id.Self()})
		l := w.code(t).Link
		if _, err := third.Enter(t.Context(), l, EnterOptions{}); !errors.Is(err, ErrBusy) {
			t.Errorf("another device: %v", err)
		}
		if _, err := e.Enter(t.Context(), l, EnterOptions{}); err != nil {
			t.Error(err)
		}
		s.blocked[third.id.Self()] = true
		if w := s.watchCodes(ShowOptions{Only: third.id.Self()}); !errors.Is(w.err, ErrBlocked) {
			t.Errorf("a blocked device: %v", w.err)
		}
		if w := s.watchCodes(ShowOptions{Only: s.id.Self()}); !errors.Is(w.err, ErrSelf) {
			t.Errorf("itself: %v", w.err)
		}
		s.watchCodes(ShowOptions{})
		if err := s.ServeOnly(third.id.Self()); !errors.Is(err, ErrBlocked) {
			t.Errorf("a blocked device: %v", err)
		}
	})
}

// Whoever makes up keys pushes its own off the list.
func TestListIsBoundedBySource(t *testing.T) {
	var list tried
	now := time.Now()
	honest := contact.ODID{0xff}
	list.seen(honest, "home", now)
	for i := range 10 * maxTried {
		list.seen(contact.ODID{1, byte(i), byte(i >> 8)}, "crowd", now.Add(time.Duration(i)))
	}
	if len(list.list) != maxTried || list.index(honest) < 0 {
		t.Errorf("%d listed, the honest device at %d", len(list.list), list.index(honest))
	}
	list.seen(contact.ODID{9}, "late", now.Add(triedLasts+time.Second))
	if len(list.list) != 1 {
		t.Errorf("%d listed that have not tried for long", len(list.list))
	}
}
