package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"contactsd/contact"
	"contactsd/message"
	"contactsd/node"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/store"
)

// look compares what each device lists and blocks with what its user did.
func (w *world) look() {
	for _, h := range w.hosts {
		l := h.up()
		if l == nil || l.isDead() {
			continue
		}
		w.guesses(h, l)
		w.waiting(h, l)
		w.charges(h, l)
		w.reports(h, l)
		w.follow(h, l)
		for _, o := range w.hosts {
			if o == h {
				continue
			}
			seen, v, err := l.standing(o)
			if h.up() != l || l.isDead() {
				break
			}
			w.mu.Lock()
			b := w.beliefs[h.i][o.i]
			fits, may, most := b.allows(seen), b.String(), b.most()
			w.mu.Unlock()
			if over := v.Given &^ most; over != contact.NoPermissions {
				w.violate("consent", "%s lets %s have %v, and its user gave no more than %v", h.name, o.name, over, most)
				w.believe(h.i, o.i, func(b *belief) { b.give(over) }) // say it once
			}
			if err != nil {
				w.violate("run", "%s: %v", h.name, err)
			} else if !fits {
				w.violate("list", "for %s, %s is %v; it may be %s", h.name, o.name, seen, may)
				w.believe(h.i, o.i, func(b *belief) { b.become([]standing{seen}) }) // say it once
			}
		}
	}
}

// standing returns what a device holds of another one.
func (l *life) standing(o *host) (standing, contact.View, error) {
	c, err := l.Relation.Get(o.self())
	if errors.Is(err, relation.ErrNotFound) {
		return standing{}, contact.View{}, nil
	}
	v := c.View
	listed := v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
	return standing{listed: listed, blocked: v.Status == contact.StatusBlocked || v.Status == contact.StatusReported, gone: v.Status == contact.StatusRemoved}, v, err
}

// patient is how long after all was healed the devices may take to agree: failed
// attempts are tried again after at most 15 minutes.
const patient = 2 * time.Hour

// settle has every user write to every contact, waits until the devices agree, and
// looks at what they hold.
func (w *world) settle() {
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if a == b {
				continue
			}
			if seen, _, err := a.up().standing(b); err == nil && seen.listed {
				w.sends(a, b, 1, 1)
			}
		}
	}
	deadline := time.Now().Add(patient)
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		pass(wait)
		w.moved()
		wrong := w.disagreements()
		if len(wrong) == 0 {
			break
		}
		if time.Now().After(deadline) {
			for _, v := range wrong {
				w.violate(v.Invariant, "%s", v.What)
			}
			break
		}
	}
	w.line.note("--- the devices had %v to agree", time.Since(deadline.Add(-patient)))
	w.look()
	for _, h := range w.hosts {
		for _, o := range w.hosts {
			if h != o {
				w.compare(h, o)
			}
		}
		w.journal(h)
	}
}

// disagreements returns what is not yet as it must be in the end.
func (w *world) disagreements() (list []Violation) {
	wrong := func(invariant, format string, args ...any) {
		list = append(list, Violation{invariant, fmt.Sprintf(format, args...)})
	}
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if a == b {
				continue
			}
			mine, v, err := a.up().standing(b)
			theirs, u, err2 := b.up().standing(a)
			if err := errors.Join(err, err2); err != nil {
				wrong("run", "%v", err)
				continue
			}
			if mine.listed != (v.Status == contact.StatusAccepted) && theirs.listed || v.Status == contact.StatusAccepted && !theirs.listed {
				wrong("mirror", "for %s, %s is %v; but that one's side is %v", a.name, b.name, v.Status, u.Status)
			}
			if v.Status == contact.StatusAccepted && v.Received != u.Given {
				wrong("mirror", "%s thinks %s grants it %v, it grants %v", a.name, b.name, v.Received, u.Given)
			}
			if a.i < b.i {
				w.trust(a, b, v, u, wrong)
			}
			w.presence(a, b, v, wrong)
			w.requests(a, b, v, u, wrong)
			w.called(a, b, v, wrong)
			if v.Status == contact.StatusAccepted && u.Given.Has(contact.Messages) {
				if n, err := a.up().Message.Waiting(b.self()); err != nil || n > 0 {
					wrong("state", "%d messages of %s to %s wait, %v", n, a.name, b.name, err)
				}
			}
		}
	}
	return list
}

