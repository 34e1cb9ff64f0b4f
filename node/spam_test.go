package node_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/spam"
)

// meets has both know each other paired.
func (p *person) meets(o *person) {
	p.t.Helper()
	p.types(o, o.showsCode())
}

// asks adds o with a wording.
func (p *person) asks(o *person, wording string) {
	p.t.Helper()
	_, _, err := p.Relation.Add(o.id.Self(), relation.AddOptions{Wording: wording, Ask: contact.Messages})
	p.try(err)
	settle(time.Minute)
}

// reports reports the request of o.
func (p *person) reports(o *person, how relation.Answer) {
	p.t.Helper()
	how.Response = relation.Report
	_, failed, err := p.Relation.Answer([]string{o.id.Self().String()}, false, how)
	p.try(errors.Join(append(failed, err)...))
	settle(time.Minute)
}

func (p *person) lists(waiting, held int) {
	p.t.Helper()
	in, err := p.Relation.Requests(true)
	p.try(err)
	q, err := p.Relation.Quarantine()
	p.try(err)
	badge, err := p.Relation.Waiting()
	p.try(err)
	if len(in) != waiting || badge != waiting || len(q) != held {
		p.t.Fatalf("%s has %d waiting (badge %d) and %d in quarantine, want %d and %d", p.name, len(in), badge, len(q), waiting, held)
	}
}

func (p *person) holds(n int) {
	p.t.Helper()
	list, err := p.Spam.Reports()
	p.try(err)
	if len(list) != n {
		p.t.Fatalf("%s holds %d reports, want %d: %+v", p.name, len(list), n, list)
	}
}

// journalled returns the events of the journal of these types.
func (p *person) journalled(types ...contact.EventType) (list []contact.Event) {
	p.t.Helper()
	entries, err := p.db.Events(0, 10_000)
	p.try(err)
	for _, e := range entries {
		if slices.Contains(types, e.Event.Type) {
			list = append(list, e.Event)
		}
	}
	return list
}

// Three paired contacts report a device; its request goes to quarantine, unseen, over
// restarts, until it is released.
func TestThreeReportsQuarantine(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, spammer := w.device("Ana"), w.device("Spam")
		friends := []*person{w.device("Bob"), w.device("Cleo"), w.device("Dora")}
		for i, f := range friends {
			f.meets(ana)
			spammer.asks(f, "Buy my stuff, "+f.name)
			f.lists(1, 0)
			ana.holds(i)
			f.reports(spammer, relation.Answer{})
			f.lists(0, 0)
			f.sees(spammer, contact.StatusReported, contact.Untrusted)
			ana.holds(i + 1)
		}
		spammer.lists(0, 0)
		list, err := ana.Spam.Reports()
		ana.try(err)
		for _, r := range list {
			if r.ODID != spammer.id.Self() || !r.Counts || r.Wording != "" {
				t.Errorf("%+v", r)
			}
		}
		if n := len(spammer.journalled(contact.RequestReported)); n != 3 {
			t.Errorf("the spammer was told %d times", n)
		}
		out, err := spammer.Relation.Requests(false)
		spammer.try(err)
		if len(out) != 0 {
			t.Errorf("it still asks %+v", out)
		}
	})
}

// The fourth one asked hears nothing of it: what waits already goes, too.
func TestQuarantineOfWhatWaitsAndRelease(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, spammer := w.device("Ana"), w.device("Spam")
		spammer.asks(ana, "Buy my stuff, Ana")
		ana.lists(1, 0)
		for _, f := range []*person{w.device("Bob"), w.device("Cleo"), w.device("Dora")} {
			f.meets(ana)
			spammer.asks(f, "Buy my stuff, "+f.name)
			f.reports(spammer, relation.Answer{WithWording: f.name == "Bob", NoTell: f.name == "Dora"})
		}
		ana.lists(0, 1)
		ana.halts()
		ana.starts()
		ana.lists(0, 1)
		q, err := ana.Relation.Quarantine()
		ana.try(err)
		if q[0].Held != contact.SuspectedReports || time.Until(q[0].Until) < 89*24*time.Hour {
			t.Errorf("%+v", q[0])
		}
		failed, err := ana.Relation.Release([]string{spammer.id.Self().String(), "nobody"})
		ana.try(err)
		if failed[0] != nil || !errors.Is(failed[1], relation.ErrRequest) {
			t.Errorf("%v", failed)
		}
		ana.lists(1, 0)
		settle(3 * time.Hour)
		ana.lists(1, 0)
		if n := len(ana.journalled(contact.RequestQuarantined)); n != 1 {
			t.Errorf("told of %d", n)
		}
	})
}

