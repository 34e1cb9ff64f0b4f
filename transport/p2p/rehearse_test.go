package p2p_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

func TestRehearsalReachesNobodyElse(t *testing.T) {
	for name, listen := range map[string][]string{
		"both": {loopbackQUIC, loopbackTCP}, "all interfaces": {"/ip4/0.0.0.0/tcp/0"}, "nowhere": nil,
	} {
		t.Run(name, func(t *testing.T) {
			id, err := identity.Generate()
			if err != nil {
				t.Fatal(err)
			}
			d, err := p2p.New(p2p.Config{Identity: id, Listen: listen})
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			defer d.Watch(func(contact.ODID, bool) { told++ })()
			if err := d.Listen(); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() {
				if err := d.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			if err := d.Rehearse(ctx); err != nil {
				t.Error(err)
			}
			stop()
			done.Wait()
			if told > 0 {
				t.Errorf("told of %d connections", told)
			}
			if err := d.Rehearse(t.Context()); err != nil && !errors.Is(err, transport.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}
