package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

func TestMessagesArriveInOrderBothWays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		there := w.alice.writeAll(w.bob, "there", 700)
		back := w.bob.writeAll(w.alice, "back", 300)
		pass(5 * time.Second)
		w.bob.wantReceived(w.alice, there)
		w.alice.wantReceived(w.bob, back)
		w.alice.wantQueued(0)
		w.bob.wantQueued(0)
		for _, m := range w.alice.history(w.bob) {
			if m.Direction == Out && (m.State != Delivered || m.DeliveredAt.IsZero()) {
				t.Fatalf("message %d is %s", m.Cursor, m.State)
			}
		}
	})
}

func TestFiftyMessagesWaitForADeviceThatIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.crash()
		want := w.alice.writeAll(w.bob, "wait", 50)
		pass(time.Minute)
		w.alice.wantQueued(50)
		w.alice.crash()
		w.alice.start()
		w.bob.start()
		pass(time.Minute)
		w.bob.wantReceived(w.alice, want)
		w.alice.wantQueued(0)
	})
}

func TestLargeMessagesFillTheWindowByBytes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var want []string
		for i := range 60 {
			text := strings.Repeat(string(rune('a'+i%26)), MaxBodySize)
			w.alice.write(w.bob, text)
			want = append(want, text)
		}
		pass(10 * time.Second)
		w.bob.wantReceived(w.alice, want)
	})
}

func TestStreamIsClosedWhenIdleAndOpenedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "one")
		pass(idleStream / 2)
		w.alice.write(w.bob, "two")
		pass(time.Second)
		if n := w.alice.tap.opens.Load(); n != 1 {
			t.Fatalf("%d streams for messages in a row, want 1", n)
		}
		pass(2 * idleStream)
		if len(w.bob.svc.in) != 0 || len(w.alice.svc.sched.lanes) != 0 {
			t.Fatalf("%d streams and %d lanes are left when all is delivered", len(w.bob.svc.in), len(w.alice.svc.sched.lanes))
		}
		w.alice.write(w.bob, "three")
		pass(time.Second)
		w.bob.wantReceived(w.alice, []string{"one", "two", "three"})
	})
}

// A crash at any read or write: each commit has one before and one after it.
func TestCrashAnywhereLosesAndRepeatsNothing(t *testing.T) {
	for _, who := range []string{"sender", "receiver"} {
		t.Run(who, func(t *testing.T) {
			crashed := true
			n := 1
			for ; crashed; n++ {
				inWorld(t, func(t *testing.T, w *world) { crashed = crashAfter(t, w, who, n) })
			}
			if n < 10 {
				t.Fatalf("only %d places to crash at", n)
			}
			t.Logf("crashed at %d places", n-2)
		})
	}
}

func crashAfter(t *testing.T, w *world, who string, n int) (crashed bool) {
	victim := w.bob
	if who == "sender" {
		victim = w.alice
	}
	victim.tap.blowAfter(n)
	var want []string
	for burst := range 4 {
		want = append(want, w.alice.writeAll(w.bob, fmt.Sprint("burst ", burst), 3)...)
		pass(time.Second)
		select {
		case <-victim.tap.blown:
			if !crashed {
				victim.crash()
				victim.start()
			}
			crashed = true
		default:
		}
	}
	pass(5 * time.Minute)
	w.bob.wantReceived(w.alice, want)
	w.alice.wantQueued(0)
	return crashed
}

func TestReceiverWithAnOldCopyGetsTheRestAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		want := w.alice.writeAll(w.bob, "before", 10)
		pass(time.Minute)
		w.bob.stop()
		copied := w.bob.backup()
		w.bob.start()
		want = append(want, w.alice.writeAll(w.bob, "after", 400)...)
		pass(time.Minute)
		w.bob.wantReceived(w.alice, want)
		for range 2 {
			w.bob.stop()
			w.bob.restore(copied)
			w.bob.start()
			want = append(want, w.alice.writeAll(w.bob, "then", 1)...)
			pass(time.Hour)
			w.bob.wantReceived(w.alice, want)
			w.alice.wantQueued(0)
		}
	})
}

