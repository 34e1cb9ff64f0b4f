package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func smallRand() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

func small() Scenario {
	s := usual(400, 40, 0.3)
	s.Budget, s.Tracked, s.Warm, s.Measured = 12, 40, 30*time.Minute, 45*time.Minute
	s.Online, s.Session, s.Seed = 0.5, time.Hour, 5
	return s
}

func TestOneSeedHasOneOutcome(t *testing.T) {
	play := func() string {
		r, err := run(small(), costs{})
		if err != nil {
			t.Fatal(err)
		}
		r.Took, r.Memory = 0, 0
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if a, b := play(), play(); a != b {
		t.Errorf("two runs of one seed differ:\n%s\n%s", a, b)
	}
}

// What a sample of the origins says is what all say.
func TestSampleStandsForAll(t *testing.T) {
	s := small()
	part, err := run(s, costs{})
	if err != nil {
		t.Fatal(err)
	}
	s.Tracked = s.Devices
	all, err := run(s, costs{})
	if err != nil {
		t.Fatal(err)
	}
	for name, tolerance := range map[string]float64{"beacons": 0.15, "interest": 0.05, "keep-alive": 0.05} {
		if off := part.BytesBy[name]/all.BytesBy[name] - 1; math.Abs(off) > tolerance {
			t.Errorf("bytes of %s: %.0f of a sample, %.0f of all, at most %.0f %% off", name, part.BytesBy[name], all.BytesBy[name], 100*tolerance)
		}
	}
	// Claims that go together in one frame are alone in it if few are followed.
	if part.BytesBy["digests"] < 0.85*all.BytesBy["digests"] {
		t.Errorf("bytes of digests: %.0f of a sample, %.0f of all", part.BytesBy["digests"], all.BytesBy["digests"])
	}
}

func TestShortScenarioKeepsTheBars(t *testing.T) {
	s := small()
	s.Name, s.Online, s.Session, s.Changes, s.Overlap, s.Budget = "short", 1, 0, 4, 0.6, 20
	s.Bars = []string{barReach, barIdle, barCost}
	r, err := run(s, costs{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Missed {
		t.Error(m)
	}
	if r.Changes < 20 || r.Links < 10 || r.Right < 0.99 {
		t.Errorf("%d changes, %.1f connections, %.3f right", r.Changes, r.Links, r.Right)
	}
}

func TestBarsAreMissed(t *testing.T) {
	r := Result{Scenario: Scenario{Bars: []string{barReach, barIdle, barCost}}, Reached: 0.99, PerLink: 2001, PerChange: 1.6}
	if got := r.missed(); len(got) != 3 {
		t.Errorf("missed %q", got)
	}
	r = Result{Scenario: r.Scenario, Reached: 0.999, PerLink: 2000, PerChange: 1.5}
	if got := r.missed(); len(got) != 0 {
		t.Errorf("missed %q", got)
	}
}

func TestAcquaintancesAreAsDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contacts := rapid.IntRange(30, 60).Draw(t, "contacts")
		overlap := rapid.Float64Range(0.1, 0.6).Draw(t, "overlap")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		lists, err := acquaintances(rng, 1500, contacts, overlap)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for i, l := range lists {
			sum += len(l)
			for _, j := range l {
				if _, ok := slices.BinarySearch(lists[j], int32(i)); !ok || int(j) == i {
					t.Fatalf("%d has %d as a contact, and not the other way", i, j)
				}
			}
		}
		if mean := float64(sum) / 1500; math.Abs(mean-float64(contacts)) > 0.06*float64(contacts) {
			t.Errorf("%.1f contacts, not %d", mean, contacts)
		}
		if got := overlapOf(rng, lists); math.Abs(got-overlap) > 0.05+0.1*overlap {
			t.Errorf("overlap of %.2f, not %.2f", got, overlap)
		}
	})
}

func TestTooFewDevicesForTheOverlap(t *testing.T) {
	if _, err := run(usual(1000, 900, 0.3), costs{}); err == nil {
		t.Error("900 contacts of 1,000 devices have an overlap of 30 %")
	}
}

func TestPaceOfAnOrigin(t *testing.T) {
	var p pace
	allowed := 0
	for at := time.Second; at <= 11*time.Second; at += 100 * time.Millisecond {
		if p.allow(at, beaconBurst) {
			allowed++
		}
	}
	if allowed != beaconBurst+9 {
		t.Errorf("%d in ten seconds, not %d", allowed, beaconBurst+9)
	}
}

func TestCostsAreMeasured(t *testing.T) {
	c, err := measureCosts(3, statusText, someAddresses())
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]time.Duration{"mint": c.Mint, "take": c.Take, "frame": c.Frame, "small": c.Small, "name": c.Name} {
		if d <= 0 {
			t.Errorf("%s takes no time", name)
		}
	}
}
