package sim

import (
	"context"
	"errors"
	"fmt"

	"contactsd/contact"
	"contactsd/profile"
)

// told is what a device has told of itself: the name and the bio it was given, one
// after the other. Those from sure on may be what it tells now.
type told struct {
	names, bios []string
	sure        int
}

// tells notes what a device may tell from now on, and says that it does once kept.
func (w *world) tells(h *host, set func(name, bio string) (string, string)) (kept func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.told[h.i]
	name, bio := "", ""
	if n := len(t.names); n > 0 {
		name, bio = t.names[n-1], t.bios[n-1]
	}
	name, bio = set(name, bio)
	t.names, t.bios = append(t.names, name), append(t.bios, bio)
	at := len(t.names) - 1
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		t.sure = at
	}
}

// rename gives a device another name.
func rename(w *world, s Step, a, _ *host) bool {
	name := fmt.Sprintf("%s %d", a.name, s.M)
	return w.tellsOfItself(a, profile.Change{Name: &name}, "calls itself "+name)
}

// describe has a user write something about itself.
func describe(w *world, s Step, a, _ *host) bool {
	bio := fmt.Sprintf("bio %d of %s", s.M, a.name)
	return w.tellsOfItself(a, profile.Change{Bio: &bio}, "describes itself: "+bio)
}

func (w *world) tellsOfItself(a *host, c profile.Change, what string) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	kept := w.tells(a, func(name, bio string) (string, string) {
		if c.Name != nil {
			name = *c.Name
		}
		if c.Bio != nil {
			bio = *c.Bio
		}
		return name, bio
	})
	_, err := l.Profile.Set(c)
	if w.did(l, err, "%s", what) && err == nil {
		kept()
	}
	return true
}

// lookAt has a user look at the profile of another device, contact or not. It goes on
// beside what else happens.
func lookAt(w *world, _ Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	w.mu.Lock()
	since, first := w.beliefs[b.i][a.i].mark(), w.told[b.i].sure
	w.deals[a.i][b.i].asking++
	w.mu.Unlock()
	w.talks.Go(func() {
		k, err := l.Profile.Of(context.Background(), b.self(), profile.Query{})
		sure := w.did(l, err, "looks at the profile of %s", b.name)
		w.mu.Lock()
		w.deals[a.i][b.i].asking--
		w.mu.Unlock()
		if !sure || err != nil {
			return
		}
		if k.Live {
			w.shown(a, b, since)
		} else {
			first = 0 // kept, and perhaps long ago
		}
		w.knows(a, b, k.Profile, first)
	})
	return true
}

// shown looks whether a device may have told its profile since some moment.
func (w *world) shown(a, b *host, since int) {
	w.mu.Lock()
	held := w.beliefs[b.i][a.i].held(since, func(s standing) bool { return !s.blocked && !s.gone })
	w.mu.Unlock()
	if !held {
		w.violate("profile", "%s has removed or blocked %s, and shows it its profile", b.name, a.name)
	}
}

// knows compares a profile with what the device has told of itself.
func (w *world) knows(a, b *host, p profile.Profile, first int) {
	w.mu.Lock()
	t := w.told[b.i]
	if b.restored { // what was told after the copy was made is not told any more
		first = 0
	}
	ok := p.Bio == "" && p.Name == "" && first == 0
	for i := first; i < len(t.names); i++ {
		ok = ok || p.Name == t.names[i] && p.Bio == t.bios[i]
	}
	w.mu.Unlock()
	if !ok {
		w.violate("profile", "%s sees that %s is %q, %q, which it does not say", a.name, b.name, p.Name, p.Bio)
	}
}

// called compares what b calls a, and keeps of its profile, with what a says.
func (w *world) called(a, b *host, v contact.View, wrong complain) {
	if v.Status != contact.StatusAccepted {
		return
	}
	c, err := b.up().Relation.Get(a.self())
	if name := a.up().Name(); err != nil || c.Name != name {
		wrong("name", "%s calls itself %q, and is called %q by %s, %v", a.name, name, c.Name, b.name, err)
	}
	k, err := b.up().Profile.Of(context.Background(), a.self(), profile.Query{KeptOnly: true})
	switch mine := a.up().Profile.Mine(); {
	case errors.Is(err, profile.ErrNone):
		wrong("profile", "%s keeps no profile of its contact %s", b.name, a.name)
	case err != nil:
		wrong("profile", "%s can't tell the profile of %s: %v", b.name, a.name, err)
	case k.Name != mine.Name || k.Bio != mine.Bio:
		wrong("profile", "%s is %q, %q, and for %s %q, %q", a.name, mine.Name, mine.Bio, b.name, k.Name, k.Bio)
	}
}
