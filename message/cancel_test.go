package message

import (
	"errors"
	"testing"
	"time"

	"contactsd/contact"
)

func TestManyAreCancelledTogetherAndEachForItself(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arrived := w.alice.write(w.bob, "arrived")
		pass(time.Second)
		w.net.Cut(w.alice.self, w.bob.self)
		sent := w.alice.write(w.bob, "may have arrived")
		pass(time.Hour)
		waits := w.alice.write(w.bob, "waits")
		commits := w.alice.db.Commits()
		done, err := w.alice.svc.CancelMany([]ID{waits.ID, arrived.ID, newID(t), sent.ID, waits.ID})
		if err != nil {
			t.Fatal(err)
		}
		if n := w.alice.db.Commits() - commits; n != 1 {
			t.Errorf("%d commits", n)
		}
		for i, want := range []error{nil, ErrFinal, ErrNotFound, nil, ErrFinal} {
			if !errors.Is(done[i].Err, want) {
				t.Errorf("%d: %v, want %v", i, done[i].Err, want)
			}
		}
		if a, b := done[0].Message.State, done[3].Message.State; a != Cancelled || b != Queued {
			t.Errorf("what waited is %s, what was sent is %s", a, b)
		}
		w.net.Heal(w.alice.self, w.bob.self)
		w.alice.write(w.bob, "last")
		pass(time.Hour)
		w.alice.wantQueued(0)
		w.bob.wantReceived(w.alice, []string{"arrived", "(cancelled by the sender)", "last"})
	})
}

func TestNoMoreThanABatchIsCancelled(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	var limit *contact.LimitError
	if _, err := w.alice.svc.CancelMany(make([]ID, MaxBatch+1)); !errors.As(err, &limit) || limit.Limit != MaxBatch {
		t.Errorf("%v", err)
	}
}
