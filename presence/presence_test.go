package presence

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

func TestContactsSeeEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.sees(b, Unknown, "")
		a.befriend(b)
		a.sees(b, Online, "")
		b.sees(a, Online, "")

		b.set(Busy, "in a meeting")
		p := a.sees(b, Busy, "in a meeting")
		if age := time.Since(p.Since); age < 0 || age > time.Second {
			t.Errorf("busy since %v ago, it was just set", age)
		}
		b.sees(a, Online, "")
	})
}

func TestStateHoldsOnKeepAlivesOfAFewBytes(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		before := len(b.sent(a.self()))
		pass(time.Hour)
		p := a.sees(b, Online, "")
		if age := time.Since(p.LastSeen); age > 70*time.Second {
			t.Errorf("last seen %v ago while connected", age)
		}
		if got := len(b.sent(a.self())) - before; got < 2*50 || got > 2*70 {
			t.Errorf("an hour without news took %d bytes, want about 120", got)
		}
	})
}

func TestThreeMissedKeepAlivesMeanUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.set(Away, "lunch")
		w.net.CutOneWay(b.self(), a.self())
		pass(2 * time.Minute)
		a.sees(b, Away, "lunch")
		pass(2 * time.Minute)
		p := a.sees(b, Unknown, "")
		if !p.Since.IsZero() {
			t.Error("unknown has a beginning")
		}
		if age := time.Since(p.LastSeen); age < 3*time.Minute || age > 5*time.Minute {
			t.Errorf("last seen %v ago, want about 4 minutes", age)
		}
		w.net.Heal(a.self(), b.self())
		pass(5 * time.Minute)
		a.sees(b, Away, "lunch")
	})
}

func TestLostConnectionIsUnknownAndTheSameBeaconCountsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		for range 3 {
			w.net.Drop(a.self(), b.self())
			pass(time.Second)
			a.sees(b, Unknown, "")
			a.connect(b)
			a.sees(b, Online, "")
			pass(10 * time.Second)
		}
		beacons := b.beacons(a.self())
		if len(beacons) != 4 || beacons[3].Seq != beacons[0].Seq {
			t.Errorf("%d beacons, the last of seq %d, want the first one four times", len(beacons), beacons[len(beacons)-1].Seq)
		}
	})
}

func TestBeaconForALateListenerIsFresh(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device(1), w.device(2), w.device(3)
		a.befriend(b)
		pass(12 * time.Hour)
		a.befriend(c)
		c.sees(a, Online, "")
		if d := c.svc.Dropped(); d != (Drops{}) {
			t.Errorf("dropped %+v", d)
		}
	})
}

func TestCleanStopShowsOfflineAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		pass(time.Hour)
		start := time.Now()
		b.stopService()
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("stopping took %v", took)
		}
		pass(5 * time.Millisecond)
		p := a.sees(b, Offline, "")
		if age := time.Since(p.Since); age > time.Second {
			t.Errorf("offline since %v ago", age)
		}
		b.stop()
		pass(time.Hour)
		p = a.sees(b, Offline, "")
		if age := time.Since(p.LastSeen); age < time.Hour {
			t.Errorf("last seen %v ago, an hour after it went", age)
		}
		b.start()
		a.connect(b)
		a.sees(b, Online, "")
	})
}

func TestFarewellIsReadBeforeTheNetworkStops(t *testing.T) {
	for range 20 {
		inBubble(t, func(t *testing.T, w *world) {
			a, b := w.device(1), w.device(2)
			a.befriend(b)
			b.stop()
			pass(time.Second)
			a.sees(b, Offline, "")
			b.start()
		})
	}
}

func TestStopDoesNotWaitForADeafPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		w.net.Cut(a.self(), b.self())
		for range 1000 { // fill what the stream buffers
			if err := b.svc.Set(Busy, strings.Repeat("x", MaxTextRunes)); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		start := time.Now()
		b.stopService()
		if took := time.Since(start); took > farewellTime {
			t.Errorf("stopping took %v, at most %v", took, farewellTime)
		}
	})
}

