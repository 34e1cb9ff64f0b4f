package p2p_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

func TestListenAddressMustBeOne(t *testing.T) {
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "127.0.0.1:4001", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1/webtransport"} {
		_, err := p2p.New(p2p.Config{Identity: id, Listen: []string{text}})
		if !errors.Is(err, transport.ErrAddress) || !strings.Contains(err.Error(), "/ip4/0.0.0.0/") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := p2p.New(p2p.Config{}); err == nil {
		t.Error("a device without identity was made")
	}
}

func TestConstructorStartsNothing(t *testing.T) {
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	d, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopbackTCP}, MDNS: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := runtime.NumGoroutine(); n != before {
		t.Errorf("%d goroutines more", n-before)
	}
	if len(d.ListenAddresses()) != 0 || len(d.Own()) != 0 {
		t.Error("it listens")
	}
}

func TestListenFailsWholeAndSaysWhere(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{
		"/ip4/127.0.0.1/tcp/" + port(tcp.Addr()),
		"/ip4/127.0.0.1/udp/" + port(udp.LocalAddr()) + "/quic-v1",
	} {
		t.Run(taken[:16], func(t *testing.T) {
			checkGoroutines(t)
			d, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopbackTCP, taken}})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Listen(); err == nil || !strings.Contains(err.Error(), taken) {
				t.Errorf("listen: %v", err)
			}
			if len(d.ListenAddresses()) != 0 {
				t.Errorf("it listens on %v", d.ListenAddresses())
			}
			if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), taken) {
				t.Errorf("run: %v", err)
			}
			if _, err := d.Open(t.Context(), contact.ODID{1}, echo); !errors.Is(err, transport.ErrClosed) {
				t.Errorf("open: %v", err)
			}
		})
	}
}

func TestRunsOnce(t *testing.T) {
	checkGoroutines(t)
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	d, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopbackTCP}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := d.Listen(); err == nil {
		t.Error("it listens twice")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ended); err != nil {
		t.Errorf("run with an ended context, which closes: %v", err)
	}
	if err := d.Run(t.Context()); err == nil {
		t.Error("it runs twice")
	}
	if c, open := <-d.Candidates(t.Context()); open {
		t.Errorf("a stopped device found %s", c.Short())
	}
}

func TestListensElsewhereAfterItFailed(t *testing.T) {
	checkGoroutines(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, prepare := range []bool{false, true} {
		id, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		d, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopbackTCP}})
		if err != nil {
			t.Fatal(err)
		}
		if prepare {
			if err := errors.Join(d.Prepare(), d.Prepare()); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.SetListen([]string{"/ip4/127.0.0.1/tcp/" + port(taken.Addr())}); err != nil {
			t.Fatal(err)
		}
		if err := d.Listen(); err == nil {
			t.Error("it listens where another does")
		}
		if err := d.SetListen([]string{"/ip4/127.0.0.1"}); !errors.Is(err, transport.ErrAddress) {
			t.Errorf("half an address: %v", err)
		}
		if err := d.SetListen([]string{loopbackTCP}); err != nil {
			t.Fatal(err)
		}
		if err := d.Listen(); err != nil || len(d.ListenAddresses()) != 1 {
			t.Errorf("it listens on %v, %v", d.ListenAddresses(), err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if d.Close() == nil || d.Run(t.Context()) == nil {
			t.Error("it closes twice, or runs after that")
		}
	}
}

func TestClosesWhatWasPrepared(t *testing.T) {
	checkGoroutines(t)
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, prepare := range []bool{false, true} {
		d, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopbackTCP}})
		if err != nil {
			t.Fatal(err)
		}
		if prepare {
			if err := d.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSilentPeerDoesNotHold dials a listener that accepts and says nothing.
func TestSilentPeerDoesNotHold(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := running(t, p2p.Config{MayDial: everybody})
	at := transport.Address("/ip4/127.0.0.1/tcp/" + port(silent.Addr()))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := d.Resolve(ctx, at); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("resolve: %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v although the caller had 50 ms", took)
	}
}

const echo transport.Protocol = "/test/echo/1"

func serveEcho(d *p2p.Transport) {
	d.Serve(echo, func(_ context.Context, s transport.Stream) {
		io.Copy(s, s)
		s.Close()
	})
}

// BenchmarkConnect is a dial of a known address and the first echo.
func BenchmarkConnect(b *testing.B) {
	for name, listen := range map[string]string{"quic": loopbackQUIC, "tcp": loopbackTCP} {
		b.Run(name, func(b *testing.B) {
			server := running(b, p2p.Config{Listen: []string{listen}, MayDial: everybody})
			serveEcho(server)
			for b.Loop() {
				b.StopTimer()
				client, stop := runningUntil(b, p2p.Config{Listen: []string{listen}, MayDial: everybody})
				client.Learn(server.Self(), server.Own())
				b.StartTimer()
				benchEcho(b, client, server)
				b.StopTimer()
				stop()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkStream is opening a stream on a connection that is there, and an echo.
func BenchmarkStream(b *testing.B) {
	for name, listen := range map[string]string{"quic": loopbackQUIC, "tcp": loopbackTCP} {
		b.Run(name, func(b *testing.B) {
			server := running(b, p2p.Config{Listen: []string{listen}})
			serveEcho(server)
			client := running(b, p2p.Config{Listen: []string{listen}, MayDial: everybody})
			client.Learn(server.Self(), server.Own())
			benchEcho(b, client, server)
			for b.Loop() {
				benchEcho(b, client, server)
			}
		})
	}
}

func benchEcho(b *testing.B, client, server *p2p.Transport) {
	b.Helper()
	s, err := client.Open(b.Context(), server.Self(), echo)
	if err != nil {
		b.Fatal(err)
	}
	s.Write([]byte("hello"))
	if _, err := io.ReadFull(s, make([]byte, 5)); err != nil {
		b.Fatal(err)
	}
	s.Close()
}

// BenchmarkMemory reports what a connection costs both ends together.
func BenchmarkMemory(b *testing.B) {
	for name, listen := range map[string]string{"quic": loopbackQUIC, "tcp": loopbackTCP} {
		b.Run(name, func(b *testing.B) {
			const clients = 40
			for b.Loop() {
				server := running(b, p2p.Config{Listen: []string{listen}})
				serveEcho(server)
				var all []*p2p.Transport
				for range clients {
					c := running(b, p2p.Config{Listen: []string{listen}, MayDial: everybody})
					c.Learn(server.Self(), server.Own())
					all = append(all, c)
				}
				before := inUse()
				for _, c := range all {
					benchEcho(b, c, server)
				}
				b.ReportMetric(float64(inUse()-before)/clients/1024, "KiB/connection")
			}
		})
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