type complain func(invariant, format string, args ...any)

func (w *world) trust(a, b *host, v, u contact.View, wrong complain) {
	w.mu.Lock()
	must, mustNot := trusted(w.beliefs[a.i][b.i], w.beliefs[b.i][a.i])
	w.mu.Unlock()
	switch {
	case v.Trust != u.Trust && (v.Trust >= contact.Paired || u.Trust >= contact.Paired):
		wrong("trust", "%s and %s: %v on one side, %v on the other", a.name, b.name, v.Trust, u.Trust)
	case must && v.Trust < contact.Paired:
		wrong("trust", "%s and %s have paired and are %v", a.name, b.name, v.Trust)
	case mustNot && v.Trust >= contact.Paired:
		wrong("trust", "%s and %s are paired by no pairing", a.name, b.name)
	}
}

// presence compares what b knows of a with how a is.
func (w *world) presence(a, b *host, v contact.View, wrong complain) {
	own, known := a.up().Presence.Mine(), b.up().Presence.Of(a.self())
	if v.Status != contact.StatusAccepted || !v.Given.Has(contact.Presence) {
		if known.State != presence.Unknown && known.State != presence.Offline {
			wrong("presence", "%s is not told how %s is and knows that it is %v", b.name, a.name, known.State)
		}
		return
	}
	if own.Chosen == presence.Invisible {
		if known.State != presence.Offline && known.State != presence.Unknown {
			wrong("presence", "%s is invisible, and %s sees that it is %v", a.name, b.name, known.State)
		}
		return
	}
	if known.State != own.State || known.Text != own.Text {
		wrong("presence", "%s is %v %q, and for %s %v %q", a.name, own.State, own.Text, b.name, known.State, known.Text)
	}
}

