package message

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// lostWorld is a story of alice who knows bob's address when known says so.
func lostWorld(t *testing.T, story func(t *testing.T, w *world, known *atomic.Bool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		known := new(atomic.Bool)
		w.alice.dialable = func(contact.ODID) bool { return known.Load() }
		w.alice.start()
		story(t, w, known)
	})
}

func TestAContactThatNobodyKnowsAnAddressOfCostsNothing(t *testing.T) {
	lostWorld(t, func(t *testing.T, w *world, _ *atomic.Bool) {
		m := w.alice.write(w.bob, "where are you")
		pass(time.Second)
		commits := w.alice.db.Commits()
		pass(24 * time.Hour)
		if n := w.alice.tap.opens.Load(); n != 0 {
			t.Errorf("%d attempts to open a stream", n)
		}
		if n := w.alice.db.Commits() - commits; n != 0 {
			t.Errorf("%d commits", n)
		}
		if got := w.alice.get(m.ID).Waiting; !strings.HasPrefix(got, "nobody knows where the contact is") {
			t.Errorf("waiting: %q", got)
		}
		pass(Keep)
		if got := w.alice.get(m.ID); got.State != Failed {
			t.Errorf("after %v it is %s", Keep, got.State)
		}
	})
}

func TestWhatWaitsForAnAddressIsWoken(t *testing.T) {
	for name, wake := range map[string]func(*testing.T, *world, *atomic.Bool){
		"by a connection": func(t *testing.T, w *world, _ *atomic.Bool) { connect(t, w) },
		"by an address": func(_ *testing.T, w *world, known *atomic.Bool) {
			known.Store(true)
			w.alice.svc.Found(w.bob.self)
		},
		"by a statement": func(_ *testing.T, w *world, known *atomic.Bool) {
			known.Store(true)
			w.alice.svc.Wake(w.bob.self)
		},
		"by another message": func(_ *testing.T, w *world, known *atomic.Bool) {
			known.Store(true)
			w.alice.write(w.bob, "hello")
			pass(messageRetry)
		},
		"after a start": func(_ *testing.T, w *world, known *atomic.Bool) {
			w.alice.stop()
			known.Store(true)
			w.alice.start()
			pass(startSpread)
		},
	} {
		t.Run(name, func(t *testing.T) {
			lostWorld(t, func(t *testing.T, w *world, known *atomic.Bool) {
				m := w.alice.write(w.bob, "hello")
				pass(time.Hour)
				w.bob.start()
				wake(t, w, known)
				pass(time.Second)
				if got := w.alice.get(m.ID); got.State != Delivered {
					t.Errorf("it is %s: %s", got.State, got.Waiting)
				}
			})
		})
	}
}

// What ends a wait may come while the attempt looks that is about to begin it.
func TestWhatComesBeforeAWaitBeginsIsNotMissed(t *testing.T) {
	for _, c := range []struct {
		name string
		hold hold
		come func(*Service, contact.ODID)
		due  bool
	}{
		{"nothing", holdAway, func(*Service, contact.ODID) {}, false},
		{"a connection", holdAway, func(s *Service, peer contact.ODID) { s.connection(peer, true) }, true},
		{"an address", holdAway, (*Service).Found, true},
		{"a statement", holdAway, (*Service).Wake, true},
		{"a statement, and it was closed", holdClosed, (*Service).Wake, true},
		{"an address, and it was closed", holdClosed, (*Service).Found, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s, l := begun(t)
			s.look(l)
			c.come(s, w.bob.self)
			s.leave(l, time.Now().Add(Keep), c.hold)
			begin, _ := s.sched.start(time.Now())
			if due := len(begin) == 1; due != c.due {
				t.Errorf("tried again at once: %t", due)
			}
			if !c.due && l.hold != c.hold {
				t.Errorf("it waits for %d", l.hold)
			}
		})
	}
}

// The failures of many contacts are few commits, and are there after a stop.
func TestFailuresAreWrittenDownTogether(t *testing.T) {
	inCrowd(t, 200, func(t *testing.T, w *world, away []*device) {
		for _, d := range away {
			w.alice.write(d, "anybody there")
		}
		commits := w.alice.db.Commits()
		const minutes = 60
		pass(minutes * time.Minute)
		failures, most := w.alice.svc.Traffic().Failures, uint64(time.Hour/troubleDelay)
		if n := w.alice.db.Commits() - commits; failures < 4*200 || n > most {
			t.Errorf("%d commits for %d failures, want at most %d", n, failures, most)
		}
		w.alice.stop()
		w.alice.open()
		defer w.alice.db.Close()
		err := w.alice.db.View(func(tx *store.Tx) error {
			for _, d := range away {
				a, err := getAccount(tx, d.self)
				if err != nil {
					return err
				}
				if a.Attempts == 0 || a.Next == 0 || a.Since == 0 || a.Trouble != "unreachable" {
					t.Fatalf("written down: %+v", a.peerRecord)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A failure that is not written down yet must not come after the success that
// followed it.
func TestAFailureIsForgottenWhenTheContactAnswers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		w.alice.write(w.bob, "hello")
		pass(troubleDelay - time.Second)
		w.bob.start()
		connect(t, w)
		pass(time.Minute)
		w.alice.wantQueued(0)
		err := w.alice.db.View(func(tx *store.Tx) error {
			a, err := getAccount(tx, w.bob.self)
			if err == nil && (a.Attempts != 0 || a.Next != 0 || a.Trouble != "") {
				t.Errorf("written down: %+v", a.peerRecord)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestManyTroublesAreWrittenDownAtOnce(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	s := w.alice.svc
	for i := range maxTroubles {
		if at := s.troubles.pending(); i > 0 && !at.After(time.Now()) {
			t.Fatalf("written down after %d", i)
		}
		s.mu.Lock()
		s.note(contact.ODID{byte(i), byte(i >> 8), 1}, trouble{attempts: 1, words: "unreachable"})
		s.mu.Unlock()
	}
	if at := s.troubles.pending(); at.IsZero() || at.After(time.Now()) {
		t.Errorf("written down at %v", at)
	}
}
