package heap_test

import (
	"runtime"
	"testing"

	"contactsd/internal/heap"
)

func collections(f func()) uint32 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

var sink []byte

func garbage() {
	for range 32 << 10 {
		sink = make([]byte, 1<<10)
	}
}

func TestFloorSparesCollections(t *testing.T) {
	without := collections(garbage)
	release := heap.Floor()
	with := collections(garbage)
	release()
	if with*2 > without {
		t.Errorf("%d collections with the floor, %d without", with, without)
	}
}

func litter(mib int) func() {
	return func() {
		for range mib << 10 {
			sink = make([]byte, 1<<10)
		}
	}
}

func TestPauseIsBoundedAndEndsWithACollection(t *testing.T) {
	resume := heap.Pause()
	if n := collections(litter(4)); n > 0 {
		t.Errorf("%d collections while they are paused", n)
	}
	if n := collections(litter(200)); n < 4 {
		t.Errorf("%d collections over 200 MiB of garbage", n)
	}
	if n := collections(resume); n == 0 {
		t.Error("no collection at the end")
	}
	if n := collections(garbage); n == 0 {
		t.Error("no collections afterwards")
	}
}
