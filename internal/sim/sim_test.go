package sim

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"
)

var (
	seeds   = flag.Int("seeds", 20, "how many seeds TestSeeds runs")
	first   = flag.Uint64("first", 1, "the first of them")
	length  = flag.Duration("length", 0, "how long each runs in its own time")
	devices = flag.Int("devices", 0, "how many devices at least")
	verbose = flag.Bool("verbose", false, "print what devices log")
)

func TestSeeds(t *testing.T) {
	for i := range *seeds {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := NewPlan(*first+uint64(i), Options{Devices: *devices, Length: *length})
			synctest.Test(t, func(t *testing.T) {
				r, err := Run(p, dir, os.Stdout, *verbose)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("seed %d: %d devices, %d acts, %d faults, %d messages, %d delivered, %d commits", r.Seed, p.Devices, r.Acts, r.Faults, r.Messages, r.Delivered, r.Commits)
				for _, v := range r.Violations {
					t.Errorf("seed %d: %s: %s", r.Seed, v.Invariant, v.What)
				}
			})
		})
	}
}
