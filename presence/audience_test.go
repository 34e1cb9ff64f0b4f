package presence

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// TestOnlyThePermittedReceiveAByte plays everybody who is not to be told and
// looks at every byte that they got while much happens.
func TestOnlyThePermittedReceiveAByte(t *testing.T) {
	views := map[string]contact.View{
		"contact without status": accepted(contact.AllPermissions &^ contact.Presence),
		"pending, outgoing":      {Status: contact.StatusPending, Given: contact.AllPermissions},
		"pending, incoming":      {Status: contact.StatusPending, Incoming: true},
		"blocked":                {Status: contact.StatusBlocked},
		"reported":               {Status: contact.StatusReported},
		"removed":                {Status: contact.StatusRemoved},
		"none":                   {Status: contact.StatusNone},
	}
	inBubble(t, func(t *testing.T, w *world) {
		a, friend := w.device(1), w.device(2)
		stranger := w.puppet(3)
		others := map[string]*puppet{"stranger": stranger}
		for name, v := range views {
			p := w.puppet(byte(10 + len(others)))
			others[name] = p
			a.relate(p.self(), v)
		}
		for _, p := range others {
			p.connect(a)
		}
		a.befriend(friend)
		a.set(Busy, "secret text")
		for _, p := range others {
			a.svc.RelationChanged(p.self())
		}
		pass(10 * time.Minute)
		a.set(Invisible, "")
		a.set(Online, "")
		pass(20 * time.Minute)
		friend.sees(a, Online, "")
		a.stopService()
		pass(time.Second)
		friend.sees(a, Offline, "")
		for name, p := range others {
			if streams, data := p.received(); streams != 0 || len(data) != 0 {
				t.Errorf("%s: %d streams, %d bytes", name, streams, len(data))
			}
		}
	})
}

func TestPermittedPuppetReceivesBytes(t *testing.T) {
	// The test above says nothing unless its puppets can receive.
	inBubble(t, func(t *testing.T, w *world) {
		a, p := w.device(1), w.puppet(2)
		a.relate(p.self(), accepted(contact.Presence))
		p.connect(a)
		if streams, data := p.received(); streams != 1 || len(data) < 100 {
			t.Errorf("%d streams, %d bytes", streams, len(data))
		}
	})
}

func TestGrantingStartsToTell(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.relate(b.self(), accepted(contact.Messages))
		b.relate(a.self(), accepted(contact.Messages))
		a.connect(b)
		pass(time.Minute)
		b.sees(a, Unknown, "")
		a.relate(b.self(), accepted(contact.PairedDefault))
		pass(10 * time.Millisecond)
		b.sees(a, Online, "")
		a.sees(b, Unknown, "")
	})
}

func TestWithdrawingEndsTheStreamAndReplacesTheKey(t *testing.T) {
	for name, v := range map[string]contact.View{
		"narrowed": accepted(contact.Messages),
		"removed":  {Status: contact.StatusRemoved},
		"blocked":  {Status: contact.StatusBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				a, loser, friend := w.device(1), w.puppet(2), w.device(3)
				a.relate(loser.self(), accepted(contact.PairedDefault))
				loser.connect(a)
				a.befriend(friend)
				old := a.handed(loser.self())
				if old == nil {
					t.Fatal("the contact got no key")
				}
				streams, before := loser.received()

				a.relate(loser.self(), v)
				pass(5 * time.Millisecond)
				if loser.over != streams {
					t.Error("its stream goes on")
				}
				pass(time.Second)
				friend.sees(a, Online, "")
				a.set(Busy, "not for the loser")
				friend.sees(a, Busy, "not for the loser")
				w.net.Drop(a.self(), loser.self())
				pass(time.Second)
				loser.connect(a)
				pass(time.Hour)
				if after, data := loser.received(); after != streams || !bytes.Equal(data, before) {
					t.Errorf("%d more streams, %d more bytes after it lost the right", after-streams, len(data)-len(before))
				}
				frames := a.frames(friend.self())
				if key := a.handed(friend.self()); key == nil || *key == *old {
					t.Error("the friend still uses the key that the loser holds")
				}
				newest := frames[0]
				for _, f := range frames {
					if f.Beacon != nil {
						newest = f
					}
				}
				if _, err := unseal(a.self(), *old, newest.Beacon); err == nil {
					t.Error("the loser's key opens what is said now")
				}
			})
		})
	}
}

func TestKeyStaysWhenNobodyLosesARight(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b, stranger := w.device(1), w.device(2), w.puppet(3)
		a.befriend(b)
		before := *a.handed(b.self())
		a.relate(b.self(), accepted(contact.AllPermissions)) // widened
		a.relate(stranger.self(), contact.View{Status: contact.StatusBlocked})
		pass(time.Minute)
		a.set(Busy, "")
		a.restart()
		a.connect(b)
		b.sees(a, Busy, "")
		if after := *a.handed(b.self()); after != before {
			t.Error("the key was replaced without need")
		}
	})
}

func TestWithdrawalActsWithItsCommit(t *testing.T) {
	// The notice may be late: what the store says counts for every frame.
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.puppet(2)
		a.relate(b.self(), accepted(contact.PairedDefault))
		b.connect(a)
		_, before := b.received()
		a.mu.Lock()
		a.views[b.self()] = accepted(contact.Messages)
		a.mu.Unlock()
		a.set(Busy, "not for it")
		pass(10 * time.Minute)
		if _, after := b.received(); !bytes.Equal(after, before) {
			t.Errorf("%d bytes after the permission was withdrawn", len(after)-len(before))
		}
	})
}

