package message

import (
	"context"
	"time"

	"contactsd/transport"
)

// dialPatience is how long an attempt may take to get a stream, after so many that
// failed. A contact that is there answers soon; one that needs longer gets it when
// those that are there have had their turn.
func dialPatience(failed int) time.Duration {
	return min(firstDial<<min(failed, 8), openTimeout)
}

// open opens the stream of an attempt and gives its dial back. If the contact comes
// by itself while it is dialled in vain, the stream is opened on that connection.
func (s *Service) open(ctx context.Context, l *lane) (transport.Stream, error) {
	defer s.dialled(l)
	st, err := s.tryOpen(ctx, l)
	if err != nil && ctx.Err() == nil && s.came(l) {
		st, err = s.tryOpen(ctx, l)
	}
	return st, err
}

func (s *Service) tryOpen(ctx context.Context, l *lane) (transport.Stream, error) {
	s.mu.Lock()
	patience := openTimeout
	if l.dialing {
		patience = dialPatience(l.attempts)
	}
	s.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// Given up is not timed out: it says nothing against the contact.
	dial, giveUp := context.WithCancel(bounded)
	defer giveUp()
	s.mu.Lock()
	if l.dialing {
		l.giveUp = giveUp // a connection that came before is used by what follows
	}
	s.mu.Unlock()
	return s.net.Open(dial, l.peer, Protocol)
}

// came reports whether a connection came while the contact was dialled, once.
func (s *Service) came(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	came := l.met && s.sched.connected[l.peer]
	l.met, l.giveUp = false, nil
	return came
}

// dialled says that an attempt needs no dial any more.
func (s *Service) dialled(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.giveUp = nil
	s.free(l)
}
