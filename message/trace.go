package message

import (
	"context"
	"log/slog"

	"contactsd/contact"
)

// The steps that a message is logged at, so that one can be followed by its id
// through the logs of both devices.
const (
	LogQueued       = "message queued"
	LogSent         = "message sent"
	LogAcknowledged = "message acknowledged"
	LogReceived     = "message received"
)

// tracing reports whether steps are logged.
func (s *Service) tracing() bool { return s.log.Enabled(context.Background(), slog.LevelDebug) }

// traced is a message whose step is to be logged.
type traced struct {
	peer contact.ODID
	id   ID
}

// trace logs a step of a message. The caller asks tracing before.
func (s *Service) trace(step string, peer contact.ODID, id ID) {
	s.log.Debug(step, "peer", short(peer), "message", id)
}

// short is an ODID as the log has it, made when it is written.
type short contact.ODID

// LogValue implements slog.LogValuer.
func (s short) LogValue() slog.Value { return slog.StringValue(contact.ODID(s).Short()) }

// traceFrames logs a step of each message among frames.
func (s *Service) traceFrames(step string, peer contact.ODID, frames []frame) {
	if !s.tracing() {
		return
	}
	for _, f := range frames {
		if f.Type == frameMessage {
			s.trace(step, peer, *f.ID)
		}
	}
}

// traceFlights logs a step of each message among frames that were under way.
func (s *Service) traceFlights(step string, peer contact.ODID, flights []flight) {
	if !s.tracing() {
		return
	}
	for _, f := range flights {
		for _, m := range f.messages {
			s.trace(step, peer, m.id)
		}
	}
}
