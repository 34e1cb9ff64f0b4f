package message

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

func TestManyAreSentTogetherAndEachForItself(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stranger := newDevice(t, w, 3)
		w.alice.relate(w.bob, accepted)
		w.bob.relate(w.alice, accepted)
		before, err := w.alice.db.Cursor()
		if err != nil {
			t.Fatal(err)
		}
		twice := newID(t)
		list := []Outgoing{
			{w.bob.self, twice, KindText, []byte("one")},
			{stranger.self, newID(t), KindText, []byte("who are you?")},
			{w.bob.self, newID(t), KindText, bytes.Repeat([]byte("x"), MaxBodySize+1)},
			{w.bob.self, ID{}, KindText, []byte("no id")},
			{w.bob.self, newID(t), "card", []byte("no text")},
			{w.bob.self, newID(t), KindText, nil},
			{w.bob.self, newID(t), KindText, []byte("\xff")},
			{w.bob.self, twice, KindText, []byte("one")},
			{w.bob.self, twice, KindText, []byte("another under its id")},
			{w.bob.self, newID(t), KindText, []byte("two")},
		}
		sent, err := w.alice.svc.SendMany(list)
		if err != nil || len(sent) != len(list) {
			t.Fatal(sent, err)
		}
		var limit *contact.LimitError
		var invalid *contact.InvalidError
		for i, ok := range []bool{
			sent[0].Err == nil && sent[0].Message.ID == twice && sent[0].Message.State == Queued,
			errors.Is(sent[1].Err, ErrNotContact),
			errors.As(sent[2].Err, &limit),
			errors.As(sent[3].Err, &invalid),
			errors.As(sent[4].Err, &invalid),
			errors.As(sent[5].Err, &invalid),
			errors.As(sent[6].Err, &invalid),
			sent[7].Err == nil && sent[7].Message.Cursor == sent[0].Message.Cursor,
			errors.Is(sent[8].Err, ErrConflict),
			sent[9].Err == nil,
		} {
			if !ok {
				t.Errorf("message %d: %+v", i, sent[i])
			}
		}
		after, err := w.alice.db.Cursor()
		if err != nil || after != before+2 {
			t.Errorf("%d events, %v; want one for each message that was taken", after-before, err)
		}
		pass(time.Minute)
		w.bob.wantReceived(w.alice, []string{"one", "two"})

		again, err := w.alice.svc.SendMany(list)
		if err != nil || again[0].Message.State != Delivered || again[9].Message.State != Delivered {
			t.Errorf("again: %+v, %v", again, err)
		}
		pass(time.Minute)
		w.bob.wantReceived(w.alice, []string{"one", "two"})
	})
}

func TestManyGoToSeveralInTheirOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		carol := newDevice(t, w, 3)
		carol.start()
		var list []Outgoing
		want := make([]string, 0, MaxBatch/2)
		for _, d := range []*device{w.bob, carol} {
			w.alice.relate(d, accepted)
			d.relate(w.alice, accepted)
		}
		for i := range MaxBatch / 2 {
			text := fmt.Sprint("number ", i)
			want = append(want, text)
			list = append(list, Outgoing{w.bob.self, newID(t), KindText, []byte(text)}, Outgoing{carol.self, newID(t), KindText, []byte(text)})
		}
		sent, err := w.alice.svc.SendMany(list)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range sent {
			if m.Err != nil {
				t.Fatalf("%d: %v", i, m.Err)
			}
		}
		pass(time.Minute)
		w.bob.wantReceived(w.alice, want)
		carol.wantReceived(w.alice, want)
		if _, err := w.alice.svc.SendMany(make([]Outgoing, MaxBatch+1)); err == nil {
			t.Error("more than a batch is taken")
		}
		if sent, err := w.alice.svc.SendMany(nil); err != nil || len(sent) != 0 {
			t.Errorf("none: %v, %v", sent, err)
		}
	})
}

func TestManyStopAtAFullQueue(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.alice.relate(w.bob, contact.View{Status: contact.StatusPending})
		err := w.alice.db.Update(func(tx *store.Tx) error {
			return peerTable.Put(tx, w.bob.self[:], peerRecord{Order: MaxQueued - 2, Queued: MaxQueued - 2})
		})
		if err != nil {
			t.Fatal(err)
		}
		var list []Outgoing
		for range 4 {
			list = append(list, Outgoing{w.bob.self, newID(t), KindText, []byte("x")})
		}
		sent, err := w.alice.svc.SendMany(list)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range sent {
			if full := errors.Is(m.Err, ErrQueueFull); full != (i >= 2) || !full && m.Err != nil {
				t.Errorf("message %d: %v", i, m.Err)
			}
		}
	})
}
