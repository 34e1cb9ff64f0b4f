package profile

import (
	"context"
	"errors"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// TestChangeReachesConnectedContacts: a revision that is not the one kept has the
// profile fetched soon; the same one, or none, does not.
func TestChangeReachesConnectedContacts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.adds(bob)
		bob.adds(ana)
		if err := bob.net.Dial(t.Context(), ana.self()); err != nil {
			t.Fatal(err)
		}
		want := ana.sets(full(t, "Ana"))
		bob.svc.Noticed(ana.self(), 0)
		pass(time.Hour)
		if ana.asked() != 0 {
			t.Fatal("asked a device that has no profile")
		}
		bob.svc.Noticed(ana.self(), ana.svc.Rev())
		pass(spread)
		k, ok := bob.kept(ana)
		if !ok || bob.events(ana.self()) != 1 {
			t.Fatalf("%+v, %v, %d events", k, ok, bob.events(ana.self()))
		}
		equal(t, k.Profile, want)
		for range 10 {
			bob.svc.Noticed(ana.self(), ana.svc.Rev())
			pass(time.Minute)
		}
		if ana.asked() != 1 {
			t.Errorf("asked %d times", ana.asked())
		}
	})
}

// TestOneContactIsAskedOnceAMinute, however often its profile changes.
func TestOneContactIsAskedOnceAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.adds(bob)
		bob.adds(ana)
		if err := bob.net.Dial(t.Context(), ana.self()); err != nil {
			t.Fatal(err)
		}
		for i := range 600 {
			bio := string(rune('a' + i%26))
			ana.sets(Change{Bio: &bio})
			bob.svc.Noticed(ana.self(), ana.svc.Rev())
			pass(time.Second)
		}
		if ana.asked() > 11 || ana.asked() < 5 {
			t.Errorf("asked %d times in 10 minutes", ana.asked())
		}
		pass(3 * time.Minute)
		if k, _ := bob.kept(ana); k.Rev != ana.svc.Rev() {
			t.Error("the last change did not come")
		}
	})
}

// TestNobodyIsDialledForAProfile: who is not connected shows its revision again when
// it connects.
func TestNobodyIsDialledForAProfile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.adds(bob)
		bob.adds(ana)
		ana.sets(full(t, "Ana"))
		bob.svc.Noticed(ana.self(), ana.svc.Rev())
		pass(time.Hour)
		if ana.asked() != 0 || bob.wanted() != 0 {
			t.Errorf("asked %d times, %d to be asked", ana.asked(), bob.wanted())
		}
	})
}

// TestBadContactIsGivenUp: one that answers nothing good is asked four times.
func TestBadContactIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bob, eve := w.device(1), w.device(2)
		bob.adds(eve)
		asked := 0
		eve.serves(func(_ context.Context, st transport.Stream) {
			asked++
			_ = transport.WriteFrame(st, answer{Kind: kindLater}, maxAnswer)
			_ = st.Close()
		})
		if err := bob.net.Dial(t.Context(), eve.self()); err != nil {
			t.Fatal(err)
		}
		bob.svc.Noticed(eve.self(), 5)
		pass(24 * time.Hour)
		if asked != maxFailures+1 || bob.wanted() != 0 {
			t.Errorf("asked %d times, %d to be asked", asked, bob.wanted())
		}
	})
}

// TestThousandsAreNotAskedAtOnce: those that changed together are asked a few at a
// time, and no more are remembered than there is room for.
func TestThousandsAreNotAskedAtOnce(t *testing.T) {
	w := newWants()
	start := time.Now()
	for i := range 2 * maxWants {
		w.put(contact.ODID{byte(i), byte(i >> 8), 1}, 1, start)
	}
	if len(w.due) != maxWants {
		t.Errorf("%d are to be asked", len(w.due))
	}
	early := 0
	for _, d := range w.due {
		if d.at.Sub(start) < spread/4 {
			early++
		}
		if d.at.Sub(start) >= spread {
			t.Fatalf("one is due after %v", d.at.Sub(start))
		}
	}
	if early > maxWants/3 {
		t.Errorf("%d of %d in the first quarter", early, maxWants)
	}
	now := start.Add(spread)
	var running []contact.ODID
	for done := 0; done < 200; {
		peer, ok, _ := w.next(now)
		if ok {
			if running = append(running, peer); len(running) > maxAsking {
				t.Fatal("too many at once")
			}
			continue
		}
		w.ended(running[0], 1, nil, now)
		running = running[1:]
		done++
	}
	if len(w.due) != maxWants-200 || w.busy != len(running) {
		t.Errorf("%d left, %d busy", len(w.due), w.busy)
	}
}

// TestFailureIsTriedAgainLater with growing pauses.
func TestFailureIsTriedAgainLater(t *testing.T) {
	w := newWants()
	now := time.Now()
	peer := contact.ODID{1}
	w.put(peer, 1, now)
	last := time.Duration(0)
	for range maxFailures {
		_, _, again := w.next(now)
		now = again
		if got, ok, _ := w.next(now); !ok || got != peer {
			t.Fatal("not due")
		}
		w.ended(peer, 0, errors.New("no"), now)
		_, _, again = w.next(now)
		if pause := again.Sub(now); pause <= last || pause < restOfOne {
			t.Fatalf("%v after %v", pause, last)
		} else {
			last = pause
		}
	}
}