func TestSenderWithAnOldCopyGoesOnInANewEpoch(t *testing.T) {
	for _, c := range []struct {
		name string
		ways func(*testing.T, *device)
	}{
		{"copied by hand", func(*testing.T, *device) {}},
		{"restored properly", func(t *testing.T, d *device) {
			d.open()
			if err := d.db.Update(NewEpoch); err != nil {
				t.Fatal(err)
			}
			d.db.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				want := w.alice.writeAll(w.bob, "before", 5)
				pass(time.Minute)
				w.net.Cut(w.alice.self, w.bob.self)
				want = append(want, w.alice.writeAll(w.bob, "waiting in the copy", 5)...)
				pass(time.Minute)
				w.alice.stop()
				copied := w.alice.backup()
				w.alice.start()
				w.net.Heal(w.alice.self, w.bob.self)
				want = append(want, w.alice.writeAll(w.bob, "after", 20)...)
				pass(time.Hour)
				w.bob.wantReceived(w.alice, want)
				for restore := range 3 {
					w.alice.stop()
					w.alice.restore(copied)
					c.ways(t, w.alice)
					w.alice.start()
					want = append(want, w.alice.writeAll(w.bob, fmt.Sprint("restored ", restore), 7)...)
					pass(time.Hour)
					w.bob.wantReceived(w.alice, want)
					w.alice.wantQueued(0)
				}
			})
		})
	}
}

// Both sides fall back, so that the numbers fit and only the id shows that the
// sender went on differently before.
func TestOneNumberOfTwoMessagesIsSeenByItsID(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		want := w.alice.writeAll(w.bob, "both know", 2)
		pass(time.Minute)
		w.alice.stop()
		early := w.alice.backup()
		w.alice.start()
		w.bob.crash()
		kept := w.alice.writeAll(w.bob, "numbered before the crash", 2)
		// Numbers are given, nothing arrives.
		if _, err := w.alice.svc.step(w.bob.self, step{pos: inPosition(t, w.bob, w.alice), frames: windowFrames, bytes: windowBytes}); err != nil {
			t.Fatal(err)
		}
		w.alice.stop()
		late := w.alice.backup()

		w.alice.restore(early)
		w.alice.start()
		w.bob.start()
		want = append(want, w.alice.writeAll(w.bob, "under the same numbers", 2)...)
		pass(time.Hour)
		w.bob.wantReceived(w.alice, want)

		w.alice.stop()
		w.alice.restore(late)
		w.alice.start()
		pass(time.Hour)
		w.bob.wantReceived(w.alice, append(want, kept...))
		w.alice.wantQueued(0)
	})
}

func inPosition(t *testing.T, d, from *device) position {
	t.Helper()
	d.open()
	defer d.db.Close()
	var p position
	if err := d.db.View(func(tx *store.Tx) error {
		peer, err := getAccount(tx, from.self)
		if err == nil {
			p = position{peer.InEpoch, peer.InSeq}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// lose takes one number out of the index.
func (a *account) lose(tx *store.Tx, seq uint64) error {
	s, found, err := a.runAt(tx, position{a.Epoch, seq})
	if err != nil || !found {
		return fmt.Errorf("number %d: %t, %w", seq, found, err)
	}
	a.RunSeq = 0 // the run does not grow any more
	before := seq - s.first.seq
	if err := sentTable.Delete(tx, sentKey(a.id, s.first.position)); err != nil {
		return err
	}
	if before > 0 {
		if err := sentTable.Put(tx, sentKey(a.id, s.first.position), run{s.first.order, before}); err != nil {
			return err
		}
	}
	if behind := s.count - before - 1; behind > 0 {
		return sentTable.Put(tx, sentKey(a.id, position{a.Epoch, seq + 1}), run{s.first.order + before + 1, behind})
	}
	return nil
}

func TestWhatTheHistoryLostBecomesAGap(t *testing.T) {
	for _, c := range []struct {
		name string
		lost []uint64 // orders whose message is gone
		gone []uint64 // numbers that are gone from the index too
		want string
	}{
		{"a message", []uint64{4}, nil, "1 2 3 (no longer kept by the sender) 5 6 7"},
		{"neighbours", []uint64{4, 5}, []uint64{5}, "1 2 3 (2 messages no longer kept by the sender) 6 7"},
		{"the middle", []uint64{4, 5}, []uint64{4, 5}, "1 2 3 (2 messages no longer kept by the sender) 6 7"},
		{"the beginning", []uint64{3}, []uint64{3}, "1 2 (no longer kept by the sender) 4 5 6 7"},
		{"the end", []uint64{5, 6}, []uint64{5, 6}, "1 2 3 4 (2 messages no longer kept by the sender) 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				for i := range 2 {
					w.alice.write(w.bob, fmt.Sprint(i+1))
				}
				pass(time.Minute)
				w.bob.stop()
				copied := w.bob.backup()
				w.bob.start()
				for i := range 4 {
					w.alice.write(w.bob, fmt.Sprint(i+3))
				}
				pass(time.Minute)
				w.bob.stop()
				w.bob.restore(copied)
				if err := w.alice.db.Update(func(tx *store.Tx) error {
					peer, err := getAccount(tx, w.bob.self)
					for _, order := range c.lost {
						err = errors.Join(err, historyTable.Delete(tx, placeKey(w.bob.self, order)))
					}
					for _, seq := range c.gone {
						err = errors.Join(err, peer.lose(tx, seq))
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				w.bob.start()
				pass(time.Second)
				w.alice.write(w.bob, "7")
				pass(time.Second) // without a second attempt
				if got := strings.Join(w.bob.received(w.alice), " "); got != c.want {
					t.Fatalf("received %s\nwant     %s", got, c.want)
				}
			})
		})
	}
}

func TestCutAndHealDeliverOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var want []string
		for round := range 6 {
			want = append(want, w.alice.writeAll(w.bob, fmt.Sprint("round ", round), 30)...)
			switch round % 3 {
			case 0:
				w.net.CutOneWay(w.bob.self, w.alice.self) // acknowledgements are lost
			case 1:
				w.net.Cut(w.alice.self, w.bob.self)
			case 2:
				w.net.Drop(w.alice.self, w.bob.self)
			}
			pass(time.Duration(round) * 20 * time.Second)
			w.net.Heal(w.alice.self, w.bob.self)
		}
		pass(time.Hour)
		w.bob.wantReceived(w.alice, want)
		w.alice.wantQueued(0)
	})
}

