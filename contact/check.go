package contact

// Question is what a check asks about this device, A, and another one, B.
type Question uint8

const (
	// QuestionListed asks which of the two has the other on its contact list.
	QuestionListed Question = 1 + iota
	// QuestionBlocked asks which of the two blocks the other.
	QuestionBlocked
)

// Fact is what is known of one half of a check.
type Fact uint8

const (
	FactUnknown Fact = iota
	FactNo
	FactYes
)

// CheckResult is what comes of a check.
type CheckResult uint8

const (
	CheckUnknown    CheckResult = iota // B's half is not known
	CheckNoRelation                    // neither lists the other, or, one-way, A does not list B
	CheckNo                            // the same of a block
	CheckAWithB                        // only A does, or, one-way, A does
	CheckBWithA                        // only B does
	CheckBothWay                       // both do
)

var checkResultNames = [...]string{"unknown", "no_relation", "no", "a_with_b", "b_with_a", "both_way"}

func (r CheckResult) String() string { return checkResultNames[r] }

// CheckOneWay answers from this device's own list alone.
func CheckOneWay(q Question, a bool) CheckResult {
	if a {
		return CheckAWithB
	}
	return neither(q)
}

// CheckTwoWay puts the two halves of a check together. Without B's there is no
// answer: half of one would be taken for a whole.
func CheckTwoWay(q Question, a bool, b Fact) CheckResult {
	switch {
	case b == FactUnknown:
		return CheckUnknown
	case a && b == FactYes:
		return CheckBothWay
	case a:
		return CheckAWithB
	case b == FactYes:
		return CheckBWithA
	}
	return neither(q)
}

func neither(q Question) CheckResult {
	if q == QuestionBlocked {
		return CheckNo
	}
	return CheckNoRelation
}

// Sides is what two devices say of each other, as this one holds it; nil for
// what was never said.
type Sides struct {
	Mine, Theirs *Statement
	Marks        Marks
}

// Own is A's half: what this device itself says.
func (s Sides) Own(q Question) bool {
	blocked := s.Marks.Blocked || s.Marks.Reported
	if q == QuestionBlocked {
		return blocked
	}
	return !blocked && s.Mine != nil && s.Mine.Listed
}

// Receipt is B's half as its newest statement tells it. No statement tells of a
// block.
func (s Sides) Receipt(q Question) Fact {
	switch {
	case q != QuestionListed || s.Theirs == nil:
		return FactUnknown
	case s.Theirs.Listed:
		return FactYes
	}
	return FactNo
}

// AnswerCheck is what the party that asks is told, once Allow let it in. Unless
// the user discloses blocks every question about one gets the same answer, of
// whoever it is, and a blocked device hears of the list what any stranger hears.
// A question that is not known here is not answered with a guess.
func AnswerCheck(q Question, p Party) Fact {
	if q == QuestionBlocked && !p.Policy.DiscloseBlocks || q != QuestionBlocked && q != QuestionListed {
		return FactUnknown
	}
	if (Sides{Mine: p.Mine, Marks: p.Marks}).Own(q) {
		return FactYes
	}
	return FactNo
}
