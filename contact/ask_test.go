package contact

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// asking is a statement with an ask of seed for some permissions, granting others.
func asking(seed byte, want, grants Permissions) *Statement {
	s := &Statement{Author: ODID{seed}, Subject: ODID{3 - seed}, Seq: 1, Listed: true, Grants: grants}
	if want != NoPermissions {
		s.Ask = &Ask{ID: AskID{seed}, Permissions: want, Wording: "please"}
	}
	return s
}

// answered is s with a verdict on the ask in of.
func answered(t *testing.T, s *Statement, of *Statement, v Verdict) *Statement {
	t.Helper()
	d, err := of.Ask.Digest()
	if err != nil {
		t.Fatal(err)
	}
	with := *s
	with.Answer = &Answer{d, v}
	return &with
}

func TestReply(t *testing.T) {
	const both = Messages | Audio
	unlisted := *asking(1, 0, 0)
	unlisted.Listed = false
	for _, tt := range []struct {
		name         string
		mine, theirs *Statement
		want         Verdict // 0: the user decides, or there is nothing to say
	}{
		{"nothing is said", nil, nil, 0},
		{"nothing is asked", asking(1, 0, both), asking(2, 0, 0), 0},
		{"a stranger asks", nil, asking(2, Messages, Messages), 0},
		{"one that was removed asks", &unlisted, asking(2, Messages, Messages), 0},
		{"more than is granted", asking(1, 0, Messages), asking(2, both, both), 0},
		{"what is granted", asking(1, 0, both), asking(2, Messages, Messages), Accepted},
		{"what is granted was answered", answered(t, asking(1, 0, both), asking(2, Messages, 0), Rejected), asking(2, Messages, Messages), 0},
		{"the same, crossing", asking(1, both, both), asking(2, both, both), Crossed},
		{"more, crossing", asking(1, Messages, Messages), asking(2, both, both), Crossed},
		{"less, crossing", asking(1, both, both), asking(2, Messages, Messages), Crossed},
		{"something else, crossing", asking(1, Audio, Audio), asking(2, Video, Video), 0},
		{"the same, asked here without granting it", asking(1, both, 0), asking(2, both, both), 0},
		{"the same, granted less meanwhile", asking(1, both, Audio), asking(2, Messages, Messages), 0},
		{"crossing, and the other saw it first", asking(1, both, both), answered(t, asking(2, both, both), asking(1, both, 0), Crossed), Crossed},
		{"the other accepted, then asks", asking(1, Messages, Messages), answered(t, asking(2, both, both), asking(1, Messages, 0), Accepted), 0},
		{"the other refused, then asks", asking(1, both, Messages), answered(t, asking(2, both, both), asking(1, both, 0), Rejected), 0},
		{"crossed before, and asks anew", answered(t, asking(1, both, both), asking(2, Audio, 0), Crossed),
			answered(t, asking(2, both|Video, both), asking(1, both, 0), Crossed), 0},
	} {
		v, ok := Reply(tt.mine, tt.theirs)
		if v != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: %v, %v; want %v", tt.name, v, ok, tt.want)
		}
	}
}

func TestReactTakesARefusedAskBack(t *testing.T) {
	mine := asking(1, Messages|Audio, Messages|Audio|Presence)
	for _, v := range []Verdict{Rejected, Reported} {
		got, ok := mine.React(answered(t, asking(2, 0, 0), mine, v), Audio)
		if !ok || got.Ask != nil || got.Grants != Messages|Presence {
			t.Errorf("after verdict %d: %+v, %v", v, got, ok)
		}
	}
	for _, theirs := range []*Statement{nil, asking(2, 0, 0), answered(t, asking(2, 0, Audio), mine, Accepted), answered(t, asking(2, 0, 0), asking(2, Video, 0), Rejected)} {
		if got, ok := mine.React(theirs, Audio); ok || !reflect.DeepEqual(got, *mine) {
			t.Errorf("after %+v: %+v", theirs, got)
		}
	}
}

// TestReplyNeverGives goes through all permissions of two that ask each other: no
// answer that is given without the user grants anything, and each answers the other
// the same way.
func TestReplyNeverGives(t *testing.T) {
	all := AllPermissions + 1
	for i := range uint32(all) * uint32(all) * uint32(all) * uint32(all) {
		draw := func(n int) Permissions { return Permissions(i >> (4 * n) & 15) }
		a, b := asking(1, draw(0), draw(1)), asking(2, draw(2), draw(3))
		got, ok := a.React(b, NoPermissions)
		if got.Grants != a.Grants || got.Listed != a.Listed {
			t.Fatalf("%+v\nhears %+v\nand says %+v", a, b, got)
		}
		if ok && AskStateOf(b, &got) != AskAccepted {
			t.Fatalf("%+v\nhears %+v\nand does not accept: %+v", a, b, got)
		}
		if v, _ := Reply(a, b); v == Crossed && a.Grants.Has(a.Ask.Permissions) && b.Grants.Has(b.Ask.Permissions) {
			if w, _ := Reply(b, a); w != Crossed {
				t.Fatalf("%+v and %+v cross on one side only", a, b)
			}
		}
	}
}

