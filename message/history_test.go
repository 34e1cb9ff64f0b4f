package message

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
)

func texts(messages []Message) (t []string) {
	for _, m := range messages {
		t = append(t, string(m.Body))
	}
	return t
}

func TestHistoryIsReadInPagesEitherWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		want := w.alice.writeAll(w.bob, "m", 25)
		w.alice.relate(w.bob, contact.View{Status: contact.StatusRemoved}) // the history stays
		var back []string
		for q := (Query{Limit: 10}); ; {
			page, err := w.alice.svc.History(w.bob.self, q)
			if err != nil {
				t.Fatal(err)
			}
			back = append(texts(page.Messages), back...)
			if !page.More {
				break
			}
			q.Before = page.Messages[0].Cursor
		}
		if !slices.Equal(back, want) {
			t.Errorf("backwards: %q", back)
		}
		forth := []string{want[0]}
		for q := (Query{After: 1, Limit: 10}); ; {
			page, err := w.alice.svc.History(w.bob.self, q)
			if err != nil {
				t.Fatal(err)
			}
			forth = append(forth, texts(page.Messages)...)
			if !page.More {
				break
			}
			q.After = page.Messages[len(page.Messages)-1].Cursor
		}
		if !slices.Equal(forth, want) {
			t.Errorf("forwards: %q", forth)
		}
		for _, q := range []Query{{Limit: -1}, {Limit: MaxPage + 1}, {After: 1, Before: 2}} {
			_, err := w.alice.svc.History(w.bob.self, q)
			var limit *contact.LimitError
			var invalid *contact.InvalidError
			if !errors.As(err, &limit) && !errors.As(err, &invalid) {
				t.Errorf("%+v: %v", q, err)
			}
		}
		if page, err := w.alice.svc.History(w.bob.self, Query{After: ^uint64(0)}); err != nil || len(page.Messages) != 0 {
			t.Errorf("after everything: %v, %v", page, err)
		}
	})
}

func TestPagesAreBoundedByBytesToo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		for range 100 {
			w.alice.write(w.bob, strings.Repeat("x", MaxBodySize))
		}
		page, err := w.alice.svc.History(w.bob.self, Query{Limit: 100})
		if err != nil || !page.More || len(page.Messages) > pageBytes/MaxBodySize+1 {
			t.Errorf("history: %d messages, %v", len(page.Messages), err)
		}
		out, err := w.alice.svc.Outbox(OutboxQuery{Limit: 100})
		if err != nil || out.Next == nil || len(out.Messages) > pageBytes/MaxBodySize+1 {
			t.Errorf("outbox: %d messages, %v", len(out.Messages), err)
		}
		w.alice.wantQueued(100)
	})
}

func TestOutboxOfOneContactAndOfAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		carol := newDevice(t, w, 3)
		w.alice.relate(carol, accepted)
		w.bob.stop()
		w.alice.writeAll(w.bob, "bob", 12)
		w.alice.writeAll(carol, "carol", 5)
		w.alice.wantQueued(17)
		page, err := w.alice.svc.Outbox(OutboxQuery{Contact: carol.self})
		if err != nil || page.Next != nil || len(page.Messages) != 5 {
			t.Fatalf("%d messages, %v", len(page.Messages), err)
		}
		if _, err := w.alice.svc.Outbox(OutboxQuery{After: []byte("x")}); err == nil {
			t.Fatal("a cursor from elsewhere was taken")
		}
	})
}

func TestMarkReadReachesBackToTheLastMark(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.writeAll(w.bob, "first", 3)
		pass(time.Second)
		w.bob.write(w.alice, "an answer between")
		w.alice.writeAll(w.bob, "second", 400)
		pass(time.Minute)
		all := w.bob.history(w.alice)
		in := slices.DeleteFunc(slices.Clone(all), func(m Message) bool { return m.Direction == Out })
		for _, upTo := range []int{1, 350, 20} {
			if err := w.bob.svc.MarkRead(w.alice.self, in[upTo].ID); err != nil {
				t.Fatal(err)
			}
		}
		read := 0
		for _, m := range w.bob.history(w.alice) {
			if m.State == Read {
				read++
				if m.ReadAt.IsZero() {
					t.Fatal("read without a time")
				}
			}
		}
		if read != 351 {
			t.Fatalf("%d read, want 351", read)
		}
		for _, m := range all {
			if m.Direction == Out {
				if err := w.bob.svc.MarkRead(w.alice.self, m.ID); !errors.Is(err, ErrNotFound) {
					t.Fatalf("outgoing: %v", err)
				}
			}
		}
		if err := w.bob.svc.MarkRead(w.bob.self, in[0].ID); !errors.Is(err, ErrNotFound) {
			t.Fatalf("of another contact: %v", err)
		}
		if w.alice.get(in[0].ID).State != Delivered {
			t.Fatal("reading is told to the sender")
		}
	})
}