func TestInvisibleLooksOfflineAndSaysNothingMore(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device(1), w.device(2), w.device(3)
		b.addrs = []transport.Address{"here"}
		b.befriend(a)
		b.set(Online, "visible text")
		a.sees(b, Online, "visible text")

		b.set(Invisible, "nobody reads this")
		a.sees(b, Offline, "")
		last := b.beacons(a.self())
		if got := last[len(last)-1]; got.State != Offline || got.Text != "" || got.Addresses != nil {
			t.Errorf("the farewell is %+v", got)
		}
		said := len(b.sent(a.self()))

		b.befriend(c) // somebody new connects meanwhile
		w.net.Drop(a.self(), b.self())
		pass(time.Second)
		a.connect(b)
		pass(time.Hour)
		a.sees(b, Offline, "")
		c.sees(b, Unknown, "")
		if got := b.svc.Mine(); got.Chosen != Invisible || got.State != Offline {
			t.Errorf("own presence %+v", got)
		}
		if len(b.sent(c.self())) != 0 {
			t.Errorf("invisible, but %d bytes to who came later", len(b.sent(c.self())))
		}
		b.restart() // stays invisible, and stopping is not told either
		b.connect(a)
		b.connect(c)
		pass(time.Minute)
		if got := len(b.sent(a.self())); got != said {
			t.Errorf("invisible, but %d bytes were sent", got-said)
		}
		b.set(Online, "back")
		a.sees(b, Online, "back")
		c.sees(b, Online, "back")
	})
}

func TestChoiceOutlivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.set(Busy, "writing")
		since := b.svc.Mine().Since
		pass(time.Hour)
		last := b.beacons(a.self())
		b.restart()
		b.connect(a)
		a.sees(b, Busy, "writing")
		if got := b.svc.Mine(); !got.Since.Equal(since) || got.Chosen != Busy || got.Text != "writing" {
			t.Errorf("own presence after a restart: %+v", got)
		}
		for i, bc := range b.beacons(a.self()) {
			if i > 0 && i >= len(last) && bc.Seq <= last[len(last)-1].Seq {
				t.Errorf("seq %d after a restart, %d before", bc.Seq, last[len(last)-1].Seq)
			}
		}
	})
}

func TestSetIsJournalledWithoutItsText(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.device(1)
		a.set(Away, "a private text")
		entries, err := a.db.Events(0, 10)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d events, %v", len(entries), err)
		}
		e := entries[0].Event
		if e.Type != contact.PresenceSet || e.State != "away" || e.Detail != "" || e.ID != "" {
			t.Errorf("event %+v", e)
		}
	})
}

func TestSetRefusesWhatCannotBeSet(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.device(1)
		for _, s := range []State{Unknown, Offline, Invisible + 1} {
			var invalid *contact.InvalidError
			if err := a.svc.Set(s, ""); !errors.As(err, &invalid) {
				t.Errorf("set %v: %v", s, err)
			}
		}
		var limit *contact.LimitError
		if err := a.svc.Set(Online, strings.Repeat("ä", 141)); !errors.As(err, &limit) || limit.Got != 141 || limit.Limit != 140 {
			t.Errorf("text of 141 characters: %v", err)
		}
		if err := a.svc.Set(Online, strings.Repeat("😀", 140)); err != nil {
			t.Errorf("text of 140 characters of 4 bytes: %v", err)
		}
		if err := a.svc.Set(Online, "two\nlines"); err == nil {
			t.Error("a control character was taken")
		}
		if got := a.svc.Mine().Text; got != strings.Repeat("😀", 140) {
			t.Errorf("refused texts changed it to %q", got)
		}
	})
}

