package relation_test

import (
	"errors"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

func (d *device) block(o *device) {
	d.t.Helper()
	if err := d.Block(o.odid()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) unblock(o *device) {
	d.t.Helper()
	if err := d.Unblock(o.odid()); err != nil {
		d.t.Fatal(err)
	}
}

func TestBlockKeepsTheRecordAndUnblockStartsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.commit(b, pairOne, contact.Audio)
		b.commit(a, pairOne, contact.Audio)
		if err := a.SetRemark(b.odid(), "Bobby"); err != nil {
			t.Fatal(err)
		}
		settle()
		a.is(b, contact.StatusAccepted, contact.Paired)

		a.block(b)
		a.block(b) // changes nothing
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		if v := b.view(a); v.Received != contact.NoPermissions {
			t.Errorf("b still has %v", v.Received)
		}
		if v := a.view(b); v.Given != contact.NoPermissions || v.Received != contact.NoPermissions {
			t.Errorf("a gives %v, has %v", v.Given, v.Received)
		}
		if n, err := a.Count(); n != 0 || err != nil {
			t.Errorf("%d contacts, %v", n, err)
		}
		if list, err := a.List(false); len(list) != 0 || err != nil {
			t.Errorf("listed %v, %v", list, err)
		}
		list, err := a.List(true)
		if err != nil || len(list) != 1 || list[0].Remark != "Bobby" || list[0].View.Status != contact.StatusBlocked {
			t.Errorf("with all %v, %v", list, err)
		}
		if c, err := a.Resolve("bobby"); err != nil || c.ODID != b.odid() {
			t.Errorf("by its remark: %v, %v", c, err)
		}

		a.unblock(b)
		a.unblock(b)
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		if v := a.view(b); v.Given != contact.NoPermissions {
			t.Errorf("a gives %v", v.Given)
		}
		c, err := a.Get(b.odid())
		if err != nil || c.Remark != "Bobby" || c.Source != relation.SourcePairing {
			t.Errorf("%+v, %v", c, err)
		}
		if n, err := a.Count(); n != 1 || err != nil {
			t.Errorf("%d contacts, %v", n, err)
		}

		a.commit(b, pairTwo, 0)
		b.commit(a, pairTwo, 0)
		settle()
		a.is(b, contact.StatusAccepted, contact.Paired)
		if v := a.view(b); v.Given != contact.PairedDefault {
			t.Errorf("paired anew, a gives %v", v.Given)
		}
	})
}

// A device blocks before it ever had to do with the other: nothing is said.
func TestBlockOfAStrangerIsSilent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.block(b)
		if a.MayDial(b.odid()) {
			t.Error("a would dial who it blocked")
		}
		b.add(a, relation.AddOptions{})
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		if _, _, err := a.Add(b.odid(), relation.AddOptions{}); !errors.Is(err, relation.ErrBlocked) {
			t.Errorf("add: %v", err)
		}
		if err := a.Remove(b.odid(), false); !errors.Is(err, relation.ErrBlocked) {
			t.Errorf("remove: %v", err)
		}
		a.unblock(b)
		a.is(b, contact.StatusNone, contact.Untrusted)
		if _, err := a.Get(b.odid()); !errors.Is(err, relation.ErrNotFound) {
			t.Errorf("what is left: %v", err)
		}
		a.add(b, relation.AddOptions{})
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
	})
}

func TestBlockOfARemovedContactLeavesTheTombstone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		b.add(a, relation.AddOptions{})
		settle()
		a.remove(b, false)
		settle()
		a.block(b)
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		a.unblock(b)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

// A pairing that the other one holds back must not get past a block.
func TestBlockEndsWhatIsStaged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
		a.block(b)
		b.commit(a, pairOne, 0)
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairTwo}) // by a session that was under way
		b.commit(a, pairTwo, 0)
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		a.unblock(b)
		settle()
		b.halt()
		b.start()
		settle()
		a.is(b, contact.StatusNone, contact.Untrusted)
		err := a.Block(a.odid())
		if !errors.Is(err, relation.ErrSelf) {
			t.Errorf("block oneself: %v", err)
		}
		if err := a.Unblock(w.device('c').odid()); !errors.Is(err, relation.ErrNotFound) {
			t.Errorf("unblock a stranger: %v", err)
		}
	})
}

func TestBlockOutlivesARestartAndIsToldLater(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		b.add(a, relation.AddOptions{})
		settle()
		b.halt()
		a.block(b)
		settle()
		a.halt()
		a.start()
		b.start()
		time.Sleep(24 * time.Hour)
		settle()
		a.is(b, contact.StatusBlocked, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		if a.MayDial(b.odid()) {
			t.Error("told and still dialled")
		}
	})
}

func TestBlocklistIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const most = 5
		a := w.device('a')
		a.decides(func(p *contact.Policy) { p.MaxBlocked = most })
		peer := func(i int) contact.ODID { return contact.ODID{1, byte(i)} }
		for i := range most {
			if err := a.Block(peer(i)); err != nil {
				t.Fatal(err)
			}
		}
		err := a.Block(peer(most))
		var limit *contact.LimitError
		if !errors.As(err, &limit) || limit.Limit != most || limit.Got != most+1 {
			t.Errorf("one more: %v", err)
		}
		if err := a.Block(peer(0)); err != nil {
			t.Errorf("one that is blocked: %v", err)
		}
		if err := a.Unblock(peer(0)); err != nil {
			t.Fatal(err)
		}
		if err := a.Block(peer(most)); err != nil {
			t.Errorf("in the place of another: %v", err)
		}

		// A limit that is set below what there is ends no block.
		a.decides(func(p *contact.Policy) { p.MaxBlocked = 1 })
		if err := a.Unblock(peer(1)); err != nil {
			t.Fatal(err)
		}
		if err := a.Block(peer(1)); !errors.As(err, &limit) || limit.Got != most {
			t.Errorf("beyond the new limit: %v", err)
		}
		if list, err := a.List(true); len(list) != most-1 || err != nil {
			t.Errorf("%d are blocked, %v", len(list), err)
		}
	})
}

func TestBlockedNamesComeAfterAllOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{Remark: "Kim"})
		a.add(c, relation.AddOptions{Remark: "Kim"})
		a.block(b)
		if got, err := a.Resolve("kim"); err != nil || got.ODID != c.odid() {
			t.Errorf("named %s, %v; want the contact", got.ODID.Short(), err)
		}
		if got, err := a.ResolveBlocked("kim"); err != nil || got.ODID != b.odid() {
			t.Errorf("named %s, %v; want the blocked one", got.ODID.Short(), err)
		}
		a.unblock(b)
		var many *relation.AmbiguousError
		if _, err := a.ResolveBlocked("kim"); !errors.As(err, &many) {
			t.Errorf("both are contacts: %v", err)
		}
	})
}
