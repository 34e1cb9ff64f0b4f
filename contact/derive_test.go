package contact

import (
	"fmt"
	"strings"
	"testing"
)

// statusTable says in words what Derive must say: who lists whom, how the other's
// ask stands, and what the device keeps of a removal. The first row that fits
// counts; * fits all.
const statusTable = `
	mine      theirs    their ask  removed  is
	listed    listed    *          *        accepted
	listed    unlisted  *          *        pending
	listed    none      *          *        pending
	*         *         open       no       pending incoming
	*         *         *          yes      removed
	*         *         *          no       none
`

type statusRow struct{ mine, theirs, ask, removed, is string }

func statusRows(t *testing.T) []statusRow {
	t.Helper()
	var rows []statusRow
	for line := range strings.Lines(statusTable) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "mine" {
			continue
		}
		rows = append(rows, statusRow{f[0], f[1], f[2], f[3], strings.Join(f[4:], " ")})
	}
	if len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows
}

// side is one statement in words.
type side struct {
	listed string // none, unlisted, listed
	pair   string // "", P, Q
	ask    string // "", X
	answer string // "", accepted, crossed, rejected, reported: to the other's ask X; other: to another ask
	grants Permissions
	part   bool
}

func sides() []side {
	all := []side{{listed: "none"}}
	for _, listed := range []string{"unlisted", "listed"} {
		for _, ask := range []string{"", "X"} {
			for _, answer := range []string{"", "accepted", "crossed", "rejected", "reported", "other"} {
				if listed == "unlisted" {
					all = append(all, side{listed: listed, ask: ask, answer: answer}, side{listed: listed, ask: ask, answer: answer, part: true})
					continue
				}
				for _, pair := range []string{"", "P", "Q"} {
					for _, grants := range []Permissions{0, Messages, AllPermissions} {
						all = append(all, side{listed, pair, ask, answer, grants, false})
					}
				}
			}
		}
	}
	return all
}

func pairID(name string) *PairID {
	if name == "" {
		return nil
	}
	return &PairID{name[0]}
}

// ask is what the device of seed asks.
func ask(seed byte) Ask {
	return Ask{ID: AskID{seed}, Permissions: Messages, Wording: "please"}
}

func (s side) statement(t *testing.T, author, subject byte) *Statement {
	t.Helper()
	if s.listed == "none" {
		return nil
	}
	st := &Statement{Seq: 1, Listed: s.listed == "listed", Grants: s.grants, Pair: pairID(s.pair)}
	st.Author, st.Subject = ODID{author}, ODID{subject}
	if s.part {
		st.Part = 1
	}
	if s.ask != "" {
		a := ask(author)
		st.Ask = &a
	}
	if s.answer != "" {
		asked := ask(subject)
		verdict := map[string]Verdict{"accepted": Accepted, "crossed": Crossed, "rejected": Rejected, "reported": Reported, "other": Accepted}[s.answer]
		if s.answer == "other" {
			asked.Wording = "something else"
		}
		d, err := asked.Digest()
		if err != nil {
			t.Fatal(err)
		}
		st.Answer = &Answer{d, verdict}
	}
	return st
}

// askWord says how the ask of asker stands, by the words of the table.
func askWord(asker, asked side) string {
	switch {
	case asker.ask == "":
		return "none"
	case asked.answer == "" || asked.answer == "other":
		return "open"
	case asked.answer == "crossed":
		return "accepted"
	}
	return asked.answer
}

var askWords = map[AskState]string{AskNone: "none", AskOpen: "open", AskAccepted: "accepted", AskRejected: "rejected", AskReported: "reported"}

