package message

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/store"
)

func TestSendingAgainUnderOneIDChangesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := newID(t)
		send := func(to contact.ODID, text string) (Message, error) {
			return w.alice.svc.Send(to, id, KindText, []byte(text))
		}
		first, err := send(w.bob.self, "hello")
		if err != nil || first.State != Queued || first.Waiting == "" {
			t.Fatalf("%+v, %v", first, err)
		}
		pass(time.Second)
		again, err := send(w.bob.self, "hello")
		if err != nil || again.State != Delivered || again.Cursor != first.Cursor {
			t.Fatalf("%+v, %v", again, err)
		}
		w.alice.relate(w.bob, contact.View{Status: contact.StatusRemoved})
		if _, err := send(w.bob.self, "hello"); err != nil {
			t.Fatalf("a retry after the contact was removed: %v", err)
		}
		if _, err := send(w.bob.self, "hell"); !errors.Is(err, ErrConflict) {
			t.Fatalf("other text: %v", err)
		}
		if _, err := send(w.alice.self, "hello"); !errors.Is(err, ErrConflict) {
			t.Fatalf("other contact: %v", err)
		}
		w.bob.wantReceived(w.alice, []string{"hello"})
		if _, err := w.bob.svc.Send(w.alice.self, id, KindText, []byte("hello")); !errors.Is(err, ErrConflict) {
			t.Fatalf("the id of a received message: %v", err)
		}
	})
}

func TestSendNamesTheLimitThatIsBroken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := newID(t)
		for _, c := range []struct {
			name string
			id   ID
			kind string
			body string
			want string
		}{
			{"empty", id, KindText, "", "message: empty"},
			{"too long", id, KindText, strings.Repeat("x", MaxBodySize+1), "message of 65537 bytes, at most 65536"},
			{"not UTF-8", id, KindText, "\xff", "message: not valid UTF-8"},
			{"kind", id, "image/png", "x", `kind: "image/png" can't be sent, use "text"`},
			{"random id", ID(uuid.New()), KindText, "x", "message id: not a UUID of version 7"},
			{"no id", ID{}, KindText, "x", "message id: not a UUID of version 7"},
		} {
			if _, err := w.alice.svc.Send(w.bob.self, c.id, c.kind, []byte(c.body)); err == nil || err.Error() != c.want {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
		}
		w.alice.wantQueued(0)
		if _, err := w.alice.svc.Send(w.bob.self, id, KindText, bytes.Repeat([]byte("x"), MaxBodySize)); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	})
}

func TestOnlyContactsAreSentTo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stranger := newDevice(t, w, 3)
		if _, err := w.alice.svc.Send(stranger.self, newID(t), KindText, []byte("x")); !errors.Is(err, ErrNotContact) {
			t.Errorf("stranger: %v", err)
		}
		for status, ok := range map[contact.Status]bool{
			contact.StatusNone: false, contact.StatusPending: true, contact.StatusAccepted: true,
			contact.StatusRemoved: false,
		} {
			w.alice.relate(w.bob, contact.View{Status: status})
			if _, err := w.alice.svc.Send(w.bob.self, newID(t), KindText, []byte("x")); ok != (err == nil) || err != nil && !errors.Is(err, ErrNotContact) {
				t.Errorf("%s: %v", status, err)
			}
		}
		for _, status := range []contact.Status{contact.StatusBlocked, contact.StatusReported} {
			w.alice.relate(w.bob, contact.View{Status: status})
			if _, err := w.alice.svc.Send(w.bob.self, newID(t), KindText, []byte("x")); !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: %v", status, err)
			}
		}
		w.alice.relate(w.bob, contact.View{Status: contact.StatusPending, Incoming: true})
		if _, err := w.alice.svc.Send(w.bob.self, newID(t), KindText, []byte("x")); !errors.Is(err, ErrNotContact) {
			t.Errorf("one who asks but is not listed: %v", err)
		}
	})
}

func TestAFullQueueSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.relate(w.bob, contact.View{Status: contact.StatusPending})
		err := w.alice.db.Update(func(tx *store.Tx) error {
			return peerTable.Put(tx, w.bob.self[:], peerRecord{Order: MaxQueued - 1, Queued: MaxQueued - 1})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.alice.write(w.bob, "the last")
		if _, err := w.alice.svc.Send(w.bob.self, newID(t), KindText, []byte("x")); !errors.Is(err, ErrQueueFull) || !strings.Contains(err.Error(), "100000") {
			t.Fatal(err)
		}
	})
}

func TestCancelBeforeItWasSent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		w.alice.write(w.bob, "one")
		m := w.alice.write(w.bob, "two")
		w.alice.write(w.bob, "three")
		got, err := w.alice.svc.Cancel(m.ID)
		if err != nil || got.State != Cancelled || got.Waiting != "" || w.alice.get(m.ID).State != Cancelled {
			t.Fatalf("%+v, %v", got, err)
		}
		w.alice.wantQueued(2)
		if _, err := w.alice.svc.Cancel(m.ID); !errors.Is(err, ErrFinal) {
			t.Fatalf("again: %v", err)
		}
		if _, err := w.alice.svc.Cancel(newID(t)); !errors.Is(err, ErrNotFound) {
			t.Fatalf("unknown: %v", err)
		}
		w.bob.start()
		pass(time.Minute)
		w.bob.wantReceived(w.alice, []string{"one", "three"}) // no gap: it never had a number
		if _, err := w.bob.svc.Cancel(w.bob.history(w.alice)[0].ID); !errors.Is(err, ErrFinal) {
			t.Fatalf("incoming: %v", err)
		}
	})
}

