package sim

import (
	"fmt"
	"time"
)

// Duel is two devices, two acts at one moment, and one fault at one step of what
// follows. All of them are few enough to be run.
type Duel struct {
	Start string // what the two are to each other: one of Starts
	X     Kind   // what the first does about the second
	Y     Kind   // and what is done right after
	Back  bool   // by the second about the first, or else by the first as well
	Fault Kind   // one of DuelFaults
	At    int    // the step at which it comes, from 1: a commit or a frame
}

// Starts are what two devices can be to each other as a duel begins.
var Starts = []string{"strangers", "one-sided", "added", "paired", "blocked", "asked", "widened", "open"}

var starts = map[string][]Step{
	"strangers": nil,
	"one-sided": {{Kind: Add}},
	"added":     {{Kind: Add}, {Kind: Add, A: 1}},
	"paired":    {{Kind: Pair}},
	"blocked":   {{Kind: Pair}, {Kind: Block}},
	"asked":     {{Kind: Request, M: 3, N: 1}},
	"widened":   {{Kind: Add}, {Kind: Add, A: 1}, {Kind: Widen, M: 5, N: 1}},
	"open":      {{Kind: Policy, A: 1, N: 1, M: 2}}, // the second takes any request
}

// DuelActs are what is done in duels.
var DuelActs = []Kind{Pair, Add, Remove, Part, Block, Unblock, Narrow, Send, Cancel, SetPresence, Request, Widen, Accept, Reject, Withdraw, Rename, Check}

// DuelFaults are what goes wrong in duels: the first or the second device crashes
// at a commit or at a frame, the connection ends or is held at a frame of either.
var DuelFaults = []Kind{CommitCrash, CommitCrashB, FrameCrash, FrameCrashB, FrameDrop, FrameCut}

func (d Duel) String() string {
	who := "the first"
	if d.Back {
		who = "the second"
	}
	return fmt.Sprintf("%s: the first does %q, %s does %q, and at step %d: %s", d.Start, d.X, who, d.Y, d.At, d.Fault)
}

// plan returns the run of a duel.
func (d Duel) plan() Plan {
	l := Link{Latency: 5 * time.Millisecond}
	p := Plan{Devices: 2, Length: 3 * time.Minute, Links: [][]Link{{l, l}, {l, l}}}
	for i, s := range starts[d.Start] {
		s.At, s.B = time.Duration(i+2)*5*time.Second, 1-s.A
		p.Steps = append(p.Steps, s)
	}
	moment := time.Minute
	x := Step{At: moment, Kind: d.X, B: 1, N: 1, M: 3}
	y := Step{At: moment + time.Millisecond, Kind: d.Y, B: 1, N: 1, M: 5}
	if d.Back {
		y.A, y.B = 1, 0
	}
	fault := Step{At: moment - 1, Kind: d.Fault, B: 1, N: d.At, For: 20 * time.Second}
	if d.Fault == CommitCrashB || d.Fault == FrameCrashB {
		fault.A, fault.B = 1, 0
	}
	p.Steps = append(p.Steps, fault, x, y)
	return p
}

// atFrame does something to the connection of two devices once so many frames were
// sent by either as the step says.
func (w *world) atFrame(s Step, what string, do func()) bool {
	reached := make(chan struct{})
	w.mu.Lock()
	w.frames, w.reached = s.N, reached
	w.mu.Unlock()
	w.away.Go(func() {
		select {
		case <-reached:
			w.line.note("%s at the %s frame", what, ordinal(s.N))
			w.fired()
			do()
		case <-w.over:
		}
	})
	return true
}

func (w *world) fired() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.Fired = true
}
