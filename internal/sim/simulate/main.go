// Command simulate runs many whole devices through what can go wrong and looks for
// what must never be; see package sim.
//
//	go run ./internal/sim/simulate -seeds 500
//	go run ./internal/sim/simulate -seeds 5000 -from 1201   go on from there
//	go run ./internal/sim/simulate -seed 186                one seed, until it fails
//	go run ./internal/sim/simulate -mutants                 is every deliberate fault seen?
//	go run ./internal/sim/simulate -mutants -hints          the same, and note by which seed
//
// It needs the go command and the source it is part of, since a bubble of
// testing/synctest needs a test. The exit code is 1 if something was violated, or a
// mutant survived.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "simulate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	seeds   int
	from    uint64
	seed    uint64
	mutants bool
	only    string
	hints   bool
	json    bool
	length  time.Duration
	devices int
	race    bool
}

// again is how often a single seed is run: the scheduler is free, so it may take
// some runs until it fails again.
const again = 50

func command(ctx context.Context, args []string, out, progress io.Writer) (ok bool, err error) {
	var o options
	f := flag.NewFlagSet("simulate", flag.ContinueOnError)
	f.SetOutput(progress)
	f.IntVar(&o.seeds, "seeds", 100, "run so many seeds; with -mutants, at most so many for each, 200 unless given")
	f.Uint64Var(&o.from, "from", 1, "the first seed")
	f.Uint64Var(&o.seed, "seed", 0, "run this seed until it fails, at most 50 times, with the logs of the devices")
	f.BoolVar(&o.mutants, "mutants", false, "run each deliberate fault until an invariant catches it")
	f.StringVar(&o.only, "mutant", "", "run this mutant alone, or these, with commas between them")
	f.BoolVar(&o.hints, "hints", false, "with -mutants, write the seeds that caught them to hints.go; each is to catch its mutant twice")
	f.BoolVar(&o.json, "json", false, "print each result as a line of JSON")
	f.DurationVar(&o.length, "length", 6*time.Hour, "how long each run is in its own time; 720h are 30 days; with -mutants an hour unless given")
	f.IntVar(&o.devices, "devices", 4, "how many devices there are at least")
	f.BoolVar(&o.race, "race", false, "with the race detector")
	if err := f.Parse(args); err != nil {
		return false, err
	}
	if f.NArg() > 0 {
		return false, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	dir, err := os.MkdirTemp("", "simulate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	s := simulation{options: o, ctx: ctx, dir: dir, out: out, progress: progress}
	switch {
	case o.mutants || o.only != "":
		given := make(map[string]bool)
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["seeds"] {
			s.seeds = 200
		}
		if !given["length"] { // there are as many scenes in an hour, and they are what catches
			s.length = time.Hour
		}
		return s.mutate()
	case o.seed != 0:
		return s.replay()
	}
	return s.run()
}

// simulation is one call of the command.
type simulation struct {
	options
	ctx           context.Context
	dir           string
	out, progress io.Writer
}

// result is a line of the report of the test binary.
type result struct {
	Seed       uint64      `json:"seed"`
	Devices    int         `json:"devices"`
	Acts       int         `json:"acts"`
	Faults     int         `json:"faults"`
	Messages   int         `json:"messages"`
	Delivered  int         `json:"delivered"`
	Commits    uint64      `json:"commits"`
	Violations []violation `json:"violations,omitempty"`
	Timeline   string      `json:"timeline,omitempty"`
}

type violation struct {
	Invariant string `json:"invariant"`
	What      string `json:"what"`
}

// build compiles the test binary of package sim, with an overlay if there is one.
func (s *simulation) build(overlay string) (string, error) {
	binary := filepath.Join(s.dir, "sim.test")
	args := []string{"test", "-c", "-o", binary}
	if s.race {
		args = append(args, "-race")
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(s.ctx, "go", append(args, "contactsd/internal/sim")...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
	}
	return binary, nil
}

// batch is what one process of the test binary runs.
type batch struct {
	binary  string
	first   uint64
	seeds   int
	again   int
	verbose bool
	mutant  string
	alone   bool // on one processor, since other batches run beside it
}

// limit is how long a run may stay at one step before it is said to hang. A mutant
// may well.
func (b batch) limit() time.Duration {
	if b.mutant != "" {
		return time.Minute
	}
	return 3 * time.Minute
}

// runs runs a batch and returns the results in the order in which they came.
func (s *simulation) runs(b batch) (list []result, err error) {
	report := filepath.Join(s.dir, "report-"+b.mutant)
	if err := os.Remove(report); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	parallel := "1"
	if !b.alone {
		parallel = strconv.Itoa(runtime.GOMAXPROCS(0))
	}
	cmd := exec.CommandContext(s.ctx, b.binary, "-test.run", "^TestSeeds$", "-test.parallel", parallel, "-test.timeout", "30m",
		"-sim.first", strconv.FormatUint(b.first, 10), "-sim.seeds", strconv.Itoa(b.seeds), "-sim.again", strconv.Itoa(b.again),
		"-sim.verbose="+strconv.FormatBool(b.verbose), "-sim.stop="+strconv.FormatBool(b.mutant != ""), "-sim.report", report,
		"-sim.limit", b.limit().String(), "-sim.length", s.length.String(), "-sim.devices", strconv.Itoa(s.devices))
	cmd.Env = append(os.Environ(), mutantVariable+"="+b.mutant)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	failed := cmd.Run()
	list, err = read(report)
	if err != nil {
		return list, err
	}
	for _, r := range list {
		if len(r.Violations) > 0 {
			return list, nil
		}
	}
	if failed != nil { // without a result that says why: it hung, or panicked
		return list, fmt.Errorf("seeds %d to %d: %w\n%s", b.first, b.first+uint64(b.seeds)-1, failed, text.Bytes())
	}
	return list, nil
}

func read(report string) (list []result, err error) {
	f, err := os.Open(report)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, lines.Err()
}

// chunk is how many seeds a process runs: what it holds is let go in between, and
// what was run is not lost.
const chunk = 50

// run runs many seeds.
func (s *simulation) run() (ok bool, err error) {
	binary, err := s.build("")
	if err != nil {
		return false, err
	}
	var sum result
	violations, done := 0, 0
	for done < s.seeds {
		first := s.from + uint64(done)
		list, err := s.runs(batch{binary: binary, first: first, seeds: min(chunk, s.seeds-done), again: 1})
		if s.ctx.Err() != nil {
			fmt.Fprintf(s.progress, "stopped: go on with -from %d -seeds %d\n", first, s.seeds-done)
			break
		}
		if err != nil {
			return false, err
		}
		for _, r := range list {
			done++
			sum.Acts += r.Acts
			sum.Faults += r.Faults
			sum.Messages += r.Messages
			violations += len(r.Violations)
			if err := s.print(r); err != nil {
				return false, err
			}
		}
		fmt.Fprintf(s.progress, "%d of %d seeds, %d violations\n", done, s.seeds, violations)
	}
	fmt.Fprintf(s.out, "seeds %d, acts %d, faults %d, messages %d, violations %d\n", done, sum.Acts, sum.Faults, sum.Messages, violations)
	return violations == 0 && s.ctx.Err() == nil, nil
}

// replay runs one seed until it fails.
func (s *simulation) replay() (ok bool, err error) {
	binary, err := s.build("")
	if err != nil {
		return false, err
	}
	list, err := s.runs(batch{binary: binary, first: s.seed, seeds: 1, again: again, verbose: true})
	if err != nil {
		return false, err
	}
	violations := 0
	for _, r := range list {
		violations += len(r.Violations)
		if err := s.print(r); err != nil {
			return false, err
		}
	}
	last := list[len(list)-1]
	fmt.Fprintf(s.out, "seeds 1, run %d times, acts %d, faults %d, messages %d, violations %d\n", len(list), last.Acts, last.Faults, last.Messages, violations)
	return violations == 0, nil
}

// print prints a result: as JSON if asked to, else what was violated, and how it
// came to that.
func (s *simulation) print(r result) error {
	if s.json {
		return json.NewEncoder(s.out).Encode(r)
	}
	if len(r.Violations) == 0 {
		return nil
	}
	fmt.Fprint(s.out, r.Timeline)
	for _, v := range r.Violations {
		fmt.Fprintf(s.out, "seed %d violates %s: %s\n", r.Seed, v.Invariant, v.What)
	}
	fmt.Fprintf(s.out, "replay it: go run ./internal/sim/simulate -seed %d\n\n", r.Seed)
	return nil
}
