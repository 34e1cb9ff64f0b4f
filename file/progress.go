package file

import (
	"time"
)

// Progress is how far a transfer is, told at most 10 times a second while it moves.
type Progress struct {
	ID   ID
	Done uint64 // bytes
	Size uint64
	Rate uint64 // bytes a second
}

const (
	tellEvery  = 100 * time.Millisecond
	rateWindow = 2 * time.Second
)

// movements are the transfers that move now, and who wants to know.
type movements struct {
	by       map[ID]*movement
	watchers map[*func(Progress)]struct{}
}

// movement is one of them.
type movement struct {
	done, size uint64
	told       time.Time
	// The rate is that of the last whole window, or of the first one so far.
	began     time.Time
	beganDone uint64
	rate      uint64
}

func newMovements() movements {
	return movements{by: make(map[ID]*movement), watchers: make(map[*func(Progress)]struct{})}
}

// Watch calls f with the progress of all transfers until cancel is called. f must
// not block.
func (s *Service) Watch(f func(Progress)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := &f
	s.moving.watchers[key] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.moving.watchers, key)
	}
}

// moves says that so many bytes of a transfer have moved by now.
func (s *Service) moves(id ID, done, size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	m := s.moving.by[id]
	if m == nil {
		m = &movement{began: now, beganDone: done}
		s.moving.by[id] = m
	}
	m.done, m.size = done, size
	if span := now.Sub(m.began); span >= rateWindow || m.rate == 0 && span >= tellEvery {
		m.rate = uint64(float64(done-min(done, m.beganDone)) / span.Seconds())
		if span >= rateWindow {
			m.began, m.beganDone = now, done
		}
	}
	if now.Sub(m.told) < tellEvery {
		return
	}
	m.told = now
	for f := range s.moving.watchers {
		(*f)(Progress{ID: id, Done: done, Size: size, Rate: m.rate})
	}
}

// rests says that a transfer does not move any more, and returns how far it was.
func (s *Service) rests(id ID) (done uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.moving.by[id]; m != nil {
		done = m.done
		delete(s.moving.by, id)
	}
	return done
}