// number gives numbers to what waits for bob, as if alice had crashed right
// before sending.
func number(t *testing.T, w *world) {
	t.Helper()
	w.bob.stop()
	pos := inPosition(t, w.bob, w.alice)
	w.alice.restartWith(func() {
		h := have{Epoch: pos.epoch, Seq: pos.seq}
		if _, err := w.alice.svc.step(w.bob.self, step{hello: &h, frames: windowFrames, bytes: windowBytes}); err != nil {
			t.Fatal(err)
		}
	})
}

// restartWith runs f on a service that is not running.
func (d *device) restartWith(f func()) {
	d.t.Helper()
	d.stop()
	d.open()
	var err error
	if d.svc, err = New(Config{DB: d.db, Network: d.w.net.Device(d.self), Relation: d.relation}); err != nil {
		d.t.Fatal(err)
	}
	f()
	d.db.Close()
	d.start()
}

func TestCancelAfterItMayHaveBeenSentLeavesAGap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "zero")
		pass(time.Minute)
		w.bob.stop()
		w.alice.write(w.bob, "one")
		var cancelled []ID
		for _, text := range []string{"two", "three"} {
			cancelled = append(cancelled, w.alice.write(w.bob, text).ID)
		}
		w.alice.write(w.bob, "four")
		number(t, w)
		for _, id := range cancelled {
			got, err := w.alice.svc.Cancel(id)
			if err != nil || got.State != Queued || !strings.HasPrefix(got.Waiting, "being cancelled") {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		w.bob.start()
		pass(time.Hour)
		w.bob.wantReceived(w.alice, []string{"zero", "one", "(2 messages cancelled by the sender)", "four"})
		for _, id := range cancelled {
			if s := w.alice.get(id).State; s != Cancelled {
				t.Fatalf("state %s", s)
			}
		}
		w.alice.wantQueued(0)
	})
}

func TestCancelOfWhatHadArrivedTellsTheTruth(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "zero")
		pass(time.Second)
		w.net.CutOneWay(w.bob.self, w.alice.self) // the acknowledgement is lost
		m := w.alice.write(w.bob, "one")
		pass(time.Second)
		w.bob.wantReceived(w.alice, []string{"zero", "one"})
		got, err := w.alice.svc.Cancel(m.ID)
		if err != nil || got.State != Queued {
			t.Fatalf("%+v, %v", got, err)
		}
		w.alice.crash()
		w.net.Heal(w.alice.self, w.bob.self)
		w.alice.start()
		pass(time.Hour)
		w.bob.wantReceived(w.alice, []string{"zero", "one"})
		if state := w.alice.get(m.ID).State; state != Delivered {
			t.Fatalf("it arrived and is %s", state)
		}
		w.alice.wantQueued(0)
	})
}

func TestWhatWaitsThirtyDaysFailsWithAnEvent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.write(w.bob, "zero")
		pass(time.Minute)
		w.bob.stop()
		sent := w.alice.write(w.bob, "sent, never confirmed")
		number(t, w)
		w.bob.stop()
		unsent := w.alice.write(w.bob, "never sent")
		w.alice.relate(w.bob, contact.View{Status: contact.StatusAccepted}) // nor permitted any more
		w.alice.svc.Wake(w.bob.self)
		pass(Keep - time.Hour)
		w.alice.wantQueued(2)
		late := w.alice.write(w.bob, "late")
		pass(2 * time.Hour)
		for id, note := range map[ID]string{sent.ID: noteExpired + "; " + noteUnsure, unsent.ID: noteExpired} {
			if m := w.alice.get(id); m.State != Failed || m.Note != note {
				t.Fatalf("%s, note %q, want %q", m.State, m.Note, note)
			}
		}
		w.alice.wantQueued(1)
		entries, err := w.alice.db.Events(0, 100)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, e := range entries {
			if e.Event.Type == contact.MessageState && e.Event.State == "failed" {
				failed++
			}
		}
		if failed != 2 {
			t.Fatalf("%d events of failed messages, want 2", failed)
		}
		w.alice.relate(w.bob, accepted)
		w.bob.start()
		w.alice.svc.Wake(w.bob.self)
		pass(time.Minute)
		w.bob.wantReceived(w.alice, []string{"zero", "(not delivered in time)", "late"})
		if s := w.alice.get(late.ID).State; s != Delivered {
			t.Fatalf("the message behind is %s", s)
		}
	})
}

func TestAQueueOfAContactThatIsGoneWaitsAndSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		m := w.alice.write(w.bob, "hello")
		for status, want := range map[contact.Status]string{
			contact.StatusBlocked: "blocked by you",
			contact.StatusRemoved: "no longer a contact",
			contact.StatusPending: "not accepted yet",
		} {
			w.alice.relate(w.bob, contact.View{Status: status})
			if got := w.alice.get(m.ID).Waiting; got != want {
				t.Errorf("%s: waiting %q, want %q", status, got, want)
			}
		}
		w.bob.start()
		pass(time.Hour)
		w.alice.relate(w.bob, accepted)
		w.alice.svc.Wake(w.bob.self)
		pass(time.Minute)
		w.bob.wantReceived(w.alice, []string{"hello"})
	})
}

func TestIDs(t *testing.T) {
	id := newID(t)
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Fatalf("%s, %v", got, err)
	}
	for _, text := range []string{"", "x", uuid.NewString(), "urn:uuid:" + id.String(), "{" + id.String() + "}", id.String()[1:]} {
		var invalid *contact.InvalidError
		if _, err := ParseID(text); !errors.As(err, &invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