// TestDeriveIsTheTable goes through every pair of statements and marks.
func TestDeriveIsTheTable(t *testing.T) {
	rows := statusRows(t)
	used := make(map[string]int)
	cases := 0
	for _, mine := range sides() {
		mineStatement := mine.statement(t, 1, 2)
		for _, theirs := range sides() {
			theirStatement := theirs.statement(t, 2, 1)
			for bits := range 32 {
				m := Marks{Removed: bits&1 != 0, Blocked: bits&2 != 0, Reported: bits&4 != 0}
				if bits&8 != 0 {
					m.OldPair = pairID("P")
				}
				if bits&16 != 0 {
					m.AckedSeq = 1
				}
				v := Derive(mineStatement, theirStatement, m)
				cases++
				name := func() string { return fmt.Sprintf("mine %+v, theirs %+v, marks %+v: %+v", mine, theirs, m, v) }

				if m.Reported || m.Blocked {
					want := StatusBlocked
					if m.Reported {
						want = StatusReported
					}
					if v != (View{Status: want, Trust: Untrusted}) {
						t.Fatalf("%s, want nothing but %v", name(), want)
					}
					continue
				}
				is := ""
				for _, r := range rows {
					fits := func(pattern, value string) bool { return pattern == "*" || pattern == value }
					removed := "no"
					if m.Removed {
						removed = "yes"
					}
					if fits(r.mine, mine.listed) && fits(r.theirs, theirs.listed) && fits(r.ask, askWord(theirs, mine)) && fits(r.removed, removed) {
						is = r.is
						break
					}
				}
				used[is]++
				got := v.Status.String()
				if v.Incoming {
					got += " incoming"
				}
				if got != is {
					t.Fatalf("%s is %q, want %q", name(), got, is)
				}

				both := mine.listed == "listed" && theirs.listed == "listed"
				samePair := mine.pair != "" && (mine.pair == theirs.pair || theirs.pair == "P" && m.OldPair != nil && m.AckedSeq == 0)
				if (v.Trust == Paired) != (both && samePair) || v.Trust != Paired && v.Trust != Untrusted {
					t.Fatalf("%s: trust", name())
				}
				wantGiven, wantReceived := mine.grants, Permissions(0)
				if both {
					wantReceived = theirs.grants
				}
				if v.Given != wantGiven || v.Received != wantReceived {
					t.Fatalf("%s: given %v, want %v; received %v, want %v", name(), v.Given, wantGiven, v.Received, wantReceived)
				}
				left := mine.listed == "listed" && theirs.listed == "unlisted" && theirs.answer == ""
				if v.Left != left || v.Parts != (left && theirs.part) {
					t.Fatalf("%s: left, want %v", name(), left)
				}
				if askWords[v.MyAsk] != askWord(mine, theirs) || askWords[v.TheirAsk] != askWord(theirs, mine) {
					t.Fatalf("%s: asks, want %s and %s", name(), askWord(mine, theirs), askWord(theirs, mine))
				}
			}
		}
	}
	for _, is := range []string{"accepted", "pending", "pending incoming", "removed", "none"} {
		if used[is] == 0 {
			t.Errorf("no case is %q", is)
		}
	}
	if cases < 100_000 {
		t.Errorf("%d cases", cases)
	}
}

func TestNoTrustOrPermissionWithoutBeingListed(t *testing.T) {
	for _, mine := range sides() {
		for _, theirs := range sides() {
			m := Marks{OldPair: pairID("P")}
			v := Derive(mine.statement(t, 1, 2), theirs.statement(t, 2, 1), m)
			if mine.listed != "listed" && (v.Given != 0 || v.Received != 0 || v.Trust != Untrusted) {
				t.Fatalf("mine %+v, theirs %+v: %+v", mine, theirs, v)
			}
		}
	}
}

// TestBothSidesDeriveTheSame: once each holds the other's newest statement, they
// agree, whatever the statements are.
func TestBothSidesDeriveTheSame(t *testing.T) {
	for _, a := range sides() {
		for _, b := range sides() {
			sa, sb := a.statement(t, 1, 2), b.statement(t, 2, 1)
			va, vb := Derive(sa, sb, Marks{}), Derive(sb, sa, Marks{})
			if va.Trust != vb.Trust || (va.Status == StatusAccepted) != (vb.Status == StatusAccepted) ||
				va.MyAsk != vb.TheirAsk || va.TheirAsk != vb.MyAsk {
				t.Fatalf("a %+v: %+v\nb %+v: %+v", a, va, b, vb)
			}
			if va.Status == StatusAccepted && (va.Given != vb.Received || va.Received != vb.Given) {
				t.Fatalf("a %+v: %+v\nb %+v: %+v", a, va, b, vb)
			}
		}
	}
}

func TestWordsOfStates(t *testing.T) {
	want := "none pending accepted blocked reported removed"
	var got []string
	for s := StatusNone; s <= StatusRemoved; s++ {
		got = append(got, s.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if Untrusted.String() != "untrusted" || Paired.String() != "paired" || Trust(2).String() != "untrusted" {
		t.Error("trust")
	}
}
