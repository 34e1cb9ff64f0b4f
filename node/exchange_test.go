package node_test

import (
	"context"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/node"
	"contactsd/relation"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// stalled is a network over which no exchange of a relation comes to its end.
type stalled struct {
	*memnet.Device
	tried chan struct{}
}

func (s stalled) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	if p != relation.Protocol {
		return s.Device.Open(ctx, peer, p)
	}
	select {
	case s.tried <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// Messages have streams of their own: they come at once when two devices meet again,
// however long what the two exchange of their relation takes.
func TestExchangeDoesNotDelayMessages(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		bob.halts()
		ana.halts()
		tried := make(chan struct{}, 1)
		for _, p := range []*person{ana, bob} {
			p.over = func(d *memnet.Device) node.Transport { return stalled{d, tried} }
		}
		ana.starts()
		ana.writes(bob, "before")
		bob.starts()
		bob.writes(ana, "after")
		settle(10 * time.Second)
		if len(tried) == 0 {
			t.Error("nothing was to be exchanged, so nothing was held up")
		}
		bob.hasRead(ana, "before")
		ana.hasRead(bob, "after")
	})
}
