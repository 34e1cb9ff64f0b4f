package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"contactsd/contact"
	"contactsd/relation"
)

// asked is a request as the user who made it knows it.
type asked struct {
	permissions contact.Permissions
	wording     string
}

// priced names a request for which its user's device was to pay.
type priced struct {
	by, of  int
	wording string
}

// choice is what a user decided about strangers' requests. After a crash it may be
// this or what was before.
type choice struct {
	any    bool // they may be accepted by themselves
	ever   bool // they might have been at a time
	places int  // the most that may have waited at a time
}

// wants makes a request of the numbers of a step.
func (w *world) wants(s Step, a, b *host) asked {
	all := []contact.Permissions{contact.Messages, contact.Presence, contact.Audio, contact.Messages | contact.Presence, contact.Audio | contact.Video, contact.AllPermissions}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := asked{all[s.M%len(all)], fmt.Sprintf("request %d", len(w.asks[a.i][b.i])+1)}
	w.asks[a.i][b.i] = append(w.asks[a.i][b.i], r)
	w.beliefs[b.i][a.i].lent = contact.NoPermissions
	return r
}

// agrees notes that what b asked of a may be accepted now: what b gave with it stays.
func (w *world) agrees(a, b *host) {
	w.believe(b.i, a.i, func(have *belief) { have.lent = contact.NoPermissions })
}

// crossed reports whether a and b may both have asked something of the other, which
// accepts both.
func (w *world) crossed(a, b *host) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asks[a.i][b.i]) > 0 && len(w.asks[b.i][a.i]) > 0
}

// met returns what b may already give a: an ask for no more is accepted once the two
// meet, and what a gave with it stays.
func (w *world) met(a, b *host) contact.Permissions {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.beliefs[b.i][a.i].most()
}

// request adds a device and asks it for something.
func request(w *world, s Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	r := w.wants(s, a, b)
	w.owes(a, b, l, r)
	w.welcomes(b)
	return w.adds(a, b, relation.AddOptions{Wording: r.wording, Ask: r.permissions, OneWay: s.N%5 == 0})
}

// widen asks a contact for more.
func widen(w *world, s Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	r := w.wants(s, a, b)
	w.owes(a, b, l, r)
	oneWay := s.N%3 == 0
	lends := r.permissions
	if oneWay {
		lends = contact.NoPermissions
	}
	crossed := w.crossed(a, b) || w.met(a, b).Has(r.permissions)
	w.welcomes(b)
	return w.decide(a, b, decision{
		what: fmt.Sprintf("asks for %v (%s) of", r.permissions, r.wording),
		call: func(l *life) error {
			_, err := l.Relation.Ask(b.self(), relation.AskOptions{Permissions: r.permissions, Wording: r.wording, OneWay: oneWay})
			return err
		},
		change: func(s standing) (standing, bool) { return s, s.listed && !s.blocked },
		gives:  lends,
		done: func(have *belief) {
			if have.lend(lends); crossed {
				have.lent = contact.NoPermissions
			}
		},
	})
}

// withdraw takes a request back, and what was given with it.
func withdraw(w *world, _ Step, a, b *host) bool {
	return w.decide(a, b, decision{
		what:   "takes the request back from",
		call:   func(l *life) error { return l.Relation.Cancel(b.self()) },
		change: func(s standing) (standing, bool) { return s, s.listed && !s.blocked },
		done:   func(have *belief) { have.take(have.lent) },
	})
}

// accept accepts what another device asks for, or a part of it.
func accept(w *world, s Step, a, b *host) bool {
	var only contact.Permissions
	if s.N%4 == 0 {
		only = contact.Messages
	}
	gives := w.askedOf(a, b)
	if only != contact.NoPermissions {
		gives &= only
	}
	return w.responds(a, b, "accepts the request of", relation.Answer{Response: relation.Accept, Only: only}, func(s standing) (standing, bool) {
		s.listed, s.gone = true, false
		return s, !s.blocked
	}, gives)
}

func reject(w *world, _ Step, a, b *host) bool {
	return w.responds(a, b, "rejects the request of", relation.Answer{Response: relation.Reject}, func(s standing) (standing, bool) {
		return s, !s.blocked
	}, contact.NoPermissions)
}

// responds answers the request of b; without one another that waits.
func (w *world) responds(a, b *host, what string, answer relation.Answer, change func(standing) (standing, bool), gives contact.Permissions) bool {
	w.mu.Lock()
	w.answers[a.i][b.i] = true
	w.mu.Unlock()
	w.agrees(a, b)
	return w.decide(a, b, decision{
		what: what,
		call: func(l *life) error {
			_, failed, err := l.Relation.Answer([]string{b.self().String()}, false, answer)
			return errors.Join(append(failed, err)...)
		},
		change: change,
		gives:  gives,
		done:   func(have *belief) { have.give(gives) },
	})
}

// askedOf returns all that b has ever asked a for.
func (w *world) askedOf(a, b *host) (p contact.Permissions) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.asks[b.i][a.i] {
		p |= r.permissions
	}
	return p
}

