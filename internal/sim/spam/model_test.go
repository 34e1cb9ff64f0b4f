package main

import "testing"

// TestPairedContactsHelp: with the same spammers, who has more paired contacts sees less.
func TestPairedContactsHelp(t *testing.T) {
	for _, spammers := range []int{1, 10} {
		var seen []float64
		for _, paired := range []int{0, 3, 10} {
			s := mean(scene{Paired: paired, Spammers: spammers}, 1, 2)
			seen = append(seen, s.Seen/s.Sent)
		}
		if seen[2] >= seen[0] || seen[2] >= seen[1] {
			t.Errorf("%d spammers: seen with 0, 3 and 10 paired contacts: %.3f", spammers, seen)
		}
	}
}

// TestSameWordingIsSeenByFewer: whatever else, the same wording of many is seen less
// than wordings of their own.
func TestSameWordingIsSeenByFewer(t *testing.T) {
	own := mean(scene{Spammers: 100}, 1, 1)
	same := mean(scene{Spammers: 100, Copies: true}, 1, 1)
	if same.Seen >= own.Seen/2 {
		t.Errorf("%.0f of the same wording are seen, %.0f of their own", same.Seen, own.Seen)
	}
}

// TestWhoHurtsTheHonest: unpaired devices nobody at all, three contacts that conspire
// some, and two of them nobody by themselves.
func TestWhoHurtsTheHonest(t *testing.T) {
	calm := mean(scene{Paired: 10}, 1, 2)
	if brigade := mean(scene{Paired: 10, Brigade: 50}, 1, 2); brigade != calm {
		t.Errorf("a brigade changes something: %+v, without %+v", brigade, calm)
	}
	if calm.Hurt > calm.Honest/1000 {
		t.Errorf("without one: %+v", calm)
	}
	if three := mean(scene{Paired: 10, Colluder: 3}, 1, 2); three.Hurt <= calm.Hurt {
		t.Errorf("three contacts that conspire hurt nobody: %+v", three)
	}
}

// TestOneSeedHasOneOutcome.
func TestOneSeedHasOneOutcome(t *testing.T) {
	s := scene{Paired: 3, Spammers: 10}
	if a, b := play(s, 5), play(s, 5); a != b {
		t.Errorf("%+v, then %+v", a, b)
	}
}