// A withdrawn report counts no more, and telling it again changes nothing.
func TestUnblockWithdrawsTheReport(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, spammer := w.device("Ana"), w.device("Spam")
		spammer.asks(ana, "Buy my stuff, Ana")
		friends := []*person{w.device("Bob"), w.device("Cleo"), w.device("Dora")}
		for _, f := range friends {
			f.meets(ana)
			spammer.asks(f, "Buy my stuff, "+f.name)
			f.reports(spammer, relation.Answer{NoTell: true})
		}
		ana.lists(0, 1)
		friends[0].unblocks(spammer)
		settle(time.Minute)
		ana.holds(2)
		ana.lists(1, 0)
		friends[1].try(friends[1].Spam.TakeBack(spammer.id.Self()))
		settle(time.Minute)
		friends[1].sees(spammer, contact.StatusReported, contact.Untrusted)
		ana.holds(1)
		if err := friends[1].Spam.TakeBack(spammer.id.Self()); !errors.Is(err, spam.ErrNoReport) {
			t.Errorf("taken back twice: %v", err)
		}
	})
}

// A report waits for a contact that is away, over restarts of both, and is told once.
func TestReportWaitsForAContact(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, spammer := w.device("Ana"), w.device("Bob"), w.device("Spam")
		bob.meets(ana)
		ana.halts()
		spammer.asks(bob, "Buy my stuff")
		bob.reports(spammer, relation.Answer{})
		bob.crashes()
		bob.starts()
		settle(24 * time.Hour)
		ana.starts()
		settle(time.Hour)
		ana.holds(1)
		if n := bob.Spam.Counts().Told; n != 1 {
			t.Errorf("told %d times", n)
		}
		ana.halts()
		bob.halts()
		spammer.halts()
		settle(91 * 24 * time.Hour)
		ana.starts()
		bob.starts()
		ana.holds(0)
		bob.holds(0)
	})
}

// What the user does not share stays here, and who is not to be told is not.
func TestReportWithoutAWord(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, spammer := w.device("Ana"), w.device("Bob"), w.device("Spam")
		bob.meets(ana)
		spammer.asks(bob, "Buy my stuff")
		bob.reports(spammer, relation.Answer{NoTell: true, NoShare: true})
		settle(24 * time.Hour)
		ana.holds(0)
		bob.holds(1)
		if n := len(spammer.journalled(contact.RequestReported, contact.RequestRejected)); n != 0 {
			t.Errorf("it was told %d things", n)
		}
		out, err := spammer.Relation.Requests(false)
		spammer.try(err)
		if len(out) != 1 || !out[0].Told {
			t.Errorf("it sees %+v", out)
		}
	})
}

// A device whose asks three others report asks nothing for a week, and says so.
func TestAsksAreLocked(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		eager := w.device("Eager")
		for i, name := range []string{"Bob", "Cleo", "Dora"} {
			f := w.device(name)
			eager.asks(f, "Let us meet, "+name)
			if n := len(eager.journalled(contact.AsksLocked)); n != 0 {
				t.Fatalf("locked after %d", i)
			}
			f.reports(eager, relation.Answer{})
		}
		locked := eager.journalled(contact.AsksLocked)
		if len(locked) != 1 {
			t.Fatalf("%+v", locked)
		}
		l, err := eager.Spam.Lock()
		eager.try(err)
		if left := time.Until(l.Until); left < 6*24*time.Hour || left > contact.LockTime || locked[0].Detail != l.Until.UTC().Format(time.RFC3339) {
			t.Errorf("%+v, %+v", l, locked)
		}
		late := w.device("Late")
		_, _, err = eager.Relation.Add(late.id.Self(), relation.AddOptions{Wording: "and you?", Ask: contact.Messages})
		if !errors.Is(err, relation.ErrLocked) || !strings.Contains(err.Error(), "locked until 2") {
			t.Errorf("asked: %v", err)
		}
		eager.halts()
		eager.starts()
		eager.adds(late, "without a word")
		if _, err := eager.Relation.Ask(late.id.Self(), relation.AskOptions{Permissions: contact.Audio, Wording: "may I?"}); !errors.Is(err, relation.ErrLocked) {
			t.Errorf("asked a contact: %v", err)
		}
		settle(contact.LockTime)
		if n := len(eager.journalled(contact.AsksUnlocked)); n != 1 {
			t.Errorf("unlocked %d times", n)
		}
		if _, err := eager.Relation.Ask(late.id.Self(), relation.AskOptions{Permissions: contact.Audio, Wording: "may I?"}); err != nil {
			t.Errorf("a week later: %v", err)
		}
	})
}

// Reports on a paired contact warn, and change nothing.
func TestReportsOnAPairedContactOnlyWarn(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, zoe := w.device("Ana"), w.device("Zoe")
		zoe.meets(ana)
		for _, f := range []*person{w.device("Bob"), w.device("Cleo"), w.device("Dora")} {
			f.meets(ana)
			zoe.asks(f, "Join us, "+f.name)
			f.reports(zoe, relation.Answer{NoTell: true})
		}
		list, err := ana.Spam.Reports()
		ana.try(err)
		for _, r := range list {
			if !r.Paired || r.Counts {
				t.Errorf("%+v", r)
			}
		}
		if len(list) != 3 {
			t.Errorf("%d reports", len(list))
		}
		ana.sees(zoe, contact.StatusAccepted, contact.Paired)
		_, err = zoe.Relation.Ask(ana.id.Self(), relation.AskOptions{Permissions: contact.Audio, Wording: "may I call?"})
		zoe.try(err)
		settle(time.Minute)
		ana.lists(1, 0)
	})
}
