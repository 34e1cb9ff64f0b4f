package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

// The port of a device is known from before, so others dial it at the very moment
// at which it listens again, before all of it is there.
func TestOthersMayConnectWhileTheDaemonStarts(t *testing.T) {
	port := freePort(t)
	home := filepath.Join(t.TempDir(), "home")
	stranger := knocker(t)
	for range 60 {
		cmd := newCommand()
		err := cmd.ParseFlags([]string{"--mdns=false", "--log-level=error", fmt.Sprintf("--listen=/ip4/127.0.0.1/tcp/%d", port)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, runOptions{home: home, flags: cmd.Flags()}) }()
		for connected := false; !connected; {
			_, err := stranger.Resolve(ctx, transport.Address(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)))
			connected = err == nil
			select {
			case err := <-ended:
				t.Fatalf("the daemon ended: %v", err)
			default:
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// knocker is another device, which listens nowhere.
func knocker(t *testing.T) *p2p.Transport {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	d, err := p2p.New(p2p.Config{Identity: id, MayDial: func(contact.ODID) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return d
}
