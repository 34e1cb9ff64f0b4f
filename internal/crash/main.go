// Command crash shows that no message is lost, repeated, reordered or made up,
// whatever happens to two real daemons that write to each other.
//
//	go run ./internal/crash [-fault kill|power] [-rounds N] [-seed N]
//
// Both devices write to each other all the time, by calls that are repeated with
// the same id until they are accepted. A ledger outside of both daemons notes what
// the API accepted and what it called delivered. After each fault the store of the
// device it met must hold all of that; at the end both stores must hold the same
// messages, each once, in the order in which they were sent. A run that delivers
// fewer than 100 messages a second between the faults is void and fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	fault := flag.String("fault", "kill", "kill: SIGKILL; power: a power cut, which needs root and XFS")
	rounds := flag.Int("rounds", 100, "faults")
	seed := flag.Uint64("seed", rand.Uint64(), "of the moments and victims")
	tags := flag.String("tags", "", "build tags of the daemon, mutant_nofsync for one that must fail with -fault power")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *fault, *rounds, *seed, *tags); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, fault string, rounds int, seed uint64, tags string) error {
	faults := map[string]func(context.Context, string, string, int, *rand.Rand, io.Writer) (*campaign, error){
		"kill": kills, "power": powerCuts,
	}
	f := faults[fault]
	if f == nil {
		return fmt.Errorf("unknown fault %q: kill or power", fault)
	}
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, dir, tags)
	if err != nil {
		return err
	}
	fmt.Printf("%s, seed %d\n", fault, seed)
	began := time.Now()
	c, err := f(ctx, program, dir, rounds, rand.New(rand.NewPCG(seed, 0)), os.Stderr)
	if err != nil {
		return fmt.Errorf("after %d rounds: %w", c.rounds, err)
	}
	fmt.Printf("%v; took %v\n", c, time.Since(began).Round(time.Second))
	return nil
}
