package message

import (
	"errors"
	"io"
	"testing"
	"time"

	"contactsd/transport"
)

// begun returns a service with one attempt under way to bob.
func begun(t *testing.T) (*world, *Service, *lane) {
	t.Helper()
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	s := w.alice.svc
	w.alice.write(w.bob, "one")
	begin, _ := s.sched.start(time.Now())
	if len(begin) != 1 {
		t.Fatalf("%d attempts begin", len(begin))
	}
	return w, s, begin[0]
}

// That an attempt failed is noted without waiting for the disk, and the contact may
// come before it is written down.
func TestAConnectionThatComesBeforeAFailureIsWrittenIsUsedAtOnce(t *testing.T) {
	w, s, l := begun(t)
	release := w.alice.hold()
	s.failed(l, transport.ErrUnreachable, time.Time{})
	s.connection(w.bob.self, true)
	begin, _ := s.sched.start(time.Now())
	release()
	if len(begin) != 1 {
		t.Fatal("the contact is connected and the message waits")
	}
}

// A device that was killed comes back by a second connection, of which nobody is
// told, since the first is not known to be dead. When that breaks, the contact is
// connected all along.
func TestAStreamThatBreaksWhileConnectedIsTriedAgainSoon(t *testing.T) {
	for _, c := range []struct {
		name      string
		err       error
		connected bool
		soon      bool
	}{
		{"broken", io.ErrUnexpectedEOF, true, true},
		{"broken and gone", io.ErrUnexpectedEOF, false, false},
		{"refused", refusal("not now"), true, false},
		{"turned away", transport.ErrRefused, true, false},
		{"nonsense", errProtocol, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s, l := begun(t)
			s.opened(l)
			if c.connected {
				s.connection(w.bob.self, true)
				s.look(l)
			}
			s.failed(l, errors.Join(c.err), time.Time{})
			begin, _ := s.sched.start(time.Now().Add(brokenRetry))
			if soon := len(begin) == 1; soon != c.soon {
				t.Fatalf("tried again within %v: %t", brokenRetry, soon)
			}
			if !c.soon {
				return
			}
			// It was not the connection, then.
			s.opened(l)
			s.failed(l, c.err, time.Time{})
			if begin, _ := s.sched.start(time.Now().Add(firstRetry - time.Second)); len(begin) != 0 {
				t.Fatal("tried again at once after the second failure")
			}
		})
	}
}
