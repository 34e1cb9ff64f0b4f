package desktop

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/client"
	"contactsd/desktop/bus"
)

// glass is a screen that tests look at.
type glass struct {
	looks     chan bus.Look
	came      chan bus.Notification
	dismissed chan uint32
	events    chan bus.Event
	hold      chan struct{} // Notify waits for it, unless it is nil
	early     *bus.Event    // comes before Notify has returned
	broken    error         // of Notify
	last      uint32
}

func newGlass() *glass {
	return &glass{looks: make(chan bus.Look, 64), came: make(chan bus.Notification, 64), dismissed: make(chan uint32, 64), events: make(chan bus.Event)}
}

func (g *glass) Show(l bus.Look) error    { g.looks <- l; return nil }
func (g *glass) Markup() bool             { return true }
func (g *glass) Events() <-chan bus.Event { return g.events }

func (g *glass) Dismiss(_ context.Context, id uint32) { g.dismissed <- id }

func (g *glass) Notify(_ context.Context, n bus.Notification, replaces uint32) (uint32, error) {
	if g.hold != nil {
		<-g.hold
	}
	if g.broken != nil {
		return 0, g.broken
	}
	if replaces == 0 {
		g.last++
		replaces = g.last
	}
	g.came <- n
	if g.early != nil {
		e := *g.early
		e.Notice = replaces
		g.events <- e // until the loop has it
	}
	return replaces, nil
}

// stage runs a tray whose daemon does not run.
type stage struct {
	*testing.T
	*Tray
	*glass
	*chair
	opened chan string
	stop   func() error
}

func onStage(t *testing.T, test func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, glass: newGlass(), chair: &chair{changed: make(chan struct{}, 1)}, opened: make(chan string, 8)}
		socket := filepath.Join(t.TempDir(), "none.sock")
		var err error
		s.Tray, err = New(Config{
			Client: &client.Client{Socket: socket}, Screen: s.glass, Seat: s.chair,
			Open: func(_ context.Context, file string) error { s.opened <- file; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Tray.Run(ctx) }()
		s.stop = func() error { cancel(); return <-ended }
		test(s)
		cancel()
	})
}

func (s *stage) put(n notice) {
	n2 := n
	s.Tray.tell(s.Context(), update{notice: &n2})
}

func (s *stage) over(key string) { s.Tray.tell(s.Context(), update{over: key}) }

// got returns what is in a channel when nothing moves any more.
func got[T any](s *stage, what string, from chan T) (v T) {
	s.Helper()
	synctest.Wait()
	select {
	case v = <-from:
	default:
		s.Fatalf("no %s", what)
	}
	return v
}

func (s *stage) nothing(what string, n int) {
	s.Helper()
	synctest.Wait()
	if n := n; n != 0 {
		s.Errorf("%d %s", n, what)
	}
}

// TestAnswerBeforeTheServerHasSaidTheID: the user is as fast as that, or the bus as
// slow.
func TestAnswerBeforeTheServerHasSaidTheID(t *testing.T) {
	onStage(t, func(s *stage) {
		s.glass.early = &bus.Event{Action: acceptKey}
		s.put(request(1))
		got(s, "notification", s.came)
		s.glass.early = nil
		// No daemon takes the answer, and that is said.
		if n := got(s, "outcome", s.came); n.Summary != "The request was not answered" {
			s.Errorf("got %+v", n)
		}
		if err := s.stop(); err != nil {
			s.Error(err)
		}
	})
}

func TestNoticeThatIsOverWhileItIsSentGoes(t *testing.T) {
	onStage(t, func(s *stage) {
		s.glass.hold = make(chan struct{})
		s.put(request(1))
		synctest.Wait()
		s.over(requestKey("1"))
		close(s.glass.hold)
		got(s, "notification", s.came)
		if id := got(s, "end of it", s.dismissed); id != 1 {
			s.Errorf("%d was taken back", id)
		}
		if err := s.stop(); err != nil {
			s.Error(err)
		}
	})
}

func TestFloodIsToldWithoutHaste(t *testing.T) {
	onStage(t, func(s *stage) {
		for i := range 200 {
			s.put(request(i))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(s.came); n < 10 || n > 25 {
			s.Errorf("%d notifications in 200 s", n)
		}
		if err := s.stop(); err != nil {
			s.Error(err)
		}
		// Their buttons would do nothing any more.
		s.nothing("notifications stay", len(s.Tray.board.shown)-len(s.dismissed))
	})
}

// TestServerThatFails: the tray goes on, and shows the code on the page instead.
func TestServerThatFails(t *testing.T) {
	onStage(t, func(s *stage) {
		s.glass.broken = errors.New("no server")
		s.put(request(1))
		s.put(request(2))
		synctest.Wait()
		s.glass.broken = nil
		s.put(request(3))
		got(s, "notification", s.came)
		if err := s.stop(); err != nil {
			s.Error(err)
		}
	})
}

func TestQuit(t *testing.T) {
	onStage(t, func(s *stage) {
		if l := got(s, "look", s.glass.looks); l.ToolTip != "contactsd is not running" {
			s.Errorf("looks %+v", l)
		}
		s.events <- bus.Event{Entry: quitEntry}
		synctest.Wait()
		if err := s.stop(); !errors.Is(err, ErrQuit) {
			s.Errorf("ended with %v", err)
		}
	})
}

func TestConfigOfATray(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a tray of nothing")
	}
}

// chair is a seat on which nobody is seen.
type chair struct {
	changed chan struct{}
	looks   atomic.Int32
}

func (c *chair) Idle(context.Context) (time.Duration, bool) { c.looks.Add(1); return 0, false }

func (c *chair) Changed() <-chan struct{} { return c.changed }

func TestUserIsLookedAt(t *testing.T) {
	onStage(t, func(s *stage) {
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if n := s.chair.looks.Load(); n != 4 {
			s.Errorf("%d looks in a minute, want 4", n)
		}
		s.changed <- struct{}{}
		synctest.Wait()
		if n := s.chair.looks.Load(); n != 5 {
			s.Errorf("%d looks after a change, want one more", n)
		}
		if err := s.stop(); err != nil {
			s.Error(err)
		}
	})
}
