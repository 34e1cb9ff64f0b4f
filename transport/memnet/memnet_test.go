package memnet_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

const echo transport.Protocol = "/test/echo/1"

// pair is two devices on one network, running until the test ends.
type pair struct {
	net  *memnet.Network
	a, b *memnet.Device
}

func newPair(t *testing.T, opt memnet.Options) pair {
	t.Helper()
	n := memnet.New(opt)
	p := pair{n, n.Device(newID(t)), n.Device(newID(t))}
	p.b.Serve(echo, func(_ context.Context, s transport.Stream) {
		io.Copy(s, s)
		s.Close()
	})
	run(t, p.a)
	run(t, p.b)
	return p
}

func run(t *testing.T, d *memnet.Device) <-chan error {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		synctest.Wait()
	})
	synctest.Wait()
	return done
}

func newID(t *testing.T) contact.ODID {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id.Self()
}

func (p pair) open(t *testing.T) transport.Stream {
	t.Helper()
	s, err := p.a.Open(t.Context(), p.b.Self(), echo)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roundTrip sends text and returns how long its echo took.
func roundTrip(t *testing.T, s transport.Stream, text string) time.Duration {
	t.Helper()
	start := time.Now()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != text {
		t.Fatalf("echo of %q: %q, %v", text, got, err)
	}
	return time.Since(start)
}

func TestLatencyDelaysDialAndData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{Latency: 30 * time.Millisecond})
		start := time.Now()
		s := p.open(t)
		if took := time.Since(start); took != 60*time.Millisecond {
			t.Errorf("the dial took %v, want two latencies", took)
		}
		if took := roundTrip(t, s, "hello"); took != 60*time.Millisecond {
			t.Errorf("the echo took %v, want two latencies", took)
		}
		start = time.Now()
		p.open(t)
		if took := time.Since(start); took != 0 {
			t.Errorf("a stream of a connection that is there took %v", took)
		}
	})
}

func TestShortCutHoldsAndHealDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{Latency: time.Millisecond})
		s := p.open(t)
		roundTrip(t, s, "before")
		p.net.Cut(p.a.Self(), p.b.Self())
		time.AfterFunc(10*time.Second, func() { p.net.Heal(p.a.Self(), p.b.Self()) })
		if took := roundTrip(t, s, "during"); took != 10*time.Second+2*time.Millisecond {
			t.Errorf("the echo took %v, want the cut and two latencies", took)
		}
	})
}

func TestLongCutLosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{})
		s := p.open(t)
		roundTrip(t, s, "before")
		start := time.Now()
		p.net.CutOneWay(p.b.Self(), p.a.Self())
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("read from a lost connection")
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("lost after %v, want the idle time", took)
		}
		synctest.Wait()
		if len(p.a.Connected())+len(p.b.Connected()) != 0 {
			t.Error("a lost connection is still listed")
		}
		start = time.Now()
		if _, err := p.a.Open(t.Context(), p.b.Self(), echo); !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("open over a cut: %v", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it failed after %v, want the dial timeout", took)
		}
		p.net.Heal(p.a.Self(), p.b.Self())
		roundTrip(t, p.open(t), "after")
	})
}

func TestOneWayCutLetsTheOtherWayThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{})
		got := make(chan string, 1)
		p.b.Serve("/test/sink/1", func(_ context.Context, s transport.Stream) {
			b, _ := io.ReadAll(s)
			got <- string(b)
			io.WriteString(s, "thanks")
			s.Close()
		})
		s, err := p.a.Open(t.Context(), p.b.Self(), "/test/sink/1")
		if err != nil {
			t.Fatal(err)
		}
		p.net.CutOneWay(p.b.Self(), p.a.Self())
		io.WriteString(s, "through")
		s.CloseWrite()
		if text := <-got; text != "through" {
			t.Errorf("got %q", text)
		}
		s.SetDeadline(time.Now().Add(time.Second))
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read against the cut: %v", err)
		}
	})
}

func TestDropIsSeenByBothAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{})
		s := p.open(t)
		roundTrip(t, s, "x")
		p.net.Drop(p.a.Self(), p.b.Self())
		if len(p.a.Connected())+len(p.b.Connected()) != 0 {
			t.Error("a dropped connection is still listed")
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Error("wrote to a dropped connection")
		}
		roundTrip(t, p.open(t), "again")
	})
}

func TestCrashIsNoticedAfterTheIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		a, b := n.Device(newID(t)), n.Device(newID(t))
		ended := make(chan struct{})
		b.Serve(echo, func(ctx context.Context, s transport.Stream) {
			defer close(ended)
			if _, err := s.Read(make([]byte, 1)); err == nil {
				t.Error("read after the crash")
			}
			<-ctx.Done()
		})
		run(t, a)
		done := run(t, b)
		s, err := a.Open(t.Context(), b.Self(), echo)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n.Crash(b.Self())
		<-ended
		if err := <-done; !errors.Is(err, memnet.ErrCrashed) {
			t.Errorf("Run of the crashed device: %v", err)
		}
		start := time.Now()
		if len(a.Connected()) != 1 {
			t.Error("the peer noticed at once")
		}
		if _, err := s.Read(make([]byte, 1)); err == nil || time.Since(start) != 30*time.Second {
			t.Errorf("the peer noticed after %v: %v", time.Since(start), err)
		}
		again := n.Device(b.Self())
		again.Serve(echo, func(_ context.Context, s transport.Stream) { s.Close() })
		run(t, again)
		if _, err := a.Open(t.Context(), b.Self(), echo); err != nil {
			t.Errorf("open to the restarted device: %v", err)
		}
	})
}

func TestWritersWaitForReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{Buffer: 10})
		p.b.Serve("/test/slow/1", func(_ context.Context, s transport.Stream) {
			<-time.After(time.Second)
			io.Copy(io.Discard, s)
			s.Close()
		})
		s, err := p.a.Open(t.Context(), p.b.Self(), "/test/slow/1")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if n, err := s.Write(make([]byte, 10)); n != 10 || err != nil || time.Since(start) != 0 {
			t.Errorf("what fits: %d, %v after %v", n, err, time.Since(start))
		}
		if n, err := s.Write(make([]byte, 25)); n != 25 || err != nil || time.Since(start) != time.Second {
			t.Errorf("what does not fit: %d, %v after %v", n, err, time.Since(start))
		}
	})
}

func TestDelayReordersStreamsButNotWhatIsInThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delay time.Duration
		p := newPair(t, memnet.Options{Latency: time.Millisecond, Delay: func(contact.ODID, contact.ODID) time.Duration { return delay }})
		slow, fast := p.open(t), p.open(t)
		roundTrip(t, slow, "warm")
		delay = time.Second
		io.WriteString(slow, "one")
		delay = 0
		io.WriteString(slow, "two")
		start := time.Now()
		if took := roundTrip(t, fast, "other"); took != 2*time.Millisecond {
			t.Errorf("another stream took %v", took)
		}
		got := make([]byte, 6)
		if _, err := io.ReadFull(slow, got); err != nil || string(got) != "onetwo" {
			t.Errorf("%q, %v", got, err)
		}
		if took := time.Since(start); took != time.Second+2*time.Millisecond {
			t.Errorf("what was held up took %v", took)
		}
	})
}

func TestTapSeesWhatLeavesAndStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen, rest string
		var b contact.ODID
		dead := false
		p := newPair(t, memnet.Options{Tap: func(from, to contact.ODID, proto transport.Protocol, data []byte) bool {
			switch {
			case dead:
				return false
			case to == b && proto == echo:
				seen += string(data)
			default:
				rest += string(data)
			}
			return true
		}})
		b = p.b.Self()
		s := p.open(t)
		roundTrip(t, s, "hello")
		if seen != "hello" || rest != "hello" {
			t.Errorf("seen: %q one way, %q the other", seen, rest)
		}
		dead = true
		if n, err := io.WriteString(s, "more"); n != 0 || err == nil {
			t.Errorf("after the end: %d bytes, %v", n, err)
		}
	})
}

func TestDoubledConnectionsAreOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, memnet.Options{Latency: time.Millisecond})
		p.net.Double(p.a.Self(), p.b.Self())
		if n := p.net.Connections(p.a.Self(), p.b.Self()); n != 0 {
			t.Errorf("%d connections of two that have none", n)
		}
		s := p.open(t)
		p.net.Double(p.b.Self(), p.a.Self())
		if n := p.net.Connections(p.a.Self(), p.b.Self()); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		if got := p.a.Connected(); len(got) != 1 {
			t.Errorf("connected with %v", got)
		}
		roundTrip(t, s, "on the first")
		roundTrip(t, p.open(t), "on the newest")
	})
}