// history returns all that a device holds of its messages with another one.
func (l *life) history(o *host) (all []message.Message, err error) {
	err = l.db.View(func(tx *store.Tx) error {
		for m, err := range message.All(tx, o.self(), 0) {
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	return all, err
}

// compare looks at the messages of a to b.
func (w *world) compare(a, b *host) {
	out, err := a.up().history(b)
	in, err2 := b.up().history(a)
	if err := errors.Join(err, err2); err != nil {
		w.violate("run", "%v", err)
		return
	}
	_, v, _ := a.up().standing(b)
	_, u, _ := b.up().standing(a)
	w.mu.Lock()
	p := w.posts[a.i][b.i]
	w.mu.Unlock()
	wrong := func(invariant, format string, args ...any) {
		w.violate(invariant, "%s to %s: %s", a.name, b.name, fmt.Sprintf(format, args...))
	}
	sent := w.letters(out, message.Out, p, "sender", wrong)
	got := w.letters(in, message.In, p, "receiver", wrong)
	w.mu.Lock()
	w.result.Delivered += len(got)
	w.mu.Unlock()
	for _, l := range p.letters {
		if _, there := sent[l.id]; l.sure && !l.forgotten && !there {
			wrong("lost", "message %d was accepted, and the sender does not have it", l.number)
		}
	}
	flows := v.Status == contact.StatusAccepted && u.Given.Has(contact.Messages)
	for id, m := range sent {
		_, there := got[id]
		switch l := p.byID[id]; {
		case m.State == message.Delivered && !there && (flows && !l.forgotten || !b.restored):
			wrong("lost", "message %d is delivered and not there: %s", l.number, w.numbers(in, message.In, p))
		case m.State == message.Queued && flows:
			wrong("state", "message %d waits", l.number)
		case m.State == message.Cancelled && there && !a.restored:
			wrong("state", "message %d is cancelled and there", l.number)
		case m.State == message.Failed && w.plan.Length < message.Keep:
			wrong("state", "message %d has failed: %s", l.number, m.Note)
		}
	}
}

// letters looks at one side's messages and returns them by id.
func (w *world) letters(all []message.Message, d message.Direction, p *post, side string, wrong complain) map[string]message.Message {
	found := make(map[string]message.Message)
	last := -1
	for _, m := range all {
		id := m.ID.String()
		l := p.byID[id]
		switch {
		case m.Direction != d || m.Kind == message.KindGap:
			continue
		case l == nil:
			wrong("phantom", "the %s has a message that nobody wrote: %.60q", side, m.Body)
			continue
		case l.text != string(m.Body):
			wrong("phantom", "the %s has message %d with another text: %.60q", side, l.number, m.Body)
		case found[id].ID == m.ID:
			wrong("double", "the %s has message %d twice", side, l.number)
		case l.forgotten: // in one life, and perhaps sent in another: there is no order
		case l.number < last:
			wrong("order", "the %s has message %d after %d: %s", side, l.number, last, w.numbers(all, d, p))
		}
		found[id] = m
		if !l.forgotten {
			last = max(last, l.number)
		}
	}
	return found
}

// numbers says which messages a history has, in its order, and which of them a
// restored sender had forgotten.
func (w *world) numbers(all []message.Message, d message.Direction, p *post) string {
	var words []string
	for _, m := range all {
		l := p.byID[m.ID.String()]
		switch {
		case m.Direction != d:
		case l == nil:
			words = append(words, m.Kind)
		case l.forgotten:
			words = append(words, fmt.Sprintf("(%d)", l.number))
		default:
			words = append(words, fmt.Sprint(l.number))
		}
	}
	return strings.Join(words, " ")
}

// journal compares what a device's events told with what its tables hold.
func (w *world) journal(h *host) {
	if h.restored {
		return // its journal began anew
	}
	l := h.up()
	received := make(map[string]int)
	states := make(map[contact.ODID]string)
	open := make(map[string]bool)
	for after := uint64(0); ; {
		entries, err := l.db.Events(after, 1000)
		if err != nil {
			w.violate("events", "%s: %v", h.name, err)
			return
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			after = e.Cursor
			switch e.Event.Type {
			case contact.MessageReceived:
				received[e.Event.ID]++
			case contact.RequestReceived:
				open[e.Event.ID] = true
			case contact.RequestAccepted, contact.RequestRejected, contact.RequestCancelled, contact.RequestReported, contact.RequestQuarantined:
				delete(open, e.Event.ID)
			case contact.ContactBlocked, contact.ContactUnblocked, contact.ContactPaired, contact.ContactUnpaired, contact.ContactRemoved, contact.ContactLeft:
				states[e.Event.Contact] = e.Event.State
			case contact.ContactAdded: // who is told reads what it is
				delete(states, e.Event.Contact)
			case contact.ContactChanged:
				if e.Event.State != "" {
					states[e.Event.Contact] = e.Event.State
				}
			}
		}
	}
	w.opened(h, l, open)
	for id, n := range received {
		if n > 1 {
			w.violate("events", "%s was told %d times of message %s", h.name, n, id)
		}
	}
	for _, o := range w.hosts {
		if o == h {
			continue
		}
		all, err := l.history(o)
		if err != nil {
			w.violate("run", "%v", err)
		}
		for _, m := range all {
			if m.Direction == message.In {
				if received[m.ID.String()] == 0 {
					w.violate("events", "%s was never told of a message from %s", h.name, o.name)
				}
				delete(received, m.ID.String())
			}
		}
	}
	for id := range received {
		w.violate("events", "%s was told of message %s, which it does not have", h.name, id)
	}
	for _, o := range w.hosts {
		told, ok := states[o.self()]
		if _, v, err := l.standing(o); ok && err == nil && v.Status.String() != told {
			w.violate("events", "for %s, %s is %v, and it was told %s", h.name, o.name, v.Status, told)
		}
	}
}

// examine looks at what a device that has stopped left on its disk.
func (w *world) examine(h *host) {
	r, err := node.Check(h.disk, h.self())
	if err != nil {
		w.violate("store", "%s: %v", h.name, err)
		return
	}
	for _, d := range r.Damage {
		w.violate("store", "%s: %v", h.name, d)
	}
}
