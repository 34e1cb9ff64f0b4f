package message

import (
	"contactsd/contact"
	"contactsd/store"
)

// The window: what may be under way unacknowledged to one contact. A batch of
// the receiver is no larger.
const (
	windowFrames = 1024
	windowBytes  = 1 << 20
	streamBuffer = 32 << 10 // bytes between a stream and its frames
)

// flight is a frame that was sent and is not acknowledged.
type flight struct {
	last     position
	size     int
	messages []item // that it settles
}

// item is a message of the outbox.
type item struct {
	order uint64
	id    ID
}

// cargo is what one step of a delivery found to send.
type cargo struct {
	frames  []frame
	flights []flight
	size    int
	pos     position // after the last frame
	more    bool     // the window ended it, not the queue
	held    bool     // the contact does not take messages
}

// step takes the receiver's hello, if one came, and what comes next, up to the
// free part of the window.
type step struct {
	hello  *have
	pos    position // of the last frame that was sent
	frames int      // free
	bytes  int
}

// step returns what to send. Numbers it gives out are durable when it returns, and
// so is what it read: a View could see a commit that is not synced yet.
func (s *Service) step(id contact.ODID, in step) (c cargo, err error) {
	err = s.db.Update(func(tx *store.Tx) error {
		c = cargo{pos: in.pos}
		if in.hello != nil {
			if err := s.resume(tx, id, *in.hello); err != nil {
				return err
			}
			c.pos = position{in.hello.Epoch, in.hello.Seq}
		}
		peer, err := getAccount(tx, id)
		if err != nil {
			return err
		}
		v, known, err := s.relation(tx, id)
		if c.held = !known || !open(v); c.held || err != nil {
			return err
		}
		l := loader{tx: tx, peer: peer, in: in, out: &c}
		return l.load()
	})
	return c, err
}
