package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
)

var every = flag.Int("sim.every", 256, "run one in so many duels; 1 for all")

// TestDuels is every pair of acts of two devices, from everything they can be to
// each other, with each fault at every step.
func TestDuels(t *testing.T) {
	share := *every
	if testing.Short() {
		share *= 40
	}
	n := 0
	for _, start := range Starts {
		for _, x := range DuelActs {
			for _, y := range DuelActs {
				for _, back := range []bool{false, true} {
					if n++; n%share != 0 {
						continue
					}
					d := Duel{Start: start, X: x, Y: y, Back: back}
					t.Run(fmt.Sprintf("%d", n), func(t *testing.T) {
						t.Parallel()
						fight(t, d)
					})
				}
			}
		}
	}
}

// fight lets a fault come one step later each time, until nothing is left that it
// could meet.
func fight(t *testing.T, d Duel) {
	for _, f := range DuelFaults {
		d.Fault = f
		for d.At = 1; d.At <= 200; d.At++ {
			r := duel(t, d)
			if t.Failed() {
				t.Fatal(d)
			}
			if !r.Fired {
				break
			}
		}
	}
}

func duel(t *testing.T, d Duel) (r Result) {
	dir, err := os.MkdirTemp("", "duel")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, err = Run(d.plan(), dir, &log, true, nil)
		if err != nil {
			t.Error(err)
		}
		for _, v := range r.Violations {
			t.Errorf("%s: %s", v.Invariant, v.What)
		}
		if t.Failed() {
			t.Log("\n" + log.String())
		}
	})
	return r
}
