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
	Check
	Request
	Widen
	Accept
	Reject
	Withdraw
	Report
	Release
	Accuse
	Policy
	Rename
	Describe
	Look
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
	Jump
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

func (k Kind) String() string { return traits[k].name }

// traits say what a kind is called, and how often it is taken among acts or faults.
var traits = [kinds]struct {
	name   string
	weight int
}{
	Nothing:     {"nothing", 0},
	Pair:        {"pair", 6},
	Race:        {"race for a code", 2},
	WrongCode:   {"type a wrong code", 1},
	Add:         {"add by ODID", 8},
	Remove:      {"remove", 5},
	Part:        {"remove on both sides", 2},
	Block:       {"block", 3},
	Unblock:     {"unblock", 4},
	Narrow:      {"withdraw permissions", 2},
	Send:        {"send", 30},
	Burst:       {"send many", 4},
	Cancel:      {"cancel", 4},
	Read:        {"read", 4},
	SetPresence: {"set presence", 6},
	Idle:        {"idle or come back", 3},
	Remark:      {"remark", 2},
	Check:       {"check", 3},
	Request:     {"request", 5},
	Widen:       {"ask for more", 4},
	Accept:      {"accept a request", 6},
	Reject:      {"reject a request", 2},
	Withdraw:    {"take a request back", 2},
	Report:      {"report a request", 2},
	Release:     {"let a request out", 2},
	Accuse:      {"bring hostile reports", 2},
	Policy:      {"choose who may ask", 2},
	Rename:      {"rename itself", 2},
	Describe:    {"describe itself", 2},
	Look:        {"look at a profile", 3},
	Crash:       {"crash", 8},
	Stop:        {"stop", 3},
	Drop:        {"drop", 4},
	Double:      {"double", 2},
	Cut:         {"cut", 4},
	CutOneWay:   {"cut one way", 3},
	Partition:   {"partition", 2},
	Fill:        {"fill the disk", 2},
	Copy:        {"copy the store", 3},
	Restore:     {"restore", 2},
	Jump:        {"clock jump", 3},

	// In duels only.
	CommitCrash:  {"the first crashes at a commit", 0},
	CommitCrashB: {"the second crashes at a commit", 0},
	FrameCrash:   {"the first crashes at a frame", 0},
	FrameCrashB:  {"the second crashes at a frame", 0},
	FrameDrop:    {"the connection ends at a frame", 0},
	FrameCut:     {"the connection is held at a frame", 0},
}

// does does a step and reports whether it could be done: a device may be down, or
// have nothing to cancel.
func (w *world) does(s Step) bool {
	a, b := w.hosts[s.A], w.hosts[s.B]
	switch s.Kind {
	case Pair:
		return pair(w, s, a, b)
	case Race:
		return race(w, s, a, b)
	case WrongCode:
		return wrongCode(w, s, a, b)
	case Add:
		return add(w, s, a, b)
	case Remove:
		return remove(w, s, a, b)
	case Part:
		return part(w, s, a, b)
	case Block:
		return block(w, s, a, b)
	case Unblock:
		return unblock(w, s, a, b)
	case Narrow:
		return narrow(w, s, a, b)
	case Send:
		return send(w, s, a, b)
	case Burst:
		return burst(w, s, a, b)
	case Cancel:
		return cancel(w, s, a, b)
	case Read:
		return read(w, s, a, b)
	case SetPresence:
		return setPresence(w, s, a, b)
	case Idle:
		return idle(w, s, a, b)
	case Remark:
		return remark(w, s, a, b)
	case Check:
		return inquire(w, s, a, b)
	case Request:
		return request(w, s, a, b)
	case Widen:
		return widen(w, s, a, b)
	case Accept:
		return accept(w, s, a, b)
	case Reject:
		return reject(w, s, a, b)
	case Withdraw:
		return withdraw(w, s, a, b)
	case Report:
		return reportRequest(w, s, a, b)
	case Release:
		return release(w, s, a, b)
	case Accuse:
		return accuse(w, s, a, b)
	case Policy:
		return setPolicy(w, s, a, b)
	case Rename:
		return rename(w, s, a, b)
	case Describe:
		return describe(w, s, a, b)
	case Look:
		return lookAt(w, s, a, b)
	case Crash:
		return crash(w, s, a, b)
	case Stop:
		return stop(w, s, a, b)
	case Drop:
		return drop(w, s, a, b)
	case Double:
		return double(w, s, a, b)
	case Cut:
		return cut(w, s, a, b)
	case CutOneWay:
		return cutOneWay(w, s, a, b)
	case Partition:
		return partition(w, s, a, b)
	case Fill:
		return fill(w, s, a, b)
	case Copy:
		return keepCopy(w, s, a, b)
	case Restore:
		return restore(w, s, a, b)
	case Jump:
		return jump(w, s, a, b)
	case CommitCrash, CommitCrashB:
		return w.crashes(a, fuse{commits: s.N}, s.For)
	case FrameCrash, FrameCrashB:
		return w.crashes(a, fuse{frames: s.N}, s.For)
	case FrameDrop:
		return w.atFrame(s, "the connection ends", func() { w.net.Drop(a.self(), b.self()) })
	case FrameCut:
		return w.atFrame(s, "the connection is held", func() { cut(w, s, a, b) })
	}
	return false
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
