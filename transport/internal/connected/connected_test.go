package connected

import (
	"sync"
	"testing"

	"contactsd/contact"
)

func TestWatchersHearTransitionsOnly(t *testing.T) {
	var s Set
	a, b := contact.ODID{1}, contact.ODID{2}
	s.Add(b)
	s.Add(a)
	var got []change
	cancel := s.Watch(func(peer contact.ODID, up bool) { got = append(got, change{peer, up}) })
	s.Add(a) // a second connection
	s.Deliver()
	s.Remove(a)
	s.Deliver()
	s.Remove(a)
	s.Remove(b)
	s.Add(b)
	s.Deliver()
	want := []change{{a, true}, {b, true}, {a, false}, {b, false}, {b, true}}
	if len(got) != len(want) {
		t.Fatalf("heard %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("call %d was %v, want %v", i, got[i], want[i])
		}
	}
	cancel()
	cancel()
	s.Remove(b)
	s.Deliver()
	if len(got) != len(want) {
		t.Error("heard of a change after cancel")
	}
	if s.Has(a) || s.Has(b) || len(s.List()) != 0 {
		t.Error("devices are listed that are gone")
	}
}

func TestWatchersAreCalledInOrderByOneGoroutineAtATime(t *testing.T) {
	var s Set
	peer := contact.ODID{1}
	up, calls := false, 0
	var inside sync.Mutex
	defer s.Watch(func(_ contact.ODID, now bool) {
		if !inside.TryLock() {
			t.Error("called by two goroutines at once")
			return
		}
		defer inside.Unlock()
		if now == up {
			t.Errorf("told %v twice", now)
		}
		up = now
		calls++
	})()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				s.Add(peer)
				s.Deliver()
				s.Remove(peer)
				s.Deliver()
			}
		})
	}
	group.Wait()
	if up || calls < 2 {
		t.Errorf("the last call said %v, of %d", up, calls)
	}
}
