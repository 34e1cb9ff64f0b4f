package profile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

func TestOwnProfileIsDurable(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.device(1)
		if p := d.svc.Mine(); p.Name != "host" || p.Rev != 0 || d.svc.Name() != "host" {
			t.Errorf("before anything was set: %+v", p)
		}
		first := d.sets(full(t, "  Ana "))
		if first.Name != "Ana" || first.Rev == 0 || d.told != 1 || d.events(contact.ODID{}) != 1 {
			t.Errorf("%+v, told %d times", first, d.told)
		}
		again := d.sets(full(t, "Ana"))
		if again.Rev != first.Rev || d.told != 1 || d.events(contact.ODID{}) != 1 {
			t.Errorf("the same again is a change: %+v", again)
		}
		bio := ""
		second := d.sets(Change{Bio: &bio, Picture: new(Picture)})
		if second.Rev <= first.Rev || second.Bio != "" || second.Picture != nil || len(second.Skills) != 2 {
			t.Errorf("%+v", second)
		}
		d.restart()
		equal(t, d.svc.Mine(), second)
	})
}

// TestRevisionOutlivesARestoredCopy: a device that forgot its last change still
// counts on above it.
func TestRevisionOutlivesARestoredCopy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.device(1)
		was := d.sets(full(t, "Ana"))
		pass(time.Hour)
		lost := d.sets(full(t, "Anna"))
		d.svc.own.Store(&was)
		pass(time.Hour)
		if p := d.sets(full(t, "Anne")); p.Rev <= lost.Rev {
			t.Errorf("revision %d after %d", p.Rev, lost.Rev)
		}
	})
}

func TestNameFromBeforeThereWereProfiles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.device(1)
		cfg := d.svc.cfg
		cfg.Name = "laptop"
		s, err := New(cfg)
		if err != nil || s.Name() != "laptop" {
			t.Fatalf("%q, %v", s.Name(), err)
		}
		bio := "b"
		if _, err := s.Set(Change{Bio: &bio}); err != nil {
			t.Fatal(err)
		}
		cfg.Name = ""
		if s, err = New(cfg); err != nil || s.Name() != "laptop" {
			t.Errorf("%q, %v: the profile did not take the name over", s.Name(), err)
		}
	})
}

// TestLimitsAreTold: what can't be taken is refused with its limit, and changes nothing.
func TestLimitsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.device(1)
		was := d.sets(full(t, "Ana"))
		text := func(s string) *string { return &s }
		list := func(s ...string) *[]string { return &s }
		many := strings.Split(strings.Repeat("x,", MaxWords), ",")
		for want, c := range map[string]Change{
			"name: empty":                           {Name: text(" \t ")},
			"name of 65 bytes, at most 64":          {Name: text(strings.Repeat("x", 65))},
			"name: control character U+0007":        {Name: text("a\ab")},
			"bio of 501 characters, at most 500":    {Bio: text(strings.Repeat("x", 501))},
			"bio: control character U+001B":         {Bio: text("a\x1bb")},
			"bio: not valid UTF-8":                  {Bio: text("a\xffb")},
			"skills of 33 items, at most 32":        {Skills: &many},
			"skills: an empty item":                 {Skills: list("a", " ")},
			`skills: "a" is there twice`:            {Skills: list("a", "b", " a")},
			"communities of 65 bytes, at most 64":   {Communities: list(strings.Repeat("x", 65))},
			"communities: control character U+000A": {Communities: list("a\nb")},
		} {
			_, err := d.svc.Set(c)
			var limit *contact.LimitError
			var invalid *contact.InvalidError
			if err == nil || err.Error() != want || !errors.As(err, &limit) && !errors.As(err, &invalid) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		equal(t, d.svc.Mine(), was)
		if d.told != 1 {
			t.Errorf("announced %d times", d.told)
		}
	})
}

func TestContactsProfileIsFetchedAndKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.adds(bob)
		bob.adds(ana)
		want := ana.sets(full(t, "Ana"))
		equal(t, bob.seen(ana).Profile, want)
		if n := bob.events(ana.self()); n != 1 {
			t.Errorf("%d events", n)
		}
		if equal(t, bob.seen(ana).Profile, want); bob.events(ana.self()) != 1 {
			t.Error("an unchanged profile is news")
		}
		ana.stop()
		pass(time.Hour)
		k, err := bob.of(ana)
		if err != nil || k.Live || !k.Listed || time.Since(k.AsOf) < time.Hour {
			t.Fatalf("%+v, %v", k, err)
		}
		equal(t, k.Profile, want)
		bob.restart()
		if k, ok := bob.kept(ana); !ok || k.Live {
			t.Error("not kept over a restart")
		} else {
			equal(t, k.Profile, want)
		}
	})
}

func TestUnchangedProfileIsAsOfNow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.adds(bob)
		bob.adds(ana)
		ana.sets(full(t, "Ana"))
		bob.seen(ana)
		pass(2 * freshFor)
		bob.seen(ana)
		if k, ok := bob.kept(ana); !ok || time.Since(k.AsOf) > time.Minute {
			t.Errorf("as of %v ago", time.Since(k.AsOf))
		}
	})
}

// TestHostNameIsNotForStrangers: a name that the user did not choose is told by
// pairing alone.
func TestHostNameIsNotForStrangers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		if k := bob.seen(ana); k.Name != "" || k.Rev != 0 {
			t.Errorf("%+v", k)
		}
	})
}

