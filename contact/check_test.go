package contact

import "testing"

// TestCheckIsTheTable goes through both halves of a check.
func TestCheckIsTheTable(t *testing.T) {
	for _, tt := range []struct {
		a            bool
		b            Fact
		oneWay, both string
	}{
		{false, FactNo, "neither", "neither"},
		{false, FactYes, "neither", "b_with_a"},
		{false, FactUnknown, "neither", "unknown"},
		{true, FactNo, "a_with_b", "a_with_b"},
		{true, FactYes, "a_with_b", "both_way"},
		{true, FactUnknown, "a_with_b", "unknown"},
	} {
		for q, neither := range map[Question]string{QuestionListed: "no_relation", QuestionBlocked: "no"} {
			word := func(w string) string {
				if w == "neither" {
					return neither
				}
				return w
			}
			if got := CheckOneWay(q, tt.a).String(); got != word(tt.oneWay) {
				t.Errorf("one-way, question %d, %v: %s, want %s", q, tt.a, got, word(tt.oneWay))
			}
			if got := CheckTwoWay(q, tt.a, tt.b).String(); got != word(tt.both) {
				t.Errorf("two-way, question %d, %v, %d: %s, want %s", q, tt.a, tt.b, got, word(tt.both))
			}
		}
	}
}

// TestBothEndsCheckTheSame: what A finds of B, B finds of A the other way round.
func TestBothEndsCheckTheSame(t *testing.T) {
	fact := map[bool]Fact{false: FactNo, true: FactYes}
	turned := map[CheckResult]CheckResult{CheckAWithB: CheckBWithA, CheckBWithA: CheckAWithB}
	for _, q := range []Question{QuestionListed, QuestionBlocked} {
		for bits := range 4 {
			a, b := bits&1 != 0, bits&2 != 0
			got, other := CheckTwoWay(q, a, fact[b]), CheckTwoWay(q, b, fact[a])
			if want, differs := turned[got]; differs && other != want || !differs && other != got {
				t.Errorf("question %d: A finds %v, B finds %v", q, got, other)
			}
		}
	}
}

func TestHalvesOfACheck(t *testing.T) {
	listed, unlisted := &Statement{Seq: 1, Listed: true}, &Statement{Seq: 1}
	for _, tt := range []struct {
		name            string
		sides           Sides
		lists, blocks   bool
		receipt, blocky Fact
	}{
		{"nothing", Sides{}, false, false, FactUnknown, FactUnknown},
		{"both listed", Sides{Mine: listed, Theirs: listed}, true, false, FactYes, FactUnknown},
		{"removed here", Sides{Mine: unlisted, Theirs: listed, Marks: Marks{Removed: true}}, false, false, FactYes, FactUnknown},
		{"removed there", Sides{Mine: listed, Theirs: unlisted}, true, false, FactNo, FactUnknown},
		{"blocked here", Sides{Mine: unlisted, Theirs: listed, Marks: Marks{Blocked: true}}, false, true, FactYes, FactUnknown},
		{"blocked, not said yet", Sides{Mine: listed, Marks: Marks{Blocked: true}}, false, true, FactUnknown, FactUnknown},
		{"reported here", Sides{Mine: unlisted, Marks: Marks{Reported: true}}, false, true, FactUnknown, FactUnknown},
	} {
		if got := tt.sides.Own(QuestionListed); got != tt.lists {
			t.Errorf("%s: lists %v", tt.name, got)
		}
		if got := tt.sides.Own(QuestionBlocked); got != tt.blocks {
			t.Errorf("%s: blocks %v", tt.name, got)
		}
		if got := tt.sides.Receipt(QuestionListed); got != tt.receipt {
			t.Errorf("%s: receipt %v", tt.name, got)
		}
		if got := tt.sides.Receipt(QuestionBlocked); got != tt.blocky {
			t.Errorf("%s: receipt of a block %v", tt.name, got)
		}
	}
}

// TestAnswersTellNoBlock: unless blocks are disclosed, no answer depends on one. A
// blocked device hears what a removed one and a stranger hear.
func TestAnswersTellNoBlock(t *testing.T) {
	for _, p := range parties() {
		for _, q := range []Question{0, QuestionListed, QuestionBlocked, 3, 255} {
			got := AnswerCheck(q, p)
			listed := !isBlocked(p) && p.Mine != nil && p.Mine.Listed
			want := FactUnknown
			switch {
			case q == QuestionListed:
				want = FactNo
				if listed {
					want = FactYes
				}
			case q == QuestionBlocked && p.Policy.DiscloseBlocks:
				want = FactNo
				if isBlocked(p) {
					want = FactYes
				}
			}
			if got != want {
				t.Fatalf("%+v is told %d of question %d, want %d", p, got, q, want)
			}
			if p.Policy.DiscloseBlocks || q != QuestionBlocked {
				continue
			}
			if stranger := (Party{Policy: p.Policy}); AnswerCheck(q, stranger) != got {
				t.Fatalf("%+v is told %d, a stranger is told other", p, got)
			}
		}
	}
}
