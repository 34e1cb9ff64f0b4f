package profile

import (
	"context"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// serveTimeout bounds one question and its answer.
const serveTimeout = 10 * time.Second

// Handle answers a peer that asks for the profile, and owns the stream. Nothing of
// what a peer says is kept.
func (s *Service) Handle(_ context.Context, st transport.Stream, d contact.Decision) {
	door := s.contacts
	if d == contact.ServeStranger {
		door = s.strangers
	}
	peer := st.Peer()
	if !door.enter(peer) {
		_ = st.Reset()
		return
	}
	defer door.leave(peer)
	if err := s.answer(st, d, door); err != nil {
		s.log.Debug("profile: question broken off", "peer", peer.Short(), "err", err)
		_ = st.Reset()
		return
	}
	_ = st.Close()
}

func (s *Service) answer(st transport.Stream, d contact.Decision, door *door) error {
	now := time.Now()
	if err := st.SetDeadline(now.Add(serveTimeout)); err != nil {
		return err
	}
	var in request
	if err := transport.NewFrameReader(st, maxRequest).Read(&in); err != nil {
		return err
	}
	var out answer
	switch {
	case d == contact.Refuse:
		out = answer{Kind: kindPrivate}
	case !door.admit(st.Peer(), now):
		out = answer{Kind: kindLater}
	default:
		out = answerOf(*s.own.Load(), in.Held)
	}
	return transport.WriteFrame(st, out, maxAnswer)
}
