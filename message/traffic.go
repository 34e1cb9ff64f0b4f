package message

import "sync/atomic"

// Traffic counts what happened since the start.
type Traffic struct {
	Queued    uint64 // messages that were put into the outbox
	Delivered uint64 // messages that contacts acknowledged
	Received  uint64 // messages of contacts that were stored
	Attempts  uint64 // to deliver
	Failures  uint64 // attempts that got nowhere, or broke
}

// traffic is Traffic as it is counted.
type traffic struct {
	queued, delivered, received, attempts, failures atomic.Uint64
}

// Traffic returns what was counted.
func (s *Service) Traffic() Traffic {
	t := &s.traffic
	return Traffic{
		Queued: t.queued.Load(), Delivered: t.delivered.Load(), Received: t.received.Load(),
		Attempts: t.attempts.Load(), Failures: t.failures.Load(),
	}
}
