package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

// programs are built once for all tests of this package.
var programs struct {
	sync.Mutex
	dir  string
	made map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// daemon returns a contactsd built with tags, without the race detector: what is
// looked for here is what real daemons leave behind.
func daemon(t *testing.T, tags string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if programs.made == nil {
		dir, err := os.MkdirTemp("", "contactsd-crash-")
		if err != nil {
			t.Fatal(err)
		}
		programs.dir, programs.made = dir, make(map[string]string)
	}
	if programs.made[tags] == "" {
		program, err := build(t.Context(), programs.dir, tags)
		if err != nil {
			t.Fatal(err)
		}
		programs.made[tags] = program
	}
	return programs.made[tags]
}

// rounds is fewer for who has no time.
func rounds(n int) int {
	if testing.Short() {
		return max(n/20, 2)
	}
	return n
}

// chance is printed with a failure: what a run does follows from it, though not
// when the machine does it.
func chance(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestKilledAtAnyMoment(t *testing.T) {
	c, err := kills(t.Context(), daemon(t, ""), t.TempDir(), rounds(100), chance(t), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c)
}

func TestSlowRunIsVoid(t *testing.T) {
	slow := &campaign{rounds: 1, delivered: 99, healthy: 1e9}
	if err := slow.verdict(); !errors.Is(err, errVoid) {
		t.Errorf("99 messages/s: %v", err)
	}
	idle := &campaign{rounds: 1}
	if err := idle.verdict(); !errors.Is(err, errVoid) {
		t.Errorf("no message at all: %v", err)
	}
}

func TestPowerIsCutAtAnyMoment(t *testing.T) {
	c, err := powerCuts(t.Context(), daemon(t, ""), t.TempDir(), rounds(50), chance(t), t.Output())
	if errors.Is(err, errNoDisks) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c)
}

// A daemon that never syncs must not get through, or the test above sees nothing.
func TestPowerCutsCatchADaemonThatDoesNotSync(t *testing.T) {
	const within = 5
	c, err := powerCuts(t.Context(), daemon(t, "mutant_nofsync"), t.TempDir(), within, chance(t), t.Output())
	if errors.Is(err, errNoDisks) {
		t.Skip(err)
	}
	if err == nil || errors.Is(err, errVoid) {
		t.Fatalf("%d power cuts showed nothing: %v", within, err)
	}
	t.Logf("caught after %d rounds: %v", c.rounds, err)
}
