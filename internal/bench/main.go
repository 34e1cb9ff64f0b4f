// Command bench measures what a person waits for, with the real programs on
// loopback, beside a floor measured in the same run, and prints one table.
//
//	go run ./internal/bench [-n RUNS] [-only NAME] [-contacts N] [-messages N] [-json]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"contactsd/internal/heap"
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
	only := flag.String("only", "", "measure only what the names begin with, such as pairing or durable")
	contacts := flag.Int("contacts", 100_000, "contacts of a device that has many")
	messages := flag.Int("messages", 1_000_000, "messages that wait, or waited, on a device that has many")
	profile := flag.String("cpuprofile", "", "write a CPU profile of this process to a file")
	asJSON := flag.Bool("json", false, "print a JSON array")
	bareHost := flag.Bool("barehost", false, "be a libp2p host and no more, for a measurement of this program")
	flag.Parse()
	defer heap.Floor()() // as the daemon has it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *bareHost {
		if err := runBareHost(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	rows, err := profiled(*profile, func() ([]row, error) {
		return measure(ctx, &bench{runs: *runs, manyContacts: max(*contacts, fewContacts), manyMessages: max(*messages, 1)}, *only)
	})
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

func profiled(path string, measure func() ([]row, error)) ([]row, error) {
	if path == "" {
		return measure()
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	rows, err := measure()
	pprof.StopCPUProfile()
	return rows, errors.Join(err, f.Close())
}

func table(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmedian\tbeside\t\tratio")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.4g %s\t%s\t%.4g %s\t%.2f\n", r.Name, r.Value, r.Unit, r.Beside, r.Limit, r.Unit, r.Ratio)
	}
	return w.Flush()
}

func measure(ctx context.Context, b *bench, only string) ([]row, error) {
	dir, err := os.MkdirTemp("", "contactsd-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	var rows []row
	for _, m := range []struct {
		name string
		run  func(context.Context) ([]row, error)
	}{
		{"sizes", b.sizes},
		{"pairing", b.pairing},
		{"breakdown", b.breakdown},
		{"presence", b.presence},
		{"fanout", b.fanout},
		{"messages", b.messages},
		{"durable", b.durable},
		{"api", b.api},
		{"idle", b.idle},
		{"connected", b.connected},
		{"ready", b.ready},
		{"contacts", b.contacts},
		{"lists", b.lists},
		{"queue", b.queue},
		{"backlog", b.backlog},
		{"fair", b.fair},
		{"waiting", b.waiting},
		{"requests", b.requests},
		{"stamps", b.stamps},
		{"cards", b.cards},
		{"files", b.files},
		{"tray", b.tray},
	} {
		if !strings.HasPrefix(m.name, only) {
			continue
		}
		r, err := m.run(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// bench is what the measurements share.
type bench struct {
	dir   string
	runs  int
	built bool

	manyContacts, manyMessages int
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) program(name string) string { return b.path(name) }

// build links the programs as a release does, once.
func (b *bench) build(ctx context.Context) error {
	if b.built {
		return nil
	}
	for _, name := range []string{"contactsd", "contactsctl", "contacts-tray"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.program(name), "./cmd/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	b.built = true
	return nil
}

func (b *bench) sizes(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
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
