package web

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Limits of what is shown and goes on at once.
const (
	maxUploading = 4
	maxUnsent    = 20 // of which one is told why; the oldest is forgotten
)

// progressEvery is how often browsers are told how far an upload is.
const progressEvery = 200 * time.Millisecond

// uploading is one file that a browser sends, or why it was not sent.
type uploading struct {
	ID    string
	To    string // what the contact is called here
	Name  string
	Size  int64 // bytes, as announced; 0 if nothing was
	Got   int64 // bytes
	Left  int   // files that the browser sends after it
	Fault *fault
	stop  context.CancelCauseFunc
}

// uploads are those that go on, and those that failed until somebody has seen why.
type uploads struct {
	mu       sync.Mutex
	all      []*uploading // in the order in which they began
	watchers map[chan struct{}]struct{}
	told     time.Time
}

func newUploads() *uploads { return &uploads{watchers: make(map[chan struct{}]struct{})} }

// Why an upload ended early.
var (
	errStopped = errors.New("cancelled by the user")
	errBusy    = errors.New("too many uploads at once")
)

// begin lists one. It returns errBusy if too many go on: one that must end at once.
func (u *uploads) begin(one *uploading) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	going := 0
	for _, other := range u.all {
		if other.Fault == nil {
			going++
		}
	}
	u.all = append(u.all, one)
	u.tell()
	if going >= maxUploading {
		return errBusy
	}
	return nil
}

// moved says that so many bytes have come.
func (u *uploads) moved(one *uploading, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one.Got += int64(n)
	if now := time.Now(); now.Sub(u.told) >= progressEvery {
		u.told = now
		u.tell()
	}
}

// end takes one away, or with a fault keeps it to be seen.
func (u *uploads) end(one *uploading, why *fault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one.Fault = why
	unsent := 0
	for _, other := range slices.Backward(u.all) {
		if other.Fault != nil {
			unsent++
		}
		if other.Fault != nil && unsent > maxUnsent || other == one && why == nil {
			u.drop(other)
		}
	}
	u.tell()
}

// cancel stops an upload, or takes away one that failed.
func (u *uploads) cancel(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.all {
		switch {
		case one.ID != id:
		case one.Fault == nil:
			one.stop(errStopped)
			return
		default:
			u.drop(one)
			u.tell()
			return
		}
	}
}

// drop takes one out of the list. The caller holds the lock.
func (u *uploads) drop(one *uploading) {
	u.all = slices.DeleteFunc(slices.Clone(u.all), func(other *uploading) bool { return other == one })
}

// list returns them as they are now.
func (u *uploads) list() (all []uploading) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.all {
		all = append(all, *one)
	}
	return all
}

// watch returns a channel that says that something has changed, until end is called.
func (u *uploads) watch() (changed <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.watchers[c] = struct{}{}
	return c, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.watchers, c)
	}
}

// tell says so to all who watch. The caller holds the lock.
func (u *uploads) tell() {
	for c := range u.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
