package relation_test

import (
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/store"
)

// leaves returns the devices' events that tell of an end.
func (d *device) leaves() (types []contact.EventType) {
	d.t.Helper()
	entries, err := d.db.Events(0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Event.Type == contact.ContactRemoved || e.Event.Type == contact.ContactLeft {
			types = append(types, e.Event.Type)
		}
	}
	return types
}

// friends are two that paired.
func friends(w *world) (a, b *device) {
	a, b = w.device('a'), w.device('b')
	a.commit(b, pairOne, 0)
	b.commit(a, pairOne, 0)
	settle()
	a.is(b, contact.StatusAccepted, contact.Paired)
	return a, b
}

// TestWhoIsLeftSeesIt: a removal for one side leaves the other's contact, which
// shows what happened; when it is added again that ends.
func TestWhoIsLeftSeesIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		a.remove(b, false)
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		if v := b.view(a); !v.Left || v.Parts || v.Received != 0 {
			t.Errorf("b sees %+v", v)
		}
		if got := b.leaves(); len(got) != 1 || got[0] != contact.ContactLeft {
			t.Errorf("b is told %v", got)
		}
		if v := a.view(b); v.Left {
			t.Errorf("a, which removed it, sees %+v", v)
		}
		a.add(b, relation.AddOptions{})
		settle()
		b.is(a, contact.StatusAccepted, contact.Untrusted)
		if v := b.view(a); v.Left {
			t.Errorf("added again, b sees %+v", v)
		}
	})
}

// TestPartDropsBoth, also the one that is away as it is asked; each keeps its
// tombstone, and pairing ends both.
func TestPartDropsBoth(t *testing.T) {
	for _, away := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			a, b := friends(w)
			if away {
				b.halt()
			}
			a.remove(b, true)
			settle()
			if away {
				b.start()
				time.Sleep(24 * time.Hour)
				settle()
			}
			a.is(b, contact.StatusRemoved, contact.Untrusted)
			b.is(a, contact.StatusRemoved, contact.Untrusted)
			if got := b.leaves(); len(got) != 1 || got[0] != contact.ContactRemoved {
				t.Errorf("b is told %v", got)
			}
			if a.MayDial(b.odid()) || b.MayDial(a.odid()) {
				t.Error("they still dial each other")
			}
			a.commit(b, pairTwo, 0)
			b.commit(a, pairTwo, 0)
			settle()
			a.is(b, contact.StatusAccepted, contact.Paired)
			b.is(a, contact.StatusAccepted, contact.Paired)
		})
	}
}

// TestPartIsNotHonouredWhenTheUserDoesNotWantIt: the contact stays and shows what
// was asked. To want it later changes nothing about what was asked before.
func TestPartIsNotHonouredWhenTheUserDoesNotWantIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		b.decides(func(p *contact.Policy) { p.HonourPart = false })
		a.remove(b, true)
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		if v := b.view(a); !v.Left || !v.Parts {
			t.Errorf("b sees %+v", v)
		}
		if c, err := b.Get(a.odid()); err != nil || c.Name != "device a" {
			t.Errorf("b's contact is %+v, %v", c, err)
		}
		b.decides(func(*contact.Policy) {})
		b.halt()
		b.start()
		time.Sleep(24 * time.Hour)
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		b.remove(a, false)
		settle()
		b.is(a, contact.StatusRemoved, contact.Untrusted)
	})
}

// TestPartDoesNotUndoALaterAdd: who added the other after what that had last seen
// keeps it, and an old wish that comes again is none.
func TestPartDoesNotUndoALaterAdd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		b.halt()
		a.remove(b, true) // names what it has seen of b
		a.halt()
		b.start()
		b.remove(a, false)
		b.add(a, relation.AddOptions{})
		a.start()
		time.Sleep(24 * time.Hour)
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		if v := b.view(a); !v.Left || !v.Parts {
			t.Errorf("b sees %+v", v)
		}
		for range 3 { // the wish is shown again at each meeting
			b.halt()
			b.start()
			time.Sleep(time.Hour)
		}
		b.is(a, contact.StatusPending, contact.Untrusted)
		a.add(b, relation.AddOptions{})
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)

		// Asked again, of what is there now, it counts.
		a.remove(b, true)
		settle()
		b.is(a, contact.StatusRemoved, contact.Untrusted)
	})
}

// TestPartOfThoseThatAreNoContacts changes nothing: who is blocked stays so, and
// who removed the other already has done it.
func TestPartOfThoseThatAreNoContacts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		b.halt()
		a.remove(b, true)
		a.halt()
		b.start()
		b.block(a)
		a.start()
		time.Sleep(24 * time.Hour)
		settle()
		b.is(a, contact.StatusBlocked, contact.Untrusted)
		if c, err := b.Get(a.odid()); err != nil || c.Name != "device a" {
			t.Errorf("what b keeps of it is %+v, %v", c, err)
		}
		b.unblock(a)
		settle()
		// a was told again, and what it had asked is known to b from before or never.
		if v := b.view(a); v.Status == contact.StatusAccepted {
			t.Errorf("b sees %+v", v)
		}
	})
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		a.halt()
		b.remove(a, true)
		b.halt()
		a.start()
		a.remove(b, true)
		b.start()
		time.Sleep(24 * time.Hour)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusRemoved, contact.Untrusted)
		if n := len(a.leaves()) + len(b.leaves()); n != 2 {
			t.Errorf("%d events tell of it", n)
		}
	})
}

// TestPartOfOneNeverHeardAsksNothing: there is no statement of it to name.
func TestPartOfOneNeverHeardAsksNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.halt()
		a.add(b, relation.AddOptions{})
		a.remove(b, true)
		err := a.db.View(func(tx *store.Tx) error {
			sides, err := a.Sides(tx, b.odid())
			if err == nil && (sides.Mine == nil || sides.Mine.Listed || sides.Mine.Part != 0) {
				t.Errorf("a says %+v", sides.Mine)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a.is(b, contact.StatusRemoved, contact.Untrusted)
	})
}

// TestRestoredCopyAfterAPart: who falls back to a copy from before is a stranger to
// the other, which shows it its own last word and nothing more: it sees that it
// was left, and the other's tombstone holds.
func TestRestoredCopyAfterAPart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		before := a.copy()
		settle()
		a.remove(b, true)
		settle()
		b.is(a, contact.StatusRemoved, contact.Untrusted)
		a.restore(before)
		time.Sleep(24 * time.Hour)
		settle()
		a.is(b, contact.StatusPending, contact.Untrusted)
		if v := a.view(b); !v.Left || v.Given == 0 {
			t.Errorf("a sees %+v", v)
		}
		b.is(a, contact.StatusRemoved, contact.Untrusted)
	})
}