func TestParseState(t *testing.T) {
	for name, want := range map[string]State{"online": Online, "Away": Away, "BUSY": Busy, "invisible": Invisible} {
		if got, err := ParseState(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "offline", "unknown", "here"} {
		if _, err := ParseState(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestAddressesTravelWithBeacons(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		b.addrs = []transport.Address{"first", "second"}
		a.befriend(b)
		learnt := func() string {
			a.mu.Lock()
			defer a.mu.Unlock()
			var s []string
			for _, addr := range a.learnt[b.self()] {
				s = append(s, string(addr))
			}
			return strings.Join(s, " ")
		}
		if got := learnt(); got != "first second" {
			t.Errorf("learnt %q", got)
		}
		b.mu.Lock()
		b.addrs = []transport.Address{"moved"}
		b.mu.Unlock()
		pass(time.Minute + time.Second)
		if got := learnt(); got != "moved" {
			t.Errorf("a minute after it moved: %q", got)
		}
		b.stopService()
		pass(time.Second)
		a.sees(b, Offline, "")
		if got := learnt(); got != "moved" {
			t.Errorf("offline left %q", got)
		}
	})
}

func TestAllThatIsLongFitsInAFrame(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		for i := range 40 {
			b.addrs = append(b.addrs, transport.Address(strings.Repeat(string(rune('a'+i%26)), 20+7*i)))
		}
		a.befriend(b)
		text := strings.Repeat("😀", MaxTextRunes)
		b.set(Away, text)
		a.sees(b, Away, text)
		if n := len(a.learnt[b.self()]); n < 5 || n > maxAddresses {
			t.Errorf("%d addresses were taken along", n)
		}
	})
}

func TestWatchersSeeEveryChangeInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		var mu sync.Mutex
		var saw []string
		cancel := a.svc.Watch(func(peer contact.ODID, p Presence) {
			mu.Lock()
			defer mu.Unlock()
			if peer != b.self() {
				t.Error("somebody else changed")
			}
			if now := a.svc.Of(peer); now.State != p.State {
				t.Errorf("told %v while it is %v", p.State, now.State)
			}
			saw = append(saw, p.State.String()+p.Text)
		})
		a.befriend(b)
		b.set(Busy, "1")
		pass(time.Minute)
		b.set(Busy, "1") // no change, no call
		b.set(Busy, "2")
		w.net.Drop(a.self(), b.self())
		pass(time.Second)
		a.connect(b)
		b.stopService()
		pass(time.Second)
		cancel()
		b.stop()
		b.start()
		a.connect(b)
		pass(2 * time.Second) // so many changes in a row are read at one a second
		a.sees(b, Busy, "2")
		mu.Lock()
		defer mu.Unlock()
		if got, want := strings.Join(saw, " "), "online busy1 busy2 unknown busy2 offline"; got != want {
			t.Errorf("saw %q, want %q", got, want)
		}
	})
}

func TestLastSeenIsSavedEveryFiveMinutesAndAtStop(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		row := func() (r seen) {
			if err := a.db.View(func(tx *store.Tx) (err error) {
				r, _, err = sightings().Get(tx, peerKey(b.self()))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return r
		}
		pass(4 * time.Minute)
		if got := row(); got.Last != 0 {
			t.Errorf("saved after 4 minutes: %+v", got)
		}
		pass(2 * time.Minute)
		if got := row(); time.Since(fromMilli(got.Last)) > 3*time.Minute || got.Seq == 0 {
			t.Errorf("saved after 6 minutes: %+v, %v ago", got, time.Since(fromMilli(got.Last)))
		}
		b.set(Busy, "")
		last := a.svc.Of(b.self()).LastSeen
		a.stop()
		pass(time.Hour)
		a.start()
		p := a.sees(b, Unknown, "")
		if !p.LastSeen.Equal(last.Truncate(time.Millisecond)) {
			t.Errorf("last seen %v after a restart, want %v", p.LastSeen, last)
		}
	})
}

// A stream that ends while the connection stays, as that of a device that was gone
// for moments, is opened again: long after the beacon was made it needs another.
func TestBrokenStreamIsFollowedByAFreshBeacon(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		a.set(Busy, "for hours")
		pass(3 * time.Hour)
		b.sees(a, Busy, "for hours")
		a.tapped[len(a.tapped)-1].Reset()
		pass(time.Second)
		b.sees(a, Busy, "for hours")
		if d := b.svc.Dropped(); d != (Drops{}) {
			t.Errorf("dropped: %+v", d)
		}
	})
}

// A beacon may come before the statement that allows it to be seen.
func TestLeaveThatComesAfterTheBeaconCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		before := contact.View{Status: contact.StatusPending, Given: contact.PairedDefault}
		a.relate(b.self(), before)
		a.sees(b, Unknown, "")
		a.relate(b.self(), accepted(contact.PairedDefault))
		pass(time.Second)
		a.sees(b, Online, "")
	})
}
