package sim

import (
	"errors"
	"fmt"
	"strings"

	"contactsd/contact"
	"contactsd/message"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/store"
)

// did calls a device for its user and notes what came of it. sure reports whether
// the answer counts: a device that has crashed meanwhile may have lost what it said.
func (w *world) did(l *life, err error, format string, args ...any) (sure bool) {
	what := fmt.Sprintf(format, args...)
	sure = !l.isDead()
	switch {
	case !sure:
		w.line.note("%s %s, and crashes", l.h.name, what)
	case err != nil:
		w.line.note("%s can't %s: %v", l.h.name, infinitive(what), err)
	default:
		w.line.note("%s %s", l.h.name, what)
	}
	return sure
}

// infinitive turns "adds bob" into "add bob".
func infinitive(what string) string {
	verb, rest, _ := strings.Cut(what, " ")
	return strings.TrimSuffix(verb, "s") + " " + rest
}

// decision is an act about another device that changes what its user holds of it.
type decision struct {
	what   string
	call   func(*life) error
	change func(standing) (standing, bool) // what it makes of a standing, and whether the device does it
	gives  contact.Permissions             // at most, if it is not known whether it was done
	done   func(*belief)                   // what else it changes, if it was; may be nil
}

// decide does an act of one user about another one.
func (w *world) decide(a, b *host, d decision) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	// What it gives may be used before the call returns.
	w.believe(a.i, b.i, func(have *belief) { have.giving = d.gives != contact.NoPermissions })
	err := d.call(l)
	sure := w.did(l, err, "%s %s", d.what, b.name)
	w.believe(a.i, b.i, func(have *belief) {
		have.giving = false
		switch {
		case sure && needless(err):
		case !sure || err != nil && !refused(err):
			have.give(d.gives)
			have.act(false, d.change)
		case err != nil: // it says what it is not
			have.act(true, func(s standing) (standing, bool) {
				_, done := d.change(s)
				return s, !done
			})
		default:
			if d.done != nil {
				d.done(have)
			}
			have.act(true, d.change)
		}
		if len(have.now) == 0 {
			w.mu.Unlock()
			w.violate("list", "%s %s %s: %v, which can't be", a.name, d.what, b.name, err)
			w.mu.Lock()
			have.become([]standing{{}, {listed: true}, {blocked: true}})
		}
	})
	return true
}

// refused reports whether the error says that the other is not what the act needs.
func refused(err error) bool {
	return errors.Is(err, relation.ErrBlocked) || errors.Is(err, relation.ErrNotFound)
}

// needless reports whether the error says that there is nothing to do.
func needless(err error) bool {
	var bad *contact.InvalidError
	return errors.Is(err, relation.ErrRequest) || errors.Is(err, relation.ErrLocked) || errors.As(err, &bad)
}

func add(w *world, s Step, a, b *host) bool {
	return w.adds(a, b, relation.AddOptions{OneWay: s.N%8 == 7})
}

// adds lists a device, and asks it for something if the options do.
func (w *world) adds(a, b *host, opt relation.AddOptions) bool {
	what, gives, lends := "adds", contact.AddedDefault, opt.Ask
	if opt.Wording != "" {
		what = fmt.Sprintf("asks for %v (%s) and adds", opt.Ask, opt.Wording)
	}
	if opt.OneWay {
		gives, lends = contact.NoPermissions, contact.NoPermissions
	}
	w.agrees(a, b)
	crossed, fresh := w.crossed(a, b) || opt.Wording != "" && w.met(a, b).Has(opt.Ask), false
	return w.decide(a, b, decision{
		what: what,
		call: func(l *life) error {
			_, created, err := l.Relation.Add(b.self(), opt)
			fresh = created
			return err
		},
		change: func(s standing) (standing, bool) {
			s.listed, s.gone = true, false
			return s, !s.blocked
		},
		gives: gives | lends,
		done: func(have *belief) {
			if fresh { // what was before is over
				have.parting, have.gave, have.lent = false, gives, contact.NoPermissions
			}
			if have.lend(lends); crossed {
				have.lent = contact.NoPermissions
			}
		},
	})
}

func remove(w *world, _ Step, a, b *host) bool { return w.remove(a, b, "removes", false) }

func part(w *world, _ Step, a, b *host) bool {
	if !w.remove(a, b, "parts with", true) {
		return false
	}
	w.believe(b.i, a.i, func(have *belief) {
		have.parting = true
		have.become(have.now)
	})
	return true
}

func (w *world) remove(a, b *host, what string, both bool) bool {
	return w.decide(a, b, decision{
		what: what,
		call: func(l *life) error { return l.Relation.Remove(b.self(), both) },
		change: func(s standing) (standing, bool) {
			return standing{gone: true}, s.listed && !s.blocked
		},
		done: (*belief).drop,
	})
}