// TestAudience: who gets the profile under each policy.
func TestAudience(t *testing.T) {
	become := map[string]func(ana, bob *device){
		"stranger": func(*device, *device) {},
		"contact":  func(ana, bob *device) { ana.adds(bob) },
		"removed":  func(ana, bob *device) { ana.drops(bob, contact.Marks{Removed: true}) },
		"blocked":  func(ana, bob *device) { ana.drops(bob, contact.Marks{Blocked: true}) },
		"reported": func(ana, bob *device) { ana.drops(bob, contact.Marks{Blocked: true, Reported: true}) },
	}
	for policy, want := range map[contact.Audience]map[string]error{
		contact.Anyone:       {"contact": nil, "stranger": nil},
		contact.ContactsOnly: {"contact": nil},
		contact.Nobody:       {"contact": ErrPrivate},
		"":                   {"contact": ErrPrivate},
	} {
		bubble(t, func(t *testing.T, w *world) {
			ana := w.device(1)
			ana.sets(full(t, "Ana"))
			ana.policy = policy
			seed := byte(1)
			for name, how := range become {
				seed++
				bob := w.device(seed)
				how(ana, bob)
				expected, some := want[name]
				if !some {
					expected = transport.ErrRefused
				}
				if _, err := bob.of(ana); !errors.Is(err, expected) {
					t.Errorf("policy %q, %s: %v, want %v", policy, name, err, expected)
				}
			}
		})
	}
}

func TestStrangersProfileIsRememberedForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		want := ana.sets(full(t, "Ana"))
		equal(t, bob.seen(ana).Profile, want)
		k, err := bob.of(ana)
		synctest.Wait()
		if err != nil || k.Live || k.Listed || ana.asked() != 1 {
			t.Errorf("%+v, %v, served %d times", k, err, ana.asked())
		}
		pass(lookTime)
		if _, ok := bob.kept(ana); ok {
			t.Error("still there")
		}
		bob.seen(ana)
		bob.restart()
		if _, ok := bob.kept(ana); ok || bob.events(ana.self()) != 0 {
			t.Error("a stranger's profile is on the disk")
		}
	})
}

// TestStrangersThatAreLookedAtAreBounded: the oldest makes room.
func TestStrangersThatAreLookedAtAreBounded(t *testing.T) {
	l := newLooks()
	now := time.Now()
	for i := range 3 * maxLooks {
		l.put(contact.ODID{1, byte(i)}, Kept{Profile: Profile{Rev: uint64(i)}}, now.Add(time.Duration(i)))
	}
	if len(l.seen) != maxLooks {
		t.Errorf("%d remembered", len(l.seen))
	}
	if _, ok := l.get(contact.ODID{1, byte(3*maxLooks - 1)}, now); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := l.get(contact.ODID{1, 0}, now); ok {
		t.Error("the oldest is still there")
	}
}

// TestNothingIsKeptOfWhoIsGone: removing and blocking forget the profile, also if the
// device stopped before it was done.
func TestNothingIsKeptOfWhoIsGone(t *testing.T) {
	for name, m := range map[string]contact.Marks{"removed": {Removed: true}, "blocked": {Blocked: true}} {
		bubble(t, func(t *testing.T, w *world) {
			ana, bob, cleo := w.device(1), w.device(2), w.device(3)
			bob.adds(ana, cleo)
			ana.sets(full(t, "Ana"))
			cleo.sets(full(t, "Cleo"))
			bob.seen(ana)
			bob.seen(cleo)
			bob.drops(ana, m)
			_, err := bob.svc.Of(t.Context(), ana.self(), Query{KeptOnly: true})
			if want := map[bool]error{true: ErrBlocked, false: ErrNone}[m.Blocked]; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			bob.mu.Lock()
			bob.list[cleo.self()], bob.marks[cleo.self()] = false, m // and no word of it
			bob.mu.Unlock()
			bob.restart()
			pass(time.Minute)
			err = bob.db.View(func(tx *store.Tx) error {
				n, _, err := counts.Get(tx, theKey())
				for range kepts.Scan(tx, store.Range{}) {
					t.Errorf("%s: something is kept", name)
				}
				for range orders.Scan(tx, store.Range{}) {
					t.Errorf("%s: something is in order", name)
				}
				if n.Kept != 0 {
					t.Errorf("%s: %d are counted", name, n.Kept)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.device(1)
		peer := func(i int) contact.ODID { return contact.ODID{byte(i), byte(i >> 8), 1} }
		const more = 10
		for i := range maxKept + more {
			err := d.db.Update(func(tx *store.Tx) error {
				return keep(tx, peer(i), Kept{Profile: Profile{Rev: 1, Name: "n"}, AsOf: time.UnixMilli(int64(1000 + i))})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := d.db.View(func(tx *store.Tx) error {
			n, _, err := counts.Get(tx, theKey())
			if n.Kept != maxKept {
				t.Errorf("%d are counted", n.Kept)
			}
			for i, want := range map[int]bool{0: false, more - 1: false, more: true, maxKept + more - 1: true} {
				key := peer(i)
				if _, ok, _ := kepts.Get(tx, key[:]); ok != want {
					t.Errorf("number %d is kept: %v", i, ok)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestOwnODIDIsTheOwnProfile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana := w.device(1)
		want := ana.sets(full(t, "Ana"))
		equal(t, ana.seen(ana).Profile, want)
	})
}

func TestUnreachableIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, bob := w.device(1), w.device(2)
		ana.stop()
		for _, q := range []Query{{}, {KeptOnly: true}} {
			_, err := bob.svc.Of(t.Context(), ana.self(), q)
			if q.KeptOnly != errors.Is(err, ErrNone) || !q.KeptOnly && !errors.Is(err, transport.ErrUnreachable) {
				t.Errorf("%+v: %v", q, err)
			}
		}
		if _, err := bob.svc.Of(t.Context(), ana.self(), Query{Addresses: []transport.Address{"nowhere"}}); !errors.Is(err, transport.ErrAddress) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := bob.svc.Of(ctx, ana.self(), Query{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
