package node_test

import (
	"strings"
	"testing"
	"time"

	"contactsd/check"
	"contactsd/contact"
)

func (p *person) decides(name, value string) {
	p.t.Helper()
	p.try(p.SetPolicy(map[string]string{name: value}))
}

// checks fails unless this comes of a check of o, both ways and live.
func (p *person) checks(o *person, q contact.Question, want contact.CheckResult, from check.Source) {
	p.t.Helper()
	results, err := p.Check.Check(p.t.Context(), []contact.ODID{o.id.Self()}, check.Options{Question: q, Both: true, Live: true})
	p.try(err)
	if r := results[0]; r.Check != want || r.Source != from {
		p.t.Fatalf("%s checks %s: %+v, want %v, %v", p.name, o.name, r, want, from)
	}
}

func TestStoryOfChecks(t *testing.T) {
	const listed, blocked = contact.QuestionListed, contact.QuestionBlocked
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		ana.checks(bob, listed, contact.CheckUnknown, check.SourceUnknown)
		bob.types(ana, ana.showsCode())
		settle(time.Minute)
		ana.checks(bob, listed, contact.CheckBothWay, check.SourceLive)
		ana.checks(bob, blocked, contact.CheckUnknown, check.SourceUnknown)

		// Bob's device does not answer any more, or is off: its last word counts.
		bob.decides("checks", "nobody")
		ana.checks(bob, listed, contact.CheckBothWay, check.SourceReceipt)
		bob.decides("checks", "contacts")
		bob.halts()
		ana.checks(bob, listed, contact.CheckBothWay, check.SourceReceipt)
		bob.starts()
		settle(time.Minute)

		// Bob tells who is blocked; nobody is.
		bob.decides("disclose-blocks", "on")
		ana.checks(bob, blocked, contact.CheckNo, check.SourceLive)

		// Bob removes Ana, and then blocks her, and says so.
		bob.removes(ana)
		settle(time.Minute)
		ana.checks(bob, listed, contact.CheckAWithB, check.SourceReceipt)
		bob.checks(ana, listed, contact.CheckBWithA, check.SourceReceipt)
		ana.checks(bob, blocked, contact.CheckUnknown, check.SourceUnknown)
		bob.blocks(ana)
		settle(time.Hour)
		ana.checks(bob, blocked, contact.CheckBWithA, check.SourceLive)
		bob.checks(ana, blocked, contact.CheckUnknown, check.SourceUnknown)
		bob.decides("disclose-blocks", "off")
		ana.checks(bob, blocked, contact.CheckUnknown, check.SourceUnknown)
	})
}

// asks has an attacker ask whether it is listed and whether it is blocked, as often
// as it is answered and more often.
func (a *attacker) asks(to *person) {
	for range 8 {
		for i, name := range []string{"listed?", "blocked?", "what?"} {
			a.says(to, check.Protocol, name, a.frame(map[int]any{1: i + 1}), true)
		}
	}
	settle(time.Hour)
}

// TestNoCheckTellsABlock compares what devices hear that ask a device which
// answers contacts, or anybody. A stranger, a removed and a blocked one get the
// same bytes, the same end, at the same moment, and as often.
func TestNoCheckTellsABlock(t *testing.T) {
	for _, audience := range []contact.Audience{contact.Nobody, contact.ContactsOnly, contact.Anyone} {
		heard := make(map[string]string)
		for _, s := range standings() {
			tell(t, func(t *testing.T, w *world) {
				victim, other := w.device("Ana"), w.device("Bob")
				victim.decides("checks", string(audience))
				s.gets(w, victim, other)
				settle(48 * time.Hour)
				a := other.turns()
				a.asks(victim)
				heard[s.name] = a.heard()
			})
		}
		for name, got := range heard {
			if got != heard["stranger"] {
				t.Errorf("%s, %s hears other than a stranger:\n%s", audience, name, differ(heard["stranger"], got))
			}
		}
		if answers := strings.Count(heard["stranger"], "03a101"); (answers > 0) != (audience == contact.Anyone) {
			t.Errorf("%s: a stranger is answered %d times", audience, answers)
		}
	}
}

// TestBlockIsToldToThoseItIsDisclosedTo, and to nobody else.
func TestBlockIsToldToThoseItIsDisclosedTo(t *testing.T) {
	for _, s := range standings() {
		tell(t, func(t *testing.T, w *world) {
			victim, other := w.device("Ana"), w.device("Bob")
			victim.decides("disclose-blocks", "on")
			s.gets(w, victim, other)
			settle(48 * time.Hour)
			a := other.turns()
			a.asks(victim)
			told := strings.Contains(a.heard(), "03a10102")
			if blocked := strings.Contains(s.name, "blocked"); told != blocked {
				t.Errorf("%s: told of a block: %v", s.name, told)
			}
		})
	}
}
