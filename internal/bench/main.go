// Command bench measures what a person waits for, with the real programs on
// loopback, beside a floor measured in the same run, and prints one table.
//
//	go run ./internal/bench [-n RUNS] [-json]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one figure beside its limit or floor.
type row struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Beside string  `json:"beside"` // what it is compared with
	Limit  float64 `json:"limit"`
	Ratio  float64 `json:"ratio"` // value / limit
}

func main() {
	runs := flag.Int("n", 15, "runs of each measurement; medians are printed")
	asJSON := flag.Bool("json", false, "print a JSON array")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := measure(ctx, *runs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if *asJSON {
		err = json.NewEncoder(os.Stdout).Encode(rows)
	} else {
		err = table(rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func table(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmedian\tbeside\t\tratio")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.4g %s\t%s\t%.4g %s\t%.2f\n", r.Name, r.Value, r.Unit, r.Beside, r.Limit, r.Unit, r.Ratio)
	}
	return w.Flush()
}

func measure(ctx context.Context, runs int) ([]row, error) {
	dir, err := os.MkdirTemp("", "contactsd-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, runs: runs}
	for _, name := range []string{"contactsd", "contactsctl"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, name), "./cmd/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	var rows []row
	for _, m := range []func(context.Context) ([]row, error){b.sizes, b.pairing, b.presence, b.messages} {
		r, err := m(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// bench is what the measurements share.
type bench struct {
	dir  string
	runs int
}

func (b *bench) program(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) sizes(context.Context) ([]row, error) {
	var rows []row
	for name, limit := range map[string]float64{"contactsd": 30, "contactsctl": 10} {
		info, err := os.Stat(b.program(name))
		if err != nil {
			return nil, err
		}
		rows = append(rows, compare("size of "+name, float64(info.Size())/1e6, "MB", "aim", limit))
	}
	slices.SortFunc(rows, func(a, b row) int { return len(a.Name) - len(b.Name) })
	return rows, nil
}

func compare(name string, value float64, unit, beside string, limit float64) row {
	return row{name, value, unit, beside, limit, value / limit}
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}
