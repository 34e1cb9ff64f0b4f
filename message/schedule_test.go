package message

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

func TestAttemptsBackOffAndAConnectionEndsTheWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		m := w.alice.write(w.bob, "hello")
		pass(time.Second)
		first := w.alice.get(m.ID).Waiting
		if !strings.HasPrefix(first, "unreachable since ") || !strings.Contains(first, ", next try ") {
			t.Fatalf("waiting: %q", first)
		}
		var delays []time.Duration
		tries, since := w.alice.tap.opens.Load(), time.Now()
		for range 24 * 3600 {
			time.Sleep(time.Second)
			if n := w.alice.tap.opens.Load(); n != tries {
				delays = append(delays, time.Since(since))
				tries, since = n, time.Now()
			}
		}
		base := firstRetry
		for i, d := range delays {
			if i > 0 && (d < base*3/4 || d > min(base*5/4, lastRetry)+5*time.Second) {
				t.Fatalf("attempt %d after %s, want about %s: %s", i+2, d, base, delays)
			}
			base = min(2*base, lastRetry)
		}
		if n := len(delays); n < 24*3 || n > 24*6 {
			t.Fatalf("%d attempts a day", n)
		}
		w.bob.start()
		connect(t, w)
		pass(500 * time.Millisecond)
		w.bob.wantReceived(w.alice, []string{"hello"})
	})
}

func connect(t *testing.T, w *world) {
	t.Helper()
	if err := w.bob.net.Dial(t.Context(), w.alice.self); err != nil {
		t.Fatal(err)
	}
}

func TestNewMessagesDoNotHammerAContactThatIsAway(t *testing.T) {
	for name, leave := range map[string]func(*world){
		"fails at once":    func(w *world) { w.bob.stop() },
		"fails after 5 s":  func(w *world) { w.net.Cut(w.alice.self, w.bob.self) },
		"answers, refuses": func(w *world) { w.bob.relate(w.alice, contact.View{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				leave(w)
				for range 1200 {
					w.alice.write(w.bob, "ping")
					pass(500 * time.Millisecond)
				}
				if n := w.alice.tap.opens.Load(); n < 5 || n > 30 {
					t.Fatalf("%d attempts in 10 minutes of 2 messages a second", n)
				}
			})
		})
	}
}

func TestBackoffIsWrittenDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		w.alice.write(w.bob, "hello")
		pass(2 * time.Hour)
		w.alice.stop()
		w.alice.start()
		pass(startSpread + time.Second)
		if n := w.alice.tap.opens.Load(); n != 1 {
			t.Fatalf("%d attempts right after the start, want 1", n)
		}
		pass(5 * time.Minute)
		if n := w.alice.tap.opens.Load(); n != 1 {
			t.Fatalf("%d attempts: the delay began anew", n)
		}
	})
}

func TestWakeTriesAtOnceAndBeginsTheDelaysAnew(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		w.alice.write(w.bob, "hello")
		pass(6 * time.Hour)
		tries := w.alice.tap.opens.Load()
		w.alice.svc.Wake(w.bob.self)
		pass(time.Second)
		if n := w.alice.tap.opens.Load(); n != tries+1 {
			t.Fatalf("%d attempts at once, want 1", n-tries)
		}
		pass(time.Minute)
		if n := w.alice.tap.opens.Load(); n < tries+3 {
			t.Fatalf("%d attempts in the minute after, the delay is still long", n-tries)
		}
	})
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	for _, attempts := range []int{1, 2, 5, 8, 9, 17, 1 << 16} {
		lo, hi := lastRetry, time.Duration(0)
		for range 200 {
			d := backoff(attempts, lastRetry)
			lo, hi = min(lo, d), max(hi, d)
		}
		want := lastRetry
		if attempts < 9 {
			want = min(firstRetry<<(attempts-1), lastRetry)
		}
		if lo < firstRetry || hi > lastRetry || lo < want*3/4 || hi > want*5/4 || hi-lo < want/20 {
			t.Errorf("after %d failures: %s to %s, want about %s", attempts, lo, hi, want)
		}
	}
}

// A message that comes while an attempt ends begins another one.
func TestAMessageAtTheLastMomentIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	s := w.alice.svc
	w.alice.write(w.bob, "one")
	begin, _ := s.sched.start(time.Now())
	if len(begin) != 1 {
		t.Fatalf("%d attempts begin", len(begin))
	}
	l := begin[0]
	s.look(l)
	w.alice.write(w.bob, "two") // after the attempt last looked
	s.leave(l, time.Time{}, holdNone)
	if begin, _ = s.sched.start(time.Now()); len(begin) != 1 || s.sched.dials != 1 {
		t.Fatalf("%d attempts begin, %d dials", len(begin), s.sched.dials)
	}
	s.look(l)
	s.leave(l, time.Time{}, holdNone)
	if len(s.sched.lanes) != 0 || s.sched.dials != 0 {
		t.Fatalf("%d lanes and %d dials are left", len(s.sched.lanes), s.sched.dials)
	}
}

// Both looked for each other, the other came first.
func TestAConnectionThatComesWhileDiallingIsUsedAtOnce(t *testing.T) {
	for _, came := range []bool{true, false} {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		s := w.alice.svc
		w.alice.write(w.bob, "one")
		begin, _ := s.sched.start(time.Now())
		if came {
			s.connection(w.bob.self, true)
		}
		s.failed(begin[0], transport.ErrUnreachable, time.Time{})
		if begin, _ = s.sched.start(time.Now()); came != (len(begin) == 1) {
			t.Errorf("connected: %t, %d attempts at once", came, len(begin))
		}
	}
}

func TestDialsAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var away []*device
		for i := range 5 * maxDials {
			d := newDevice(t, w, byte(10+i))
			w.alice.relate(d, accepted)
			w.net.Cut(w.alice.self, d.self)
			away = append(away, d)
		}
		for _, d := range away {
			w.alice.write(d, "anybody there")
		}
		most := 0
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			w.alice.svc.mu.Lock()
			most = max(most, w.alice.svc.sched.dials)
			w.alice.svc.mu.Unlock()
		}
		if most > maxDials || most == 0 {
			t.Fatalf("%d dials at once", most)
		}
		// A contact that is there does not wait for those that are not.
		connect(t, w)
		w.alice.write(w.bob, "hello")
		pass(time.Second)
		w.bob.wantReceived(w.alice, []string{"hello"})
	})
}

func TestAQueueOfAnyLengthTakesBoundedMemory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		w.alice.writeAll(w.bob, "long", 3000)
		w.alice.stopService()
		var c cargo
		var err error
		sent := 0
		for pos := (position{}); ; pos = c.pos {
			in := step{pos: pos, frames: windowFrames, bytes: windowBytes}
			if sent == 0 {
				in.hello = &have{}
			}
			w.alice.svc.acknowledge(w.bob.self, c.flights, func(err error) {
				if err != nil {
					t.Error(err)
				}
			})
			if c, err = w.alice.svc.step(w.bob.self, in); err != nil {
				t.Fatal(err)
			}
			if len(c.frames) > windowFrames {
				t.Fatalf("%d frames at once", len(c.frames))
			}
			if sent += len(c.frames); len(c.frames) == 0 {
				break
			}
		}
		if sent != 3000 {
			t.Fatalf("%d sent", sent)
		}
		w.alice.stopService = func() {}
		pass(time.Second)
		w.alice.wantQueued(0)
	})
}