func TestRefusalIsAnAnswerAndTheMessageWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		narrow := accepted
		narrow.Given = contact.Presence
		w.bob.relate(w.alice, narrow) // alice has not heard of it
		m := w.alice.write(w.bob, "let me in")
		pass(2 * time.Second)
		if got := w.alice.get(m.ID).Waiting; !strings.HasPrefix(got, "refused: messages not permitted since ") {
			t.Fatalf("waiting: %q", got)
		}
		w.bob.wantReceived(w.alice, []string{})
		w.bob.relate(w.alice, accepted)
		w.alice.svc.Wake(w.bob.self)
		pass(time.Second)
		w.bob.wantReceived(w.alice, []string{"let me in"})
	})
}

func TestNarrowingActsWithinAnOpenStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		view    contact.View
		waiting string
	}{
		{"narrowed", contact.View{Status: contact.StatusAccepted, Given: contact.Presence}, "refused: messages not permitted since "},
		{"removed", contact.View{Status: contact.StatusRemoved}, "interrupted since "},
		{"blocked", contact.View{Status: contact.StatusBlocked}, "interrupted since "},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.alice.write(w.bob, "welcome")
				pass(time.Second)
				if len(w.bob.svc.in) != 1 {
					t.Fatal("the stream is not open any more")
				}
				w.bob.relate(w.alice, c.view)
				m := w.alice.write(w.bob, "not welcome")
				pass(time.Second)
				w.bob.wantReceived(w.alice, []string{"welcome"})
				if got := w.alice.get(m.ID).Waiting; !strings.HasPrefix(got, c.waiting) {
					t.Fatalf("waiting: %q", got)
				}
			})
		})
	}
}

func TestNothingIsSentBeforeTheContactAccepts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.relate(w.bob, contact.View{Status: contact.StatusPending, Given: contact.Messages})
		m := w.alice.write(w.bob, "are you there")
		pass(24 * time.Hour)
		if n := w.alice.tap.opens.Load(); n != 0 {
			t.Fatalf("%d streams opened to a contact that has not accepted", n)
		}
		if got := w.alice.get(m.ID).Waiting; got != "not accepted yet" {
			t.Fatalf("waiting: %q", got)
		}
		w.alice.relate(w.bob, accepted)
		w.alice.svc.Wake(w.bob.self)
		pass(time.Second)
		w.bob.wantReceived(w.alice, []string{"are you there"})
	})
}

func TestEventsTellTheStoryWithoutText(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		m := w.alice.write(w.bob, "secret words")
		pass(time.Second)
		if err := w.bob.svc.MarkRead(w.alice.self, m.ID); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			d    *device
			want []string
		}{
			{w.alice, []string{"message.queued queued", "message.state delivered"}},
			{w.bob, []string{"message.received received", "message.state read"}},
		} {
			entries, err := c.d.db.Events(0, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, string(e.Event.Type)+" "+e.Event.State)
				if e.Event.ID != m.ID.String() || strings.Contains(fmt.Sprint(e), "secret") {
					t.Fatalf("event %+v", e)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("events %q, want %q", got, c.want)
			}
		}
	})
}
