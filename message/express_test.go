package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

func parcelAt(e Epoch, seq uint64) parcel {
	return parcel{frame: msg(e, seq, byte(seq)), order: 100 + seq}
}

func TestExpressTakesWhatFollowsAndIsCommitted(t *testing.T) {
	e, other := testEpoch(1), testEpoch(2)
	for _, c := range []struct {
		name    string
		posted  []uint64
		durable position
		behind  bool
		after   position
		taken   int
		whole   bool
	}{
		{"nothing", nil, position{}, false, position{e, 4}, 0, true},
		{"what follows", []uint64{5, 6, 7}, position{e, 7}, false, position{e, 4}, 3, true},
		{"not committed yet", []uint64{5, 6, 7}, position{e, 6}, false, position{e, 4}, 2, true},
		{"others on the disk", []uint64{5, 6}, position{e, 6}, true, position{e, 4}, 2, false},
		{"a gap", []uint64{6, 7}, position{e, 7}, false, position{e, 4}, 0, false},
		{"committed and not here", []uint64{5}, position{e, 9}, false, position{e, 4}, 1, false},
		{"another epoch", []uint64{5}, position{e, 5}, false, position{other, 4}, 0, true},
		{"a later epoch", []uint64{1}, position{other, 1}, false, position{e, 4}, 0, false},
		{"given again to another message", []uint64{5, 6, 7, 6}, position{e, 6}, false, position{e, 4}, 2, true},
		{"not in a row", []uint64{5, 7}, position{e, 7}, false, position{e, 6}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &lane{phase: phaseActive, active: &active{}}
			s := &Service{sched: newSchedule()}
			s.sched.lanes[l.peer] = l
			for _, seq := range c.posted {
				s.post(l.peer, parcelAt(e, seq))
			}
			l.express.committed(c.durable, c.behind)
			list, whole := l.express.take(c.after)
			if len(list) != c.taken || whole != c.whole {
				t.Fatalf("took %d, whole %t", len(list), whole)
			}
			for i, f := range list {
				if f.frame.Seq != c.after.seq+1+uint64(i) {
					t.Errorf("took number %d", f.frame.Seq)
				}
			}
		})
	}
}

func TestExpressAdmitsNoMoreThanTheWindowHas(t *testing.T) {
	l := &lane{phase: phaseActive, active: &active{}}
	s := &Service{sched: newSchedule()}
	if s.admit(l.peer, 1) {
		t.Fatal("admitted without a lane")
	}
	s.sched.lanes[l.peer] = l
	if s.admit(l.peer, 1) {
		t.Fatal("admitted before the lane has room")
	}
	s.grant(l, cargo{pos: position{testEpoch(1), 4}}, 3, 100)
	for i, c := range []struct {
		size  int
		taken bool
	}{{60, true}, {41, false}, {40, true}, {0, true}, {0, false}} {
		if got := s.admit(l.peer, c.size); got != c.taken {
			t.Errorf("%d: %d bytes: admitted %t", i, c.size, got)
		}
	}
	s.post(l.peer, parcelAt(testEpoch(1), 5))
	s.grant(l, cargo{pos: position{testEpoch(1), 4}}, 1, 100)
	if s.admit(l.peer, 1) {
		t.Error("what is numbered already does not count")
	}
	s.grant(l, cargo{pos: position{testEpoch(1), 5}}, 1, 100)
	if !s.admit(l.peer, 1) {
		t.Error("what was sent still counts")
	}
	s.grant(l, cargo{pos: position{testEpoch(1), 5}, more: true}, 1, 100)
	if s.admit(l.peer, 1) {
		t.Error("admitted before what waits")
	}
}

// Many write at once while the stream is open, and other functions of the same
// commits fail, so that numbers are given again.
func TestWhatIsSentAtOnceArrivesInOrderWhateverElseFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "0 0")
		pass(time.Second)
		const writers, each = 16, 50
		var work sync.WaitGroup
		for n := range writers {
			work.Go(func() {
				for i := range each {
					w.alice.write(w.bob, fmt.Sprint(n+1, " ", i))
				}
			})
		}
		own := errors.New("own")
		for range 4 {
			work.Go(func() {
				for range each {
					if err := w.alice.db.Update(func(tx *store.Tx) error {
						booksOf(tx)
						return own
					}); !errors.Is(err, own) {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		pass(time.Second)
		w.alice.wantQueued(0)
		got := w.bob.received(w.alice)
		if len(got) != writers*each+1 {
			t.Fatalf("%d messages arrived", len(got))
		}
		for n := range writers {
			lane := slices.DeleteFunc(slices.Clone(got), func(text string) bool {
				return !strings.HasPrefix(text, fmt.Sprint(n+1, " "))
			})
			for i, text := range lane {
				if text != fmt.Sprint(n+1, " ", i) {
					t.Fatalf("%q is number %d of its writer", text, i)
				}
			}
		}
	})
}

// A message that goes on an open stream costs its sender a commit, and another for
// the acknowledgement, which may be shared.
func TestAMessageOnAnOpenStreamCostsTwoCommits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "first")
		pass(time.Second)
		sent, received := w.alice.db.Commits(), w.bob.db.Commits()
		m := w.alice.write(w.bob, "second")
		pass(time.Second)
		if got := w.alice.get(m.ID); got.State != Delivered || got.DeliveredAt.IsZero() {
			t.Fatalf("%+v", got)
		}
		if n := w.alice.db.Commits() - sent; n != 2 {
			t.Errorf("%d commits at the sender", n)
		}
		if n := w.bob.db.Commits() - received; n != 1 {
			t.Errorf("%d commits at the receiver", n)
		}
	})
}

// A user who takes a message back before it was sent expects that it is not.
func TestCancelOfWhatWaitsInTheExpress(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "first")
		pass(time.Second)
		w.net.Cut(w.alice.self, w.bob.self)
		m := w.alice.write(w.bob, "second")
		if _, err := w.alice.svc.Cancel(m.ID); err != nil {
			t.Fatal(err)
		}
		w.alice.svc.mu.Lock()
		if l := w.alice.svc.sched.activeLane(w.bob.self); l != nil && len(l.express.list) > 0 {
			t.Error("it still waits to be sent")
		}
		w.alice.svc.mu.Unlock()
		w.net.Heal(w.alice.self, w.bob.self)
		pass(time.Hour)
		w.alice.wantQueued(0)
	})
}

func TestTrafficIsCounted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "on its way")
		w.bob.write(w.alice, "back")
		pass(time.Second)
		w.alice.relate(w.bob, contact.View{})
		want := Traffic{Queued: 1, Delivered: 1, Received: 1, Attempts: 1}
		if got := w.alice.svc.Traffic(); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
