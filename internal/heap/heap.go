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

// Pause keeps the collector from running until resume is called, which has it
// run at once: what a start leaves behind is collected when nobody waits for it.
// A limit set by GOMEMLIMIT still holds.
func Pause() (resume func()) {
	percent := debug.SetGCPercent(-1)
	return func() {
		debug.SetGCPercent(percent)
		runtime.GC()
	}
}
