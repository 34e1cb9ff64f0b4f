package relation

import (
	"sync"

	"contactsd/contact"
)

// notice is why Run should look at a peer.
type notice struct {
	peer contact.ODID
	why  reason
}

type reason uint8

const (
	said         reason = iota // there is something to tell
	paired                     // the pairing itself exchanges; look whether it could
	connected                  // a connection came
	disconnected               // the last connection went
	full                       // the peer has no room for a connection without a reason
)

// inbox hands notices to Run in order. Putting never blocks, and there is at
// most a handful a peer, so it is bounded by the contacts there are.
type inbox struct {
	mu      sync.Mutex
	notices []notice
	wake    chan struct{} // capacity 1
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) put(n notice) {
	b.mu.Lock()
	if len(b.notices) == 0 || b.notices[len(b.notices)-1] != n {
		b.notices = append(b.notices, n)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.notices
	b.notices = nil
	return n
}
