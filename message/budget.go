package message

import "sync"

// What the bodies of messages may take in memory, over all streams of a direction.
// A stream alone is bounded by its window; with many, each gets a share.
const (
	maxHeld  = 16 << 20
	leastOut = MaxBodySize // that a stream may read from the disk to send in any case
	// frameCost is what a frame takes beside its body.
	frameCost = 512
)

// budget is shared by the streams of one direction. None waits for another, so a
// stream that hangs holds up nobody: when all is taken, each still gets on by one
// message at a time.
type budget struct {
	mu      sync.Mutex
	held    int
	holders int // that hold something
}

// share is the part of a budget that one stream holds.
type share struct {
	b   *budget
	own int
}

// add notes that the stream holds n more.
func (s *share) add(n int) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.change(n)
}

// change is add for who holds the budget's mutex; n may be negative.
func (s *share) change(n int) {
	before := s.own
	s.own += n
	s.b.held += n
	switch {
	case before == 0 && s.own > 0:
		s.b.holders++
	case before > 0 && s.own == 0:
		s.b.holders--
	}
}

// release notes that the stream holds n less.
func (s *share) release(n int) { s.add(-n) }

// drop releases all.
func (s *share) drop() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.change(-s.own)
}

// full reports whether the stream is not to take more before it has released
// something. One that holds nothing never is.
func (s *share) full() bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.own > 0 && (s.b.held >= maxHeld || s.own >= maxHeld/s.b.holders)
}

// allow has the stream hold up to want, and returns how much: less if many want some,
// leastOut always.
func (s *share) allow(want int) int {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	n := max(min(maxHeld-s.b.held, maxHeld/(s.b.holders+1)), leastOut)
	n = min(want, n)
	s.change(n)
	return n
}
