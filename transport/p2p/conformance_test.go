package p2p_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/p2p"
	"contactsd/transport/transporttest"
)

const (
	loopbackQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
	loopbackTCP  = "/ip4/127.0.0.1/tcp/0"
)

func TestConformance(t *testing.T) {
	for name, listen := range map[string][]string{
		"quic":         {loopbackQUIC},
		"tcp":          {loopbackTCP},
		"quic and tcp": {loopbackQUIC, loopbackTCP},
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T, test func(*testing.T, transporttest.Fixture)) {
				checkGoroutines(t)
				test(t, newFixture(listen))
			})
		})
	}
}

func newFixture(listen []string) transporttest.Fixture {
	last := make(map[contact.ODID]*p2p.Transport)
	return transporttest.Fixture{
		Device: func(t *testing.T, id *identity.Identity, mayDial func(contact.ODID) bool, recalled func(contact.ODID) []transport.Address) transporttest.Device {
			t.Helper()
			where := listen
			if before := last[id.Self()]; before != nil {
				where = before.ListenAddresses()
			}
			d, err := p2p.New(p2p.Config{Identity: id, Listen: where, MayDial: mayDial, Where: recalled})
			if err != nil {
				t.Fatal(err)
			}
			last[id.Self()] = d
			return d
		},
		Nowhere: func(contact.ODID) transport.Address { return "/ip4/127.0.0.1/tcp/1" },
	}
}

// checkGoroutines fails the test if goroutines of the transport outlive it.
func checkGoroutines(t *testing.T) {
	t.Helper()
	before := transportGoroutines()
	t.Cleanup(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var after []string
		for range 300 {
			if after = transportGoroutines(); len(after) <= len(before) {
				return
			}
			<-tick.C
		}
		t.Errorf("%d goroutines before, %d after:\n%s", len(before), len(after), strings.Join(after, "\n\n"))
	})
}

func transportGoroutines() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for stack := range strings.SplitSeq(string(bytes.TrimSpace(buf)), "\n\n") {
		if strings.Contains(stack, "libp2p") || strings.Contains(stack, "quic-go") || strings.Contains(stack, "transport/p2p.(") {
			found = append(found, stack)
		}
	}
	return found
}

// running returns a running device and stops it when the test ends.
func running(t testing.TB, cfg p2p.Config) *p2p.Transport {
	t.Helper()
	d, stop := runningUntil(t, cfg)
	t.Cleanup(stop)
	return d
}

// runningUntil returns a running device and what stops it.
func runningUntil(t testing.TB, cfg p2p.Config) (d *p2p.Transport, stop func()) {
	t.Helper()
	if cfg.Identity == nil {
		id, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Identity = id
	}
	if cfg.Listen == nil {
		cfg.Listen = []string{loopbackQUIC, loopbackTCP}
	}
	d, err := p2p.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return d, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func everybody(contact.ODID) bool { return true }
