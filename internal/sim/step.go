package sim

import "fmt"

// Kind is a kind of step: an act of a user, or a fault.
type Kind uint8

const (
	Nothing Kind = iota
	Pair
	Race
	WrongCode
	Add
	Remove
	Part
	Block
	Unblock
	Narrow
	Send
	Burst
	Cancel
	Read
	SetPresence
	Idle
	Remark
	Crash
	Stop
	Drop
	Double
	Cut
	CutOneWay
	Partition
	Fill
	Copy
	Restore
	CommitCrash
	CommitCrashB
	FrameCrash
	FrameCrashB
	FrameDrop
	FrameCut

	kinds = iota
)

// Fault reports whether it is none of the user's acts.
func (k Kind) Fault() bool { return k >= Crash }

func (k Kind) String() string { return steps[k].name }

// steps says how each kind is done. do returns false if it could not be done: a
// device was down, there was nothing to cancel.
var steps [kinds]struct {
	name   string
	weight int // among acts, or among faults
	do     func(w *world, s Step, a, b *host) bool
}

func init() {
	set := func(k Kind, name string, weight int, do func(w *world, s Step, a, b *host) bool) {
		steps[k].name, steps[k].weight, steps[k].do = name, weight, do
	}
	set(Nothing, "nothing", 0, func(*world, Step, *host, *host) bool { return false })
	set(Pair, "pair", 6, pair)
	set(Race, "race for a code", 2, race)
	set(WrongCode, "type a wrong code", 1, wrongCode)
	set(Add, "add by ODID", 8, add)
	set(Remove, "remove", 5, remove)
	set(Part, "remove on both sides", 2, part)
	set(Block, "block", 3, block)
	set(Unblock, "unblock", 4, unblock)
	set(Narrow, "withdraw permissions", 2, narrow)
	set(Send, "send", 30, send)
	set(Burst, "send many", 4, burst)
	set(Cancel, "cancel", 4, cancel)
	set(Read, "read", 4, read)
	set(SetPresence, "set presence", 6, setPresence)
	set(Idle, "idle or come back", 3, idle)
	set(Remark, "remark", 2, remark)

	set(Crash, "crash", 8, crash)
	set(Stop, "stop", 3, stop)
	set(Drop, "drop", 4, drop)
	set(Double, "double", 2, double)
	set(Cut, "cut", 4, cut)
	set(CutOneWay, "cut one way", 3, cutOneWay)
	set(Partition, "partition", 2, partition)
	set(Fill, "fill the disk", 2, fill)
	set(Copy, "copy the store", 3, keepCopy)
	set(Restore, "restore", 2, restore)

	// In duels only.
	none, all := func(int) int { return 0 }, func(n int) int { return n }
	set(CommitCrash, "the first crashes at a commit", 0, crashAt(all, none))
	set(CommitCrashB, "the second crashes at a commit", 0, crashAt(all, none))
	set(FrameCrash, "the first crashes at a frame", 0, crashAt(none, all))
	set(FrameCrashB, "the second crashes at a frame", 0, crashAt(none, all))
	set(FrameDrop, "the connection ends at a frame", 0, atFrame("the connection ends", func(w *world, a, b *host, _ Step) {
		w.net.Drop(a.self(), b.self())
	}))
	set(FrameCut, "the connection is held at a frame", 0, atFrame("the connection is held", func(w *world, a, b *host, s Step) {
		cut(w, s, a, b)
	}))
}

func ordinal(n int) string {
	switch {
	case n%100/10 == 1:
	case n%10 == 1:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}
