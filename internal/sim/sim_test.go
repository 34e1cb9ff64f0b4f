package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds   = flag.Int("sim.seeds", 20, "how many seeds TestSeeds runs")
	first   = flag.Uint64("sim.first", 1, "the first of them")
	again   = flag.Int("sim.again", 1, "how often each is run, or until it fails")
	length  = flag.Duration("sim.length", 0, "how long each runs in its own time")
	devices = flag.Int("sim.devices", 0, "how many devices at least")
	verbose = flag.Bool("sim.verbose", false, "put what devices log into the timeline of a failed run")
	hasty   = flag.Bool("sim.stop", false, "stop at the first that fails")
	limit   = flag.Duration("sim.limit", 3*time.Minute, "of real time in which a run does not come a step further; then it hangs")
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
				if *hasty && failed.Load() {
					return
				}
				if tell(t, run(t, seed)); t.Failed() {
					failed.Store(true)
					break
				}
			}
		})
	}
}

var failed atomic.Bool // a seed has

// outcome is a run with what a person may read of it.
type outcome struct {
	Result
	Timeline string `json:"timeline,omitempty"` // of a failed run
}

func run(t *testing.T, seed uint64) (o outcome) {
	dir := t.TempDir()
	p := NewPlan(seed, Options{Devices: *devices, Length: *length})
	var steps atomic.Int64
	ended := make(chan struct{})
	defer close(ended)
	go watch(t, p, &steps, ended)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, err := Run(p, dir, &log, *verbose, func() { steps.Add(1) })
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

// watch looks whether a run comes on. On a machine that is busy with something else
// it may take any time.
func watch(t *testing.T, p Plan, steps *atomic.Int64, ended <-chan struct{}) {
	tick := time.NewTicker(*limit)
	defer tick.Stop()
	for before := int64(-1); ; {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		now := steps.Load()
		if now == before {
			hangs(t, p)
		}
		before = now
	}
}

// hangs ends the process: time in a bubble that is stuck, or never at rest, can't be
// ended otherwise.
func hangs(t *testing.T, p Plan) {
	o := outcome{Result: Result{Seed: p.Seed, Devices: p.Devices}}
	o.Violations = []Violation{{"run", fmt.Sprintf("it did not come on within %v", *limit)}}
	tell(t, o)
	stacks := make([]byte, 1<<20)
	fmt.Fprintf(os.Stderr, "seed %d hangs\n%s\n", p.Seed, stacks[:runtime.Stack(stacks, true)])
	os.Exit(1)
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
