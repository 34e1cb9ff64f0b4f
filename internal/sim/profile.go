package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"contactsd/contact"
	"contactsd/profile"
)

// told is what a device has told of itself: the names and the bios it was given.
type told struct{ name, bio texts }

// texts are what a text was set to, one after the other. Those from sure on may be
// what it is now: a device that crashes may have kept the last one or not.
type texts struct {
	all  []string
	sure int
}

// may reports whether the text may be or have been this since first.
func (t texts) may(text string, first int) bool {
	return slices.Contains(t.all[first:], text)
}

// rename gives a device another name.
func rename(w *world, s Step, a, _ *host) bool {
	name := fmt.Sprintf("%s %d", a.name, s.M)
	return w.tells(a, profile.Change{Name: &name}, "calls itself "+name)
}

// describe has a user write something about itself.
func describe(w *world, s Step, a, _ *host) bool {
	bio := fmt.Sprintf("bio %d of %s", s.M, a.name)
	return w.tells(a, profile.Change{Bio: &bio}, "describes itself: "+bio)
}

// tells has a device tell something else of itself, its name or its bio.
func (w *world) tells(a *host, c profile.Change, what string) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	w.mu.Lock()
	t, text := &w.told[a.i].name, c.Name
	if c.Bio != nil {
		t, text = &w.told[a.i].bio, c.Bio
	}
	t.all = append(t.all, *text)
	at := len(t.all) - 1
	w.mu.Unlock()
	_, err := l.Profile.Set(c)
	if w.did(l, err, "%s", what) && err == nil {
		w.mu.Lock()
		t.sure = at
		w.mu.Unlock()
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
	since, then := w.beliefs[b.i][a.i].mark(), w.told[b.i]
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
			then = told{} // kept, and perhaps long ago
		}
		w.knows(a, b, k.Profile, then)
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

// knows compares a profile with what the device has told of itself since then.
func (w *world) knows(a, b *host, p profile.Profile, then told) {
	w.mu.Lock()
	now := w.told[b.i]
	if b.restored { // what was told after the copy was made is not told any more
		then = told{}
	}
	ok := now.name.may(p.Name, then.name.sure) && now.bio.may(p.Bio, then.bio.sure)
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
