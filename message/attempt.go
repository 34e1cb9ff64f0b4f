package message

import (
	"context"
	"errors"
	"time"

	"contactsd/store"
	"contactsd/transport"
)

// refusal is the peer's answer that it takes no messages.
type refusal string

func (r refusal) Error() string { return "refused: " + string(r) }

// errHeld: this device knows that the contact takes no messages.
var errHeld = errors.New("the contact takes no messages")

// attempt delivers to one contact until its queue is empty or something fails.
func (s *Service) attempt(ctx context.Context, l *lane) {
	s.look(l)
	h, err := s.peek(l.peer)
	if err == nil && !h.empty && h.open {
		s.traffic.attempts.Add(1)
		err = s.deliver(ctx, l)
	}
	switch {
	case ctx.Err() != nil:
		s.leave(l, time.Now(), false)
	case errors.Is(err, errHeld), err == nil && !h.empty && !h.open:
		s.leave(l, h.expires, true)
	case err != nil:
		s.failed(l, err, h.expires)
	default:
		s.leave(l, time.Time{}, false)
	}
}

// failed writes down when the next attempt is and why, in words.
func (s *Service) failed(l *lane, cause error, expires time.Time) {
	s.traffic.failures.Add(1)
	s.mu.Lock()
	l.attempts++
	n := l.attempts
	s.mu.Unlock()
	now := time.Now()
	next := now.Add(backoff(n))
	err := s.db.Update(func(tx *store.Tx) error {
		peer, err := getAccount(tx, l.peer)
		if err != nil {
			return err
		}
		if n == 1 || peer.Since == 0 {
			peer.Since = millis(now)
		}
		peer.Attempts, peer.Next, peer.Trouble = uint64(n), millis(next), inWords(cause)
		return nil
	})
	s.log.Debug("delivery failed", "peer", l.peer.Short(), "attempts", n, "next", next, "err", cause)
	if err != nil {
		s.log.Error("next attempt not written down", "peer", l.peer.Short(), "err", err)
	}
	if !expires.IsZero() && expires.Before(next) {
		next = expires
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !final(cause) && s.sched.connected[l.peer] {
		switch {
		case l.met && l.opening:
			next = time.Now() // the peer came to this device while this one looked for it
		case n == 1:
			// The connection that broke is not always the only one: a device that was
			// killed comes back by a new one before its old one is known to be dead.
			next = earlier(next, now.Add(brokenRetry))
		}
	}
	s.left(l, next, false)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// final reports whether trying again at once can't help: the peer has answered.
func final(err error) bool {
	var r refusal
	return errors.As(err, &r) || errors.Is(err, transport.ErrRefused) || errors.Is(err, errProtocol)
}

// inWords says to a person what kept a message from its way.
func inWords(err error) string {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r.Error()
	case errors.Is(err, transport.ErrRefused):
		return "turned away"
	case errors.Is(err, transport.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return "unreachable"
	}
	return "interrupted"
}
