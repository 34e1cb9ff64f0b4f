package file

import (
	"errors"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// gone says that a device has nothing of a transfer any more.
func (d *device) gone(id ID) {
	d.t.Helper()
	if _, err := d.svc.Get(id); !errors.Is(err, ErrNotFound) {
		d.t.Errorf("it is still there: %v", err)
	}
	err := d.db.View(func(tx *store.Tx) error {
		for range pageTable.Scan(tx, store.Range{Prefix: id[:]}) {
			return errors.New("pages of it are left")
		}
		_, found, err := workTable.Get(tx, id[:])
		if found {
			return errors.New("there is something to do for it")
		}
		return err
	})
	if err != nil {
		d.t.Error(err)
	}
}

// An offer ends on both sides, whichever finds out first and whether the other is
// there or not.
func TestAnOfferExpires(t *testing.T) {
	for name, away := range map[string]func(w *world) *device{
		"both are there":       func(*world) *device { return nil },
		"the sender is away":   func(w *world) *device { return w.ana },
		"the receiver is away": func(w *world) *device { return w.bob },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.ana.sends(w.write("a.bin", content(10)))
				if d := away(w); d != nil {
					d.stop()
					wait(OfferKept + 2*sweepEvery)
					d.peer().wants(id, Expired)
					d.start()
				} else {
					wait(OfferKept - 2*sweepEvery)
					w.ana.wants(id, Offered)
					w.bob.wants(id, Offered)
					wait(4 * sweepEvery)
				}
				wait(time.Hour)
				w.ana.wants(id, Expired)
				if got := w.bob.wants(id, Expired); got.Note != noteExpired {
					t.Errorf("%q", got.Note)
				}
				if _, err := w.bob.svc.Accept(id, ""); !errors.Is(err, ErrState) {
					t.Errorf("an expired offer was accepted: %v", err)
				}
			})
		})
	}
}

// A sender that comes back after the time does not know of what was accepted meanwhile,
// and says that the offer has expired.
func TestAcceptedWhileTheSenderWasAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		early, late := w.ana.sends(w.write("a.bin", content(10))), w.ana.sends(w.write("b.bin", content(10)))
		w.ana.stop()
		w.bob.accepts(early)
		wait(OfferKept - 2*sweepEvery)
		w.bob.accepts(late)
		wait(5 * sweepEvery)
		w.bob.wants(early, Active)
		w.ana.start()
		wait(sweepEvery)
		for _, id := range []ID{early, late} {
			if got := w.bob.wants(id, Expired); got.Note != noteExpired {
				t.Errorf("%q", got.Note)
			}
		}
		w.bob.empty()
	})
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		done, open := w.ana.sends(w.write("a.bin", content(10))), w.ana.sends(w.write("b.bin", content(10)))
		w.bob.accepts(done)
		wait(time.Hour)
		w.bob.decides(func(p *contact.Policy) { p.FilesKept = 7 })
		wait(7*24*time.Hour - 3*sweepEvery)
		w.bob.wants(done, Done)
		wait(4 * sweepEvery)
		w.bob.gone(done)
		w.ana.wants(done, Done)
		w.bob.wants(open, Offered)
		w.bob.holds(map[string][]byte{"a.bin": content(10)})
	})
}

// What the contact has yet to be told is not forgotten, unless it is named.
func TestCleared(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		done, untold, open := w.ana.sends(w.write("a", content(10))), w.ana.sends(w.write("b", content(10))), w.ana.sends(w.write("c", content(10)))
		w.bob.accepts(done)
		wait(time.Minute)
		w.ana.stop()
		if _, err := w.bob.svc.Reject(untold); err != nil {
			t.Fatal(err)
		}
		if _, err := w.bob.svc.Clear(done, open); !errors.Is(err, ErrState) {
			t.Errorf("what is offered was cleared: %v", err)
		}
		w.bob.wants(done, Done) // all or none
		if n, err := w.bob.svc.Clear(); n != 1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
		w.bob.gone(done)
		w.bob.wants(untold, Rejected)
		if n, err := w.bob.svc.Clear(untold); n != 1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
		w.bob.gone(untold)
		if _, err := w.bob.svc.Clear(untold); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		w.ana.start()
		wait(time.Hour)
		w.bob.gone(untold)
		w.ana.wants(untold, Offered)
		if n, err := w.ana.svc.Clear(); n != 1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
	})
}

// More than fit into one transaction go as well.
func TestManyAreCleared(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		err := w.bob.db.Update(func(tx *store.Tx) error {
			for range 2*sweepBatch + 1 {
				id, err := NewID()
				if err != nil {
					return err
				}
				r := record{ID: id, Contact: w.ana.self, Direction: In, State: Done, Offer: offer{Name: "a"}, Ended: 1}
				if err := transferTable.Put(tx, id[:], r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.bob.svc.Clear(); n != 2*sweepBatch+1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
		if page, err := w.bob.svc.List(Query{}); len(page.Transfers) > 0 || err != nil {
			t.Errorf("%d are left, %v", len(page.Transfers), err)
		}
	})
}
