// Package connected keeps which devices there are connections with and tells
// watchers. Both transports use it, so both mean the same by Watch.
package connected

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"contactsd/contact"
)

// Set counts the connections of each device. The zero value is empty.
//
// Add and Remove only take note, so they may be called under a lock; Deliver
// then calls the watchers and must be called without.
type Set struct {
	mu       sync.Mutex
	count    map[contact.ODID]int
	watchers []*watcher
}

type watcher struct {
	f         func(contact.ODID, bool)
	queue     []change
	busy      bool // a goroutine is calling f
	cancelled bool
}

type change struct {
	peer contact.ODID
	up   bool
}

// Add counts one more connection with peer.
func (s *Set) Add(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = make(map[contact.ODID]int)
	}
	s.count[peer]++
	if s.count[peer] == 1 {
		s.note(change{peer, true})
	}
}

// Remove counts one connection with peer less.
func (s *Set) Remove(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[peer]--; s.count[peer] == 0 {
		delete(s.count, peer)
		s.note(change{peer, false})
	}
}

func (s *Set) note(c change) {
	for _, w := range s.watchers {
		w.queue = append(w.queue, c)
	}
}

// Has reports whether there is a connection with peer.
func (s *Set) Has(peer contact.ODID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[peer] > 0
}

// List returns the devices there is a connection with, in the order of their bytes.
func (s *Set) List() []contact.ODID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

func (s *Set) list() []contact.ODID {
	return slices.SortedFunc(maps.Keys(s.count), func(a, b contact.ODID) int { return bytes.Compare(a[:], b[:]) })
}

// Deliver calls the watchers with every change noted so far, each watcher by one
// goroutine at a time and in order.
func (s *Set) Deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range slices.Clone(s.watchers) {
		if !w.busy {
			s.drain(w)
		}
	}
}

// drain is called, and returns, with s.mu held, which it gives up around f:
// f may use the transport.
func (s *Set) drain(w *watcher) {
	w.busy = true
	for len(w.queue) > 0 && !w.cancelled {
		c := w.queue[0]
		w.queue = w.queue[1:]
		s.mu.Unlock()
		w.f(c.peer, c.up)
		s.mu.Lock()
	}
	w.busy = false
}

// Watch is transport.Network's. The first calls have been made when it returns.
func (s *Set) Watch(f func(peer contact.ODID, connected bool)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{f: f}
	for _, peer := range s.list() {
		w.queue = append(w.queue, change{peer, true})
	}
	s.watchers = append(s.watchers, w)
	s.drain(w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.cancelled = true
		s.watchers = slices.DeleteFunc(s.watchers, func(o *watcher) bool { return o == w })
	}
}