func block(w *world, _ Step, a, b *host) bool {
	return w.decide(a, b, decision{
		what: "blocks",
		call: func(l *life) error { return l.Relation.Block(b.self()) },
		change: func(s standing) (standing, bool) {
			s.blocked = true
			return s, true
		},
		done: (*belief).drop,
	})
}

func unblock(w *world, _ Step, a, b *host) bool {
	defer w.welcomes(a)
	return w.decide(a, b, decision{
		what: "unblocks",
		call: func(l *life) error {
			if err := l.Relation.Unblock(b.self()); !errors.Is(err, relation.ErrNotFound) {
				return err
			}
			return nil
		},
		change: func(s standing) (standing, bool) {
			if s.blocked {
				s.pair, s.blocked = 0, false
			}
			return s, true
		},
	})
}

func narrow(w *world, s Step, a, b *host) bool {
	perms := []contact.Permissions{contact.Messages, contact.Presence, contact.AllPermissions}[s.N%3]
	return w.decide(a, b, decision{
		what: "withdraws " + perms.String() + " from",
		call: func(l *life) error { return l.Relation.Narrow(b.self(), perms) },
		change: func(s standing) (standing, bool) {
			return s, s.listed && !s.blocked
		},
		done: func(have *belief) { have.take(perms) },
	})
}

func remark(w *world, s Step, a, b *host) bool {
	return w.decide(a, b, decision{
		what: "remarks on",
		call: func(l *life) error { return l.Relation.SetRemark(b.self(), fmt.Sprintf("remark %d", s.N)) },
		change: func(s standing) (standing, bool) {
			return s, s.listed && !s.blocked
		},
	})
}

func send(w *world, s Step, a, b *host) bool { return w.sends(a, b, 1, 1+s.N%300) }

func burst(w *world, s Step, a, b *host) bool { return w.sends(a, b, 2+s.N%60, 1+s.M%3000) }

// sends has a user write several messages at once.
func (w *world) sends(a, b *host, count, size int) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	list := make([]message.Outgoing, count)
	for i := range list {
		id, err := message.NewID()
		if err != nil {
			w.violate("run", "%v", err)
			return false
		}
		text := fmt.Sprintf("from %s to %s %s ", a.name, b.name, id)
		list[i] = message.Outgoing{To: b.self(), ID: id, Kind: message.KindText, Body: []byte(text + strings.Repeat("x", size))}
	}
	sent, err := l.Message.SendMany(list)
	why := err
	taken := 0
	for _, s := range sent {
		if s.Err == nil {
			taken++
		} else {
			why = s.Err
		}
	}
	w.mu.Lock()
	next := len(w.posts[a.i][b.i].letters)
	w.mu.Unlock()
	sure := w.did(l, why, "sends %s %d messages from %d on", b.name, count, next)
	if sure && why != nil && !errors.Is(why, message.ErrNotContact) && !errors.Is(why, message.ErrBlocked) && !errors.Is(why, store.ErrFull) {
		w.violate("run", "%s can't send %s: %v", a.name, b.name, why)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, o := range list {
		switch {
		case !sure:
			w.posts[a.i][b.i].add(o.ID.String(), string(o.Body), false)
		case err == nil && sent[i].Err == nil:
			w.posts[a.i][b.i].add(o.ID.String(), string(o.Body), true)
		}
	}
	if sure {
		w.result.Messages += taken
	}
	return true
}

// cancel takes the newest message that waits out of the outbox.
func cancel(w *world, _ Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	page, err := l.Message.Outbox(message.OutboxQuery{Contact: b.self(), Limit: message.MaxPage})
	if err != nil || len(page.Messages) == 0 {
		return false
	}
	m := page.Messages[len(page.Messages)-1]
	_, err = l.Message.Cancel(m.ID)
	w.did(l, err, "cancels a message to %s", b.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if letter := w.posts[a.i][b.i].byID[m.ID.String()]; letter != nil {
		letter.cancelled = true
	}
	return true
}

// read reads what came.
func read(w *world, _ Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	page, err := l.Message.History(b.self(), message.Query{})
	if err != nil {
		w.did(l, err, "reads what %s wrote", b.name)
		return true
	}
	for _, m := range page.Messages {
		if m.Direction == message.In && m.Kind != message.KindGap {
			w.did(l, l.Message.MarkRead(b.self(), m.ID), "reads what %s wrote", b.name)
			return true
		}
	}
	return false
}

func setPresence(w *world, s Step, a, _ *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	state := []presence.State{presence.Online, presence.Away, presence.Busy, presence.Invisible}[s.N%4]
	err := l.Presence.Set(state, fmt.Sprintf("text %d", s.M))
	w.did(l, err, "sets its state to %s", state)
	return true
}

func idle(w *world, s Step, a, _ *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	err := l.Presence.Report(presence.Activity{Source: "desk"})
	if s.N%2 == 1 {
		l.Presence.Leave("desk") // nobody watches whether it stays
	}
	w.did(l, err, "%s", []string{"leaves the desk", "comes back to the desk"}[s.N%2])
	return true
}