// TestCrossingAsksAreAcceptedInAnyOrder: whoever hears of it first, and whatever is
// lost, both asks end as accepted, with what both asked for.
func TestCrossingAsksAreAcceptedInAnyOrder(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, ids)
		var want [2]Permissions
		for i := range m.party {
			p := &m.party[i]
			want[i] = Messages | drawPermissions(t)
			m.issue(p, m.next(p).List(AddedDefault).Propose(Ask{ID: AskID{byte(i)}, Permissions: want[i], Wording: "please"}, false))
			p.marks.AddedSeq = p.marks.MineSeq
		}
		for range rapid.IntRange(0, 12).Draw(t, "messages") {
			i := rapid.IntRange(0, 1).Draw(t, "side")
			switch {
			case len(m.wire[i]) == 0 || rapid.Bool().Draw(t, "says"):
				m.say(1 - i)
			case rapid.Bool().Draw(t, "lost"):
				m.wire[i] = m.wire[i][1:]
			default:
				m.deliver(i, rapid.IntRange(0, len(m.wire[i])-1).Draw(t, "which"))
			}
		}
		m.settle()
		m.converged()
		for i := range m.party {
			v := m.party[i].view()
			if v.MyAsk != AskAccepted || v.TheirAsk != AskAccepted || v.Status != StatusAccepted {
				t.Fatalf("not accepted:\n%s", m)
			}
			if both := want[0] & want[1]; !v.Received.Has(both) || !v.Given.Has(both) {
				t.Fatalf("both asked for %v:\n%s", both, m)
			}
		}
	})
}

// TestAdmit goes through everything that Admit knows, beside its table.
func TestAdmit(t *testing.T) {
	for _, policy := range []RequestPolicy{RequestsConfirm, RequestsAny, RequestsNone} {
		p := Policy{Requests: policy, MaxWaiting: 2}
		for bits := range 256 {
			a := Asker{
				Listed: bits&1 != 0, Blocked: bits&2 != 0, Removed: bits&4 != 0, Waits: bits&8 != 0, Owes: bits&16 != 0, Bits: bits >> 5 & 1,
				Proven: bits&64 != 0,
			}
			if bits&128 != 0 {
				a.Suspicion = SuspectedReports
			}
			for a.Today = range MaxAsksPerDay + 1 {
				for waiting := range 3 {
					for _, today := range []int{0, crowdADay*2 - 1, crowdADay * 2} {
						for welcomed := range 3 {
							for _, full := range []bool{false, true} {
								c := Crowd{waiting, today, welcomed, full, 0}
								if got, want := Admit(p, a, c), admission(p, a, c); got != want {
									t.Fatalf("policy %s, %+v, %+v: %d, want %d", policy, a, c, got, want)
								}
							}
						}
					}
				}
			}
		}
	}
}

// admission is Admit's table from its end: first what a stranger gets, then who
// gets something else.
func admission(p Policy, a Asker, c Crowd) Admission {
	is := Postpone
	if a.Bits > 0 {
		is = Displace
	}
	if a.Waits || c.Waiting < 2 {
		is = Keep
	}
	if p.Requests == RequestsAny && c.Welcomed < 2 && !c.Full {
		is = Welcome
	}
	kept := Keep
	if a.Suspicion != Unsuspected {
		is, kept = Quarantine, Quarantine
	}
	if c.Today >= 8 {
		is = Postpone
	}
	if p.Requests == RequestsNone {
		is = Discard
	}
	if a.Removed {
		is = kept
	}
	if a.Blocked || a.Owes || a.Today == 3 || !a.Proven {
		is = Discard
	}
	if a.Listed {
		is = kept
	}
	return is
}

// TestRemovedAndBlockedAreToldTheSame: only a stranger is ever told to come later.
func TestRemovedAndBlockedAreToldTheSame(t *testing.T) {
	for _, policy := range []RequestPolicy{RequestsConfirm, RequestsAny, RequestsNone} {
		for bits := range 8 {
			c := Crowd{Waiting: bits & 1 * 9, Today: bits >> 1 & 1 * 99, Welcomed: bits >> 2 * 9}
			for _, a := range []Asker{{Removed: true, Proven: true}, {Blocked: true, Proven: true}, {Removed: true, Blocked: true, Proven: true}} {
				if got := Admit(Policy{Requests: policy, MaxWaiting: 1}, a, c); got == Postpone || got == Welcome {
					t.Errorf("policy %s, %+v, %+v: %d", policy, a, c, got)
				}
			}
		}
	}
}

func TestProposeAndWithdraw(t *testing.T) {
	a := Ask{ID: AskID{1}, Permissions: Audio | Video, Wording: "please"}
	for had := range AllPermissions + 1 {
		s := Statement{Listed: true, Grants: had}
		oneWay := s.Propose(a, true)
		asked := s.Propose(a, false)
		if oneWay.Grants != had || oneWay.Ask == nil || asked.Grants != had|Audio|Video || s.Ask != nil {
			t.Fatal(fmt.Sprint(oneWay, asked, s))
		}
		if back := asked.Withdraw(asked.Grants &^ had); !reflect.DeepEqual(back, s) {
			t.Fatalf("%+v, want %+v", back, s)
		}
	}
}