// TestWithdrawalBetweenAnyTwoStepsStopsTheNext withdraws the permission after the
// n-th time that the store was asked.
func TestWithdrawalBetweenAnyTwoStepsStopsTheNext(t *testing.T) {
	var told []int
	for n := range 7 {
		inBubble(t, func(t *testing.T, w *world) {
			a, b := w.device(1), w.puppet(2)
			a.mu.Lock()
			a.views[b.self()] = accepted(contact.PairedDefault)
			a.asks = n
			a.mu.Unlock()
			b.connect(a)
			frames := a.frames(b.self())
			told = append(told, len(frames))
			if len(frames) > 0 && (frames[0].Key == nil || frames[0].Beacon != nil) {
				t.Errorf("after %d: the first frame is %+v", n, frames[0])
			}
		})
	}
	// Asked: whom to tell, twice before the holder is noted, before the key, before the beacon.
	if got, want := fmt.Sprint(told), "[0 0 0 0 1 2 2]"; got != want {
		t.Errorf("frames sent: %s, want %s", got, want)
	}
}

func TestRightLostWhileStoppedReplacesTheKeyAtStart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, loser, friend := w.device(1), w.puppet(2), w.device(3)
		a.relate(loser.self(), accepted(contact.PairedDefault))
		loser.connect(a)
		a.befriend(friend)
		old := *a.handed(friend.self())
		a.stop()
		a.mu.Lock()
		delete(a.views, loser.self())
		a.mu.Unlock()
		a.start()
		a.connect(friend)
		friend.sees(a, Online, "")
		if now := *a.handed(friend.self()); now == old {
			t.Error("the key that the loser holds is still in use")
		}
	})
}

func TestHolderIsOnRecordBeforeItGetsTheKey(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		var keyed bool
		var row ownKey
		if err := a.db.View(func(tx *store.Tx) (err error) {
			if _, keyed, err = holders().Get(tx, peerKey(b.self())); err != nil {
				return err
			}
			row, _, err = keys().Get(tx, own())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !keyed || row.Key != *a.handed(b.self()) {
			t.Errorf("holder on record: %v, the key is the stored one: %v", keyed, row.Key == *a.handed(b.self()))
		}
	})
}

func TestRemovedContactIsForgottenAndNotHeard(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		pass(6 * time.Minute)
		a.relate(b.self(), contact.View{Status: contact.StatusRemoved})
		pass(time.Second)
		if p := a.svc.Of(b.self()); p != (Presence{}) {
			t.Errorf("of a removed contact: %+v", p)
		}
		b.set(Busy, "still talking")
		pass(10 * time.Minute)
		if p := a.svc.Of(b.self()); p != (Presence{}) {
			t.Errorf("of a removed contact that talks: %+v", p)
		}
		a.restart()
		if p := a.svc.Of(b.self()); p != (Presence{}) {
			t.Errorf("of a removed contact after a restart: %+v", p)
		}
	})
}

func TestContactThatStopsTellingIsUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.relate(a.self(), accepted(contact.Messages))
		pass(time.Second)
		a.sees(b, Unknown, "")

		// Its clean stop would leave "offline" standing for ever.
		b.relate(a.self(), accepted(contact.PairedDefault))
		pass(time.Second)
		a.sees(b, Online, "")
		b.stop()
		pass(time.Second)
		a.sees(b, Offline, "")
		a.relate(b.self(), contact.View{Status: contact.StatusAccepted, Given: contact.PairedDefault, Received: contact.Messages})
		a.sees(b, Unknown, "")
		b.start()
	})
}

func TestRefusedStreamIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.relate(b.self(), accepted(contact.PairedDefault))
		a.connect(b) // b does not list a yet and drops its streams
		pass(30 * time.Second)
		streams := a.opened(Protocol)
		if streams < 3 || streams > 12 {
			t.Errorf("%d streams in 30 s of refusal", streams)
		}
		b.relate(a.self(), accepted(contact.PairedDefault))
		pass(time.Minute)
		b.sees(a, Online, "")

		// A change of the relation tries at once, however long the wait is.
		c := w.device(3)
		c.relate(a.self(), accepted(contact.PairedDefault))
		c.connect(a)
		pass(10 * time.Minute)
		a.relate(c.self(), accepted(contact.PairedDefault))
		c.relate(a.self(), accepted(contact.PairedDefault))
		pass(100 * time.Millisecond)
		a.sees(c, Online, "")
	})
}

// handed returns the presence key that d last gave to peer, nil if none.
func (d *device) handed(peer contact.ODID) (key *presenceKey) {
	d.t.Helper()
	for _, f := range d.frames(peer) {
		if f.Key != nil {
			key = f.Key
		}
	}
	return key
}

// Of those whom a device gave its key, a copy of its store knows the earlier ones.
func TestRestoredDeviceHasAKeyThatNobodyHolds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, lost, friend := w.device(1), w.puppet(2), w.device(3)
		a.befriend(friend)
		copied, err := os.ReadFile(a.path)
		if err != nil {
			t.Fatal(err)
		}
		a.relate(lost.self(), accepted(contact.PairedDefault))
		lost.connect(a)
		old := *a.handed(lost.self())
		a.stop()
		a.mu.Lock()
		delete(a.views, lost.self())
		a.mu.Unlock()
		if err := os.WriteFile(a.path, copied, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(a.path, store.Options{NoSync: true}, Tables()...)
		if err == nil {
			err = errors.Join(db.Update(NewKey), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		a.start()
		a.connect(friend)
		friend.sees(a, Online, "")
		if now := *a.handed(friend.self()); now == old {
			t.Error("the key that was given in the lost life is still in use")
		}
	})
}
