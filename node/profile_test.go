package node_test

import (
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/profile"
)

// has fails unless p has kept a profile of o with this bio, without asking.
func (p *person) has(o *person, bio string) {
	p.t.Helper()
	k, err := p.Profile.Of(p.t.Context(), o.id.Self(), profile.Query{KeptOnly: true})
	p.try(err)
	if k.Bio != bio || k.Live {
		p.t.Fatalf("%s has kept %q of %s, want %q", p.name, k.Bio, o.name, bio)
	}
}

func (p *person) says(bio string) {
	p.t.Helper()
	_, err := p.Profile.Set(profile.Change{Bio: &bio})
	p.try(err)
}

// asked is how many streams about the profile contacts opened.
func (p *person) asked() uint64 { return p.Streams()[contact.ServiceProfile][contact.Serve] }

// A changed profile comes to connected contacts by itself, to others as they come
// back; what is the same is not fetched again.
func TestProfilesReachContacts(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, cleo := w.device("Ana"), w.device("Bob"), w.device("Cleo")
		ana.says("Engines.")
		bob.types(ana, ana.showsCode())
		cleo.types(ana, ana.showsCode())
		settle(time.Minute)
		bob.has(ana, "Engines.")
		cleo.has(ana, "Engines.")

		cleo.halts()
		ana.says("Poetry.")
		ana.names("Ana L.")
		settle(2 * time.Minute)
		bob.has(ana, "Poetry.")
		bob.calls(ana, "Ana L.")
		cleo.starts()
		settle(time.Minute)
		cleo.has(ana, "Poetry.")
		cleo.calls(ana, "Ana L.")

		before := ana.asked()
		for range 3 {
			bob.halts()
			bob.starts()
			settle(time.Hour)
		}
		if ana.asked() != before {
			t.Errorf("asked %d times for what bob has", ana.asked()-before)
		}
		bob.has(ana, "Poetry.")
	})
}

// A profile that is for nobody is not asked for.
func TestHiddenProfileIsNotShown(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		ana.decides("profile", "nobody")
		ana.says("Engines.")
		bob.types(ana, ana.showsCode())
		settle(time.Hour)
		streams := ana.Streams()[contact.ServiceProfile]
		for d, n := range streams {
			if n > 0 {
				t.Errorf("%d times %v", n, contact.Decision(d))
			}
		}
		ana.decides("profile", "contacts")
		ana.says("Poetry.")
		settle(time.Minute)
		bob.has(ana, "Poetry.")
	})
}

// Who is removed is told no more, and forgotten.
func TestProfileEndsWithTheContact(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		ana.says("Engines.")
		bob.says("Bridges.")
		bob.types(ana, ana.showsCode())
		settle(time.Minute)
		bob.removes(ana)
		settle(time.Minute)
		if _, err := bob.Profile.Of(t.Context(), ana.id.Self(), profile.Query{KeptOnly: true}); err == nil {
			t.Error("bob has kept the profile of one he removed")
		}
		bob.says("Tunnels.")
		settle(time.Hour)
		ana.has(bob, "Bridges.")
	})
}

// A device that stopped before it fetched a profile does so when it is back, though
// the other one has nothing new to say.
func TestMissedProfileIsFetchedLater(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		settle(time.Hour)
		for _, bio := range []string{"Engines.", "Poetry.", "Chess."} {
			settle(2 * time.Minute)
			ana.says(bio)
			settle(50 * time.Millisecond) // it is shown, and not fetched yet
			bob.halts()
			bob.starts()
			bob.halts()
			bob.starts()
			settle(time.Minute)
			bob.has(ana, bio)
		}
	})
}