// setPolicy chooses what becomes of strangers' requests, and how many may wait.
func setPolicy(w *world, s Step, a, _ *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	requests := []contact.RequestPolicy{contact.RequestsConfirm, contact.RequestsAny, contact.RequestsNone, contact.RequestsConfirm}[s.N%4]
	places := []int{1, 2, 32}[s.M%3]
	any := requests == contact.RequestsAny
	w.mu.Lock()
	c := &w.choices[a.i]
	c.any, c.ever, c.places = c.any || any, c.ever || any, max(c.places, places)
	w.mu.Unlock()
	w.welcomes(a)
	err := l.SetPolicy(map[string]string{"requests": string(requests), "max-waiting": strconv.Itoa(places)})
	sure := w.did(l, err, "sets its requests to %s, of which %d may wait", requests, places)
	if sure && err == nil {
		waiting, err := l.Relation.Waiting()
		w.mu.Lock()
		if c.any = any; err == nil && waiting <= places { // else those that wait may stay
			c.places = places
		}
		w.mu.Unlock()
	}
	return true
}

// welcomes notes that a may accept by itself what others asked it for, if its user
// may have chosen so.
func (w *world) welcomes(a *host) {
	w.mu.Lock()
	any := w.choices[a.i].any
	w.mu.Unlock()
	if !any {
		return
	}
	for _, b := range w.hosts {
		if b == a {
			continue
		}
		asked := w.askedOf(a, b)
		w.believe(a.i, b.i, func(have *belief) {
			have.welcome |= asked
			have.become(have.now)
		})
		w.agrees(a, b)
	}
}

// waiting looks at the requests that a device lists for its user.
func (w *world) waiting(h *host, l *life) {
	list, err := l.Relation.Requests(true)
	badge, err2 := l.Relation.Waiting()
	if err := errors.Join(err, err2); err != nil || h.up() != l || l.isDead() {
		return // it stops just now
	}
	if badge != len(list) {
		w.violate("request", "%s counts %d requests and lists %d", h.name, badge, len(list))
	}
	for _, what := range w.misplaced(h, list) {
		w.violate("request", "%s lists %s", h.name, what)
	}
}

// misplaced says which requests should not be on a device's list.
func (w *world) misplaced(h *host, list []relation.Request) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	strangers := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range list {
		o := w.index[r.ODID]
		b := w.beliefs[h.i][o]
		if !slices.Contains(w.asks[o][h.i], asked{r.Permissions, r.Wording}) {
			say("a request of %s that nobody made: %v, %s", w.hosts[o].name, r.Permissions, r.Wording)
		}
		if b.surely(func(s standing) bool { return s.blocked }) {
			say("a request of %s, whom it blocks", w.hosts[o].name)
		}
		if b.surely(func(s standing) bool { return s == standing{} }) {
			strangers++
		}
	}
	if places := w.choices[h.i].places; strangers > places {
		say("%d requests of strangers, and has places for %d", strangers, places)
	}
	return wrong
}

// requests compares what a asks of b on both sides.
func (w *world) requests(a, b *host, v, u contact.View, wrong complain) {
	made, err := a.up().asks(b, false)
	waits, err2 := b.up().asks(a, true)
	if err := errors.Join(err, err2); err != nil {
		wrong("run", "%v", err)
		return
	}
	both := v.Status == contact.StatusAccepted
	switch {
	case !both && (a.restored || b.restored): // a stranger is not told that it said more
	case waits != nil && made == nil:
		wrong("request", "%s lists a request of %s, which asks nothing: %s", b.name, a.name, waits.wording)
	case both && waits != nil && *made != *waits: // a stranger's next one may be dropped while the last one waits
		wrong("request", "%s asks %s for %v (%s), which lists %v (%s)", a.name, b.name, made.permissions, made.wording, waits.permissions, waits.wording)
	case both && made != nil && waits == nil:
		wrong("request", "%s asks its contact %s, which lists no request: %s", a.name, b.name, made.wording)
	case made != nil && v.MyAsk != contact.AskOpen:
		wrong("request", "%s lists its request to %s, which is %v", a.name, b.name, v.MyAsk)
	case both && v.MyAsk != u.TheirAsk:
		wrong("mirror", "the request of %s to %s is %v on one side, %v on the other", a.name, b.name, v.MyAsk, u.TheirAsk)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	have, other := w.beliefs[a.i][b.i], w.beliefs[b.i][a.i]
	if lent := have.lent & v.Given; v.MyAsk == contact.AskNone && lent != contact.NoPermissions {
		wrong("consent", "%s lets %s have %v, which it gave with a request that is gone", a.name, b.name, lent)
	}
	silent := !w.answers[b.i][a.i] && !other.held(0, func(s standing) bool { return s.listed })
	if silent && v.MyAsk > contact.AskOpen {
		wrong("request", "%s heard %v of %s, whose user never answered", a.name, v.MyAsk, b.name)
	}
}

// asks returns the open request of another device, or the one made of it; nil if there
// is none.
func (l *life) asks(o *host, incoming bool) (*asked, error) {
	list, err := l.Relation.Requests(incoming)
	if err == nil && incoming {
		var held []relation.Request
		held, err = l.Relation.Quarantine()
		list = append(list, held...)
	}
	for _, r := range list {
		if r.ODID == o.self() {
			return &asked{r.Permissions, r.Wording}, err
		}
	}
	return nil, err
}

// opened compares the requests that are open by a device's journal with its list.
func (w *world) opened(h *host, l *life, told map[string]bool) {
	list, err := l.Relation.Requests(true)
	if err != nil {
		w.violate("run", "%v", err)
		return
	}
	for _, r := range list {
		if !told[r.ID] {
			w.violate("events", "%s lists a request of which it was not told, or was told that it is over: %s", h.name, r.Wording)
		}
		delete(told, r.ID)
	}
	for id := range told {
		w.violate("events", "%s was told of request %s, and not that it is over", h.name, id)
	}
}
