// Package heap keeps the garbage collector from running too often in a process
// whose live heap is small.
package heap

import (
	"runtime"
	"runtime/debug"
)

// floor is reserved and never touched, so that it costs address space and no
// memory. The collector runs when the heap has doubled, and with it doubled is
// the live heap and the floor once more, instead of every 4 MB.
const floor = 12 << 20 // bytes

// Floor raises the least heap at which a collection begins by 12 MiB of garbage,
// until release is called. A large heap is collected as often as before.
func Floor() (release func()) {
	reserved := make([]byte, floor)
	return func() { runtime.KeepAlive(reserved) }
}

// paused is how much memory may be in use before the collector runs all the
// same: the floor, what a process has, and some twenty megabytes of garbage.
const paused = 40 << 20 // bytes

// Pause keeps the collector from running, up to 40 MiB in use, until resume is
// called, which has it run at once: what a start leaves behind is collected when
// nobody waits for it.
func Pause() (resume func()) {
	limit := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(limit, paused))
	percent := debug.SetGCPercent(-1)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		runtime.GC()
	}
}
