package contact

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSpare(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	link := func(name byte, trust Trust, since time.Duration, used ...time.Duration) Link {
		l := Link{Peer: ODID{name}, Trust: trust, Since: ago(since)}
		for _, u := range used {
			l.Used = ago(u)
		}
		return l
	}
	hour := time.Hour
	for name, tt := range map[string]struct {
		links  []Link
		budget int
		want   string
	}{
		"within the budget":              {[]Link{link('a', Untrusted, hour), link('b', Untrusted, hour)}, 2, ""},
		"the older stays":                {[]Link{link('a', Untrusted, 2*hour), link('b', Untrusted, hour)}, 1, "b"},
		"paired before untrusted":        {[]Link{link('a', Untrusted, 9*hour), link('b', Paired, hour)}, 1, "a"},
		"used before paired":             {[]Link{link('a', Paired, 9*hour), link('b', Untrusted, hour, 50*time.Minute)}, 1, "a"},
		"used long ago counts for less":  {[]Link{link('a', Paired, 9*hour), link('b', Untrusted, 9*hour, 2*hour)}, 1, "b"},
		"the last used stays":            {[]Link{link('a', Paired, 9*hour, 20*time.Minute), link('b', Untrusted, hour, 10*time.Minute)}, 1, "a"},
		"in use":                         {[]Link{link('a', Untrusted, hour, time.Second), link('b', Paired, 9*hour)}, 1, "b"},
		"all in use":                     {[]Link{link('a', Untrusted, hour, time.Second), link('b', Paired, 9*hour, 2*time.Second)}, 1, ""},
		"new ones are left alone":        {[]Link{link('a', Untrusted, time.Second), link('b', Paired, 9*hour)}, 1, ""},
		"new ones alone":                 {[]Link{link('a', Untrusted, time.Second), link('b', Untrusted, 2*time.Second)}, 1, ""},
		"busy":                           {[]Link{{Peer: ODID{'a'}, Since: ago(hour), Busy: true}, link('b', Paired, 9*hour, 5*time.Minute)}, 1, ""},
		"equals, by ODID, and no budget": {[]Link{link('b', Paired, hour), link('a', Paired, hour)}, 0, "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, peer := range Spare(tt.links, tt.budget, now) {
				got += string(peer[:1])
			}
			if got != tt.want {
				t.Errorf("ends %q, want %q", got, tt.want)
			}
		})
	}
}

// Ending what is to be ended leaves nothing to end, and who stays once stays when
// somebody comes who is no better: connections do not take turns.
func TestSpareComesToRest(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "links")
		budget := rapid.IntRange(0, 40).Draw(t, "budget")
		var links []Link
		for i := range n {
			l := Link{Peer: ODID{byte(i)}, Trust: Untrusted, Since: now.Add(-time.Duration(rapid.IntRange(0, 7200).Draw(t, "since")) * time.Second)}
			if rapid.Bool().Draw(t, "paired") {
				l.Trust = Paired
			}
			if rapid.Bool().Draw(t, "used") {
				l.Used = now.Add(-time.Duration(rapid.IntRange(0, 7200).Draw(t, "age")) * time.Second)
			}
			l.Busy = rapid.IntRange(0, 9).Draw(t, "busy") == 0
			links = append(links, l)
		}
		before := fmt.Sprint(links)
		end := Spare(links, budget, now)
		if fmt.Sprint(links) != before {
			t.Fatal("its argument was changed")
		}
		if len(end) > max(n-budget, 0) {
			t.Fatalf("%d of %d ended with a budget of %d", len(end), n, budget)
		}
		kept := slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return slices.Contains(end, l.Peer) })
		if again := Spare(kept, budget, now); len(again) > 0 {
			t.Fatalf("then %d more", len(again))
		}
		if len(kept) > budget || budget == 0 {
			return
		}
		later := now.Add(time.Minute)
		newcomer := Link{Peer: ODID{255}, Trust: Untrusted, Since: now.Add(time.Second)}
		for _, peer := range Spare(append(kept, newcomer), budget, later) {
			if peer != newcomer.Peer {
				t.Fatalf("%x made room for a newcomer", peer[:1])
			}
		}
	})
}
