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

// deferral is the peer's answer that it would take messages and can't now.
type deferral string

func (d deferral) Error() string { return "put off: " + string(d) }

// errHeld: this device knows that the contact takes no messages.
var errHeld = errors.New("the contact takes no messages")

// attempt delivers to one contact until its queue is empty or something fails.
func (s *Service) attempt(ctx context.Context, l *lane) {
	s.look(l)
	h, err := s.peek(l.peer)
	if err == nil && h.ready() && !s.reachable(l) {
		s.leave(l, h.expires, holdAway) // neither dialled nor written down: nothing happened
		return
	}
	if err == nil && h.ready() {
		s.traffic.attempts.Add(1)
		err = s.deliver(ctx, l)
	}
	switch {
	case ctx.Err() != nil:
		s.leave(l, time.Now(), holdNone)
	case errors.Is(err, errHeld), err == nil && !h.empty && !h.open:
		s.leave(l, h.expires, holdClosed)
	case err != nil:
		s.failed(l, err, h.expires)
	default:
		s.leave(l, time.Time{}, holdNone)
	}
}

// reachable reports whether there is a way to the contact of an active lane: a
// connection, or an address to dial.
func (s *Service) reachable(l *lane) bool {
	s.mu.Lock()
	connected := s.sched.connected[l.peer]
	l.found = false
	s.mu.Unlock()
	return connected || s.dialable(l.peer)
}

// failed says when the next attempt is and why, in words.
func (s *Service) failed(l *lane, cause error, expires time.Time) {
	s.traffic.failures.Add(1)
	t := s.fail(l, cause, expires, time.Now())
	s.log.Debug("delivery failed", "peer", short(l.peer), "attempts", t.attempts, "next", t.next, "err", cause)
}

func (s *Service) fail(l *lane, cause error, expires, now time.Time) trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.attempts++
	if l.attempts == 1 || l.since.IsZero() {
		l.since = now
	}
	l.trouble = inWords(cause)
	next := now.Add(backoff(l.attempts, retryLimit(cause)))
	t := trouble{l.attempts, l.since, next, l.trouble}
	s.note(l.peer, t)
	if !expires.IsZero() && expires.Before(next) {
		next = expires
	}
	if !final(cause) && s.sched.connected[l.peer] {
		switch {
		case l.met && l.opening:
			next = now // the peer came to this device while this one looked for it
		case l.attempts == 1:
			// The connection that broke is not always the only one: a device that was
			// killed comes back by a new one before its old one is known to be dead.
			next = earlier(next, now.Add(brokenRetry))
		}
	}
	s.left(l, next, holdNone)
	return t
}

// retryLimit is the longest delay after a failure. Nobody tells when there is room
// on a disk again.
func retryLimit(cause error) time.Duration {
	if _, full := errors.AsType[deferral](cause); full || errors.Is(cause, store.ErrFull) {
		return fullRetry
	}
	return lastRetry
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
	var d deferral
	return errors.As(err, &r) || errors.As(err, &d) || errors.Is(err, transport.ErrRefused) || errors.Is(err, errProtocol)
}

// inWords says to a person what kept a message from its way.
func inWords(err error) string {
	var r refusal
	var d deferral
	switch {
	case errors.As(err, &r):
		return r.Error()
	case errors.As(err, &d):
		return d.Error()
	case errors.Is(err, store.ErrFull):
		return "the disk of this device is full"
	case errors.Is(err, transport.ErrRefused):
		return "turned away"
	case errors.Is(err, transport.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return "unreachable"
	}
	return "interrupted"
}
