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
	s.Online, s.Session, s.Seed = 0.5, time.Hour, 7
	return s
}

// seeds is over how many seeds, from 1 on, the small scenario is judged by its mean:
// with 400 devices one contact more or less decides whether one seed keeps a bar.
const seeds = 8

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
	part, all := make(map[string]float64), make(map[string]float64)
	for seed := range uint64(seeds) {
		for _, tracked := range []int{small().Tracked, small().Devices} {
			s := small()
			s.Seed, s.Tracked = seed+1, tracked
			r, err := run(s, costs{})
			if err != nil {
				t.Fatal(err)
			}
			sum := part
			if tracked == s.Devices {
				sum = all
			}
			for name, bytes := range r.BytesBy {
				sum[name] += bytes
			}
		}
	}
	for name, tolerance := range map[string]float64{"beacons": 0.15, "interest": 0.05, "keep-alive": 0.05} {
		if off := part[name]/all[name] - 1; math.Abs(off) > tolerance {
			t.Errorf("bytes of %s: %.0f of a sample, %.0f of all, at most %.0f %% off", name, part[name], all[name], 100*tolerance)
		}
	}
	// Claims that go together in one frame are alone in it if few are followed.
	if part["digests"] < 0.85*all["digests"] {
		t.Errorf("bytes of digests: %.0f of a sample, %.0f of all", part["digests"], all["digests"])
	}
}

func TestShortScenarioKeepsTheBars(t *testing.T) {
	mean := Result{Scenario: Scenario{Name: "short", Bars: []string{barReach, barIdle, barCost}}}
	for seed := range uint64(seeds) {
		s := small()
		s.Online, s.Session, s.Changes, s.Overlap, s.Budget, s.Seed = 1, 0, 4, 0.6, 20, seed+1
		r, err := run(s, costs{})
		if err != nil {
			t.Fatal(err)
		}
		mean.Reached += r.Reached / seeds
		mean.PerLink += r.PerLink / seeds
		mean.PerChange += r.PerChange / seeds
		if r.Changes < 20 || r.Links < 10 || r.Right < 0.99 {
			t.Errorf("seed %d: %d changes, %.1f connections, %.3f right", s.Seed, r.Changes, r.Links, r.Right)
		}
	}
	for _, m := range mean.missed() {
		t.Error(m)
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
