package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// written returns a ledger of some accepted messages, and the history that both
// sides should have of them.
func written(n int) (*ledger, []item) {
	l := newLedger(2)
	var all []item
	for i := range n {
		id := fmt.Sprint("id", i)
		text := l.compose(id, i%2)
		l.accept(id)
		all = append(all, item{id, text, "delivered"})
	}
	return l, all
}

// Each kind of fault that a run is there to find must be found when it is there.
func TestCheckerSeesEveryFault(t *testing.T) {
	l, all := written(20)
	if err := l.settled(all, slices.Clone(all)); err != nil {
		t.Fatalf("nothing is wrong: %v", err)
	}
	for name, c := range map[string]struct {
		damage func([]item) []item
		want   string
	}{
		"lost at the end":   {func(h []item) []item { return h[:19] }, "accepted, but not at the receiver"},
		"lost in between":   {func(h []item) []item { return slices.Delete(h, 5, 6) }, "where"},
		"twice":             {func(h []item) []item { return append(h, h[3]) }, "twice"},
		"out of order":      {func(h []item) []item { h[4], h[6] = h[6], h[4]; return h }, "is due"},
		"other order":       {func(h []item) []item { h[4], h[5] = h[5], h[4]; return h }, "not in that order"},
		"phantom":           {func(h []item) []item { return append(h, item{"id99", "0 10 xx", "received"}) }, "never sent"},
		"torn":              {func(h []item) []item { h[7].text = h[7].text[:50]; return h }, "reads"},
		"gap where one was": {func(h []item) []item { h[7] = item{"id99", "", "received"}; return h }, "never sent"},
	} {
		t.Run(name, func(t *testing.T) {
			err := l.settled(all, c.damage(slices.Clone(all)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
	late := slices.Clone(all)
	late[2].state = "queued"
	if err := l.settled(late, all); err == nil {
		t.Error("a message that arrived and stays queued was not seen")
	}
	if err := holds([]string{"id1", "id30"}, all); err == nil {
		t.Error("a lost message was not seen")
	}
}
