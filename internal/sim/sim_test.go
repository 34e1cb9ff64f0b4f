package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	seeds   = flag.Int("sim.seeds", 20, "how many seeds TestSeeds runs")
	first   = flag.Uint64("sim.first", 1, "the first of them")
	again   = flag.Int("sim.again", 1, "how often each is run, or until it fails")
	length  = flag.Duration("sim.length", 0, "how long each runs in its own time")
	devices = flag.Int("sim.devices", 0, "how many devices at least")
	verbose = flag.Bool("sim.verbose", false, "put what devices log into the timeline of a failed run")
	report  = flag.String("sim.report", "", "append the result of each run to this file, as a line of JSON")
)

func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() && n == 20 {
		n = 2
	}
	for i := range n {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			for range *again {
				if tell(t, run(t, seed)); t.Failed() {
					break
				}
			}
		})
	}
}

// outcome is a run with what a person may read of it.
type outcome struct {
	Result
	Timeline string `json:"timeline,omitempty"` // of a failed run
}

func run(t *testing.T, seed uint64) (o outcome) {
	dir := t.TempDir()
	p := NewPlan(seed, Options{Devices: *devices, Length: *length})
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, err := Run(p, dir, &log, *verbose)
		if err != nil {
			t.Error(err)
		}
		o = outcome{r, log.String()}
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return o
}

var reporting sync.Mutex

// tell fails the test if anything was wrong, and adds the outcome to the report.
func tell(t *testing.T, o outcome) {
	t.Helper()
	for _, v := range o.Violations {
		t.Errorf("seed %d: %s: %s", o.Seed, v.Invariant, v.What)
	}
	t.Logf("seed %d: %d devices, %d acts, %d faults, %d messages, %d delivered, %d commits", o.Seed, o.Devices, o.Acts, o.Faults, o.Messages, o.Delivered, o.Commits)
	if *report == "" {
		if t.Failed() {
			t.Log("\n" + o.Timeline)
		}
		return
	}
	reporting.Lock()
	defer reporting.Unlock()
	f, err := os.OpenFile(*report, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(o); err != nil {
		t.Error(err)
	}
}
