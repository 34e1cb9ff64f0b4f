package relation_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/store"
)

func TestTwoThatAddEachOtherAreAcceptedAndUntrusted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{Remark: "Bea"})
		settle()
		a.is(b, contact.StatusPending, contact.Untrusted)
		b.is(a, contact.StatusNone, contact.Untrusted)
		b.add(a, relation.AddOptions{})
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		b.is(a, contact.StatusAccepted, contact.Untrusted)
		if v := a.view(b); v.Given != contact.AddedDefault || v.Received != contact.AddedDefault {
			t.Fatalf("given %v, received %v; want messages both ways", v.Given, v.Received)
		}
	})
}

func TestOneWayAddGrantsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{OneWay: true})
		b.add(a, relation.AddOptions{})
		settle()
		if v := b.view(a); v.Status != contact.StatusAccepted || v.Received != contact.NoPermissions {
			t.Fatalf("status %v, received %v; want accepted, none", v.Status, v.Received)
		}
	})
}

var pairOne, pairTwo = contact.PairID{1}, contact.PairID{2}

func (w *world) paired() (a, b *device) {
	a, b = w.device('a'), w.device('b')
	a.commit(b, pairOne, 0)
	b.commit(a, pairOne, 0)
	settle()
	a.is(b, contact.StatusAccepted, contact.Paired)
	b.is(a, contact.StatusAccepted, contact.Paired)
	return a, b
}

func TestPairingUpgradesAnODIDContactAndKeepsTheRest(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{Remark: "Bea"})
		b.add(a, relation.AddOptions{OneWay: true})
		added, err := a.Get(b.odid())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		a.commit(b, pairOne, contact.Audio)
		b.commit(a, pairOne, 0)
		settle()
		c, err := a.Get(b.odid())
		if err != nil {
			t.Fatal(err)
		}
		if c.Remark != "Bea" || c.Source != relation.SourceODID || !c.AddedAt.Equal(added.AddedAt) || c.Name != *b.name.Load() {
			t.Fatalf("contact after pairing: %+v", c)
		}
		if want := contact.PairedDefault | contact.Audio; c.View.Given != want {
			t.Fatalf("given %v, want the defaults of pairing and audio: %v", c.View.Given, want)
		}
		if v := b.view(a); v.Given != contact.NoPermissions {
			t.Fatalf("given %v, want none as the user chose", v.Given)
		}
	})
}

func TestRePairingNeverDropsTrust(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		b.staged.put(relation.Pairing{Peer: a.odid(), Name: "name", ID: pairTwo})
		a.commit(b, pairTwo, 0)
		a.is(b, contact.StatusAccepted, contact.Paired)
		settle()
		a.is(b, contact.StatusAccepted, contact.Paired)
		b.is(a, contact.StatusAccepted, contact.Paired)
		for _, d := range []*device{a, b} {
			entries, err := d.db.Events(0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Event.Type == contact.ContactUnpaired {
					t.Error("trust fell while the new pairing settled")
				}
			}
		}
	})
}

func TestRePairingThatThePeerLostEndsTrustOnBothSides(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.commit(b, pairTwo, 0) // b was restored from a copy without the staging
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		b.is(a, contact.StatusAccepted, contact.Untrusted)
	})
}

func TestStagedPairingCommitsWhenTheStatementNamesIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
		b.commit(a, pairOne, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := b.Confirm(ctx, a.odid(), pairOne); err != nil {
			t.Fatal(err)
		}
		a.is(b, contact.StatusAccepted, contact.Paired)
		b.is(a, contact.StatusAccepted, contact.Paired)
	})
}

func TestOneExchangeEndsAStagedPairingWhoeverOpensIt(t *testing.T) {
	for name, opens := range map[string]func(shows, enters *device) error{
		"the one that showed":  func(shows, enters *device) error { return shows.Exchange(context.Background(), enters.odid()) },
		"the one that entered": func(shows, enters *device) error { return enters.Exchange(context.Background(), shows.odid()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				a, b := w.device('a'), w.device('b')
				a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
				b.commit(a, pairOne, 0)
				if err := opens(a, b); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // no time passes: nothing else is exchanged
				a.is(b, contact.StatusAccepted, contact.Paired)
				time.Sleep(10 * time.Millisecond) // the last frame's way
				synctest.Wait()
				b.is(a, contact.StatusAccepted, contact.Paired)
			})
		})
	}
}

func TestStatementNamingAnotherPairingCommitsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.staged.put(relation.Pairing{Peer: b.odid(), ID: pairOne})
		b.commit(a, pairTwo, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := b.Confirm(ctx, a.odid(), pairTwo); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("confirm: %v, want the deadline", err)
		}
		a.is(b, contact.StatusNone, contact.Untrusted)
	})
}

func TestRemovedContactStaysRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.remove(b, false)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		// The other still lists it, says so again, and pairs on its side alone.
		b.commit(a, pairTwo, 0)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		a.halt()
		a.start()
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		if list, err := a.List(false); err != nil || len(list) != 0 {
			t.Fatalf("list: %v, %v; want none", list, err)
		}
		// Only the user brings it back, and not as paired.
		a.add(b, relation.AddOptions{})
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		b.is(a, contact.StatusAccepted, contact.Untrusted)
	})
}

func TestRemovalReachesTheOtherWhenItIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		b.halt()
		a.remove(b, false)
		settle()
		b.start()
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

func TestRemoveBothPartsBothSides(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.remove(b, true)
		settle()
		b.is(a, contact.StatusRemoved, contact.Untrusted)
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		// An explicit add afterwards is not undone by the old wish.
		b.add(a, relation.AddOptions{})
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

func TestNarrowingIsToldAndStaysWithAPairing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		if err := a.Narrow(b.odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		settle()
		if v := b.view(a); v.Received != contact.Presence || v.Trust != contact.Paired {
			t.Fatalf("received %v, %v; want status alone, paired", v.Received, v.Trust)
		}
		a.commit(b, pairTwo, 0)
		b.commit(a, pairTwo, 0)
		settle()
		if v := b.view(a); v.Received != contact.Presence {
			t.Fatalf("received %v after pairing anew; want status alone, as the user chose", v.Received)
		}
	})
}

func TestRestoredFromABackupTakesOverWhatWasWithdrawn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.halt()
		backup, err := os.ReadFile(a.path)
		if err != nil {
			t.Fatal(err)
		}
		a.start()
		if err := a.Narrow(b.odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		settle()
		a.halt()
		if err := os.WriteFile(a.path, backup, 0o600); err != nil {
			t.Fatal(err)
		}
		a.start()
		settle()
		if v := a.view(b); v.Given != contact.Presence {
			t.Fatalf("given %v after the restore; want status alone", v.Given)
		}
		if v := b.view(a); v.Received != contact.Presence || v.Trust != contact.Paired {
			t.Fatalf("received %v, %v; want status alone, paired", v.Received, v.Trust)
		}
	})
}

func TestRestoredFromABackupDoesNotBringARemovedContactBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.halt()
		backup, err := os.ReadFile(a.path)
		if err != nil {
			t.Fatal(err)
		}
		a.start()
		a.remove(b, false)
		settle()
		a.halt()
		if err := os.WriteFile(a.path, backup, 0o600); err != nil {
			t.Fatal(err)
		}
		a.start()
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		if n, err := a.Count(); n != 0 || err != nil {
			t.Fatalf("%d contacts, %v; want none", n, err)
		}
	})
}

func TestDeviceRestoredToBeforeItsRemovalDoesNotTrustForEver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		copied := b.copy()
		a.remove(b, false)
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		b.restore(copied)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

func TestBothRemovedAndOneRestoredDoesNotTrustForEver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		copied := b.copy()
		b.remove(a, true)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.restore(copied)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

func TestDeviceThatLostItsStoreIsNotTrustedForEver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		a.halt()
		if err := os.Remove(a.path); err != nil {
			t.Fatal(err)
		}
		a.start()
		settle()
		a.is(b, contact.StatusNone, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}

func TestStrangerLeavesNoTrace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.add(a, relation.AddOptions{})
		settle()
		cursor, err := a.db.Cursor()
		if err != nil || cursor != 0 {
			t.Fatalf("%d events, %v; want none", cursor, err)
		}
		if _, err := a.Get(b.odid()); !errors.Is(err, relation.ErrNotFound) {
			t.Fatalf("get: %v, want ErrNotFound", err)
		}
	})
}

func TestAddRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		if _, _, err := a.Add(a.odid(), relation.AddOptions{}); !errors.Is(err, relation.ErrSelf) {
			t.Errorf("itself: %v", err)
		}
		var limit *contact.LimitError
		if _, _, err := a.Add(b.odid(), relation.AddOptions{Remark: strings.Repeat("x", 97)}); !errors.As(err, &limit) || limit.Got != 97 || limit.Limit != 96 {
			t.Errorf("long remark: %v", err)
		}
		var invalid *contact.InvalidError
		if _, _, err := a.Add(b.odid(), relation.AddOptions{Remark: "a\x1b[2J"}); !errors.As(err, &invalid) {
			t.Errorf("escape sequence: %v", err)
		}
		if n, err := a.Count(); n != 0 || err != nil {
			t.Errorf("%d contacts, %v; want none", n, err)
		}
	})
}

func TestAddTwiceIsOneContact(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{Remark: "Bea"})
		c, created, err := a.Add(b.odid(), relation.AddOptions{})
		if err != nil || created || c.Remark != "Bea" {
			t.Fatalf("%+v, %v, %v; want the contact that was there", c, created, err)
		}
		if n, err := a.Count(); n != 1 || err != nil {
			t.Fatalf("%d contacts, %v; want 1", n, err)
		}
	})
}

func TestResolve(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{Remark: "Ana"})
		a.add(c, relation.AddOptions{Remark: "Ana"})
		for _, text := range []string{b.odid().String(), strings.ToUpper(b.odid().String()), b.odid().String()[:9], b.odid().Short()} {
			if got, err := a.Resolve(text); err != nil || got.ODID != b.odid() {
				t.Errorf("%q: %v, %v", text, got.ODID.Short(), err)
			}
		}
		var many *relation.AmbiguousError
		if _, err := a.Resolve("ana"); !errors.As(err, &many) || len(many.Candidates) != 2 {
			t.Errorf("two of the same remark: %v", err)
		}
		if err := a.SetRemark(c.odid(), "Cleo"); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Resolve("ANA"); err != nil || got.ODID != b.odid() {
			t.Errorf("remark: %v", err)
		}
		for text, want := range map[string]error{"": relation.ErrNotFound, "odid1": relation.ErrNotFound, "Zoe": relation.ErrNotFound, a.odid().String(): relation.ErrNotFound} {
			if _, err := a.Resolve(text); !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", text, err, want)
			}
		}
		typo := []byte(b.odid().String())
		typo[20] = map[bool]byte{true: 'p', false: 'q'}[typo[20] == 'q']
		if _, err := a.Resolve(string(typo)); !errors.Is(err, contact.ErrODIDChecksum) {
			t.Errorf("mistyped: %v", err)
		}
	})
}

func TestBlockedPeerCannotBePairedOrAdded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		relation.MarkBlocked(t, a.db, b.odid())
		err := a.db.Update(func(tx *store.Tx) error {
			return a.CommitPairing(tx, relation.Pairing{Peer: b.odid(), ID: pairTwo})
		})
		if !errors.Is(err, relation.ErrBlocked) {
			t.Errorf("pair: %v, want ErrBlocked", err)
		}
		if _, _, err := a.Add(b.odid(), relation.AddOptions{}); !errors.Is(err, relation.ErrBlocked) {
			t.Errorf("add: %v, want ErrBlocked", err)
		}
		a.is(b, contact.StatusBlocked, contact.Untrusted)
	})
}

func TestEveryChangeIsJournalled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		if err := a.SetRemark(b.odid(), "Bea"); err != nil {
			t.Fatal(err)
		}
		a.remove(b, false)
		synctest.Wait()
		entries, err := a.db.Events(0, 100)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range entries {
			types = append(types, string(e.Event.Type))
			if e.Event.Contact != b.odid() {
				t.Errorf("%s without its contact", e.Event.Type)
			}
		}
		want := "contact.added contact.paired contact.changed contact.removed"
		if got := strings.Join(types, " "); got != want {
			t.Errorf("events %s\nwant   %s", got, want)
		}
	})
}
