package node

import (
	"context"
	"sync/atomic"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// handler is how a feature serves a stream that passed the gate.
type handler func(ctx context.Context, st transport.Stream, d contact.Decision)

// gate is the one way in: every inbound stream is looked up once, judged by
// contact.Allow, and reaches its feature with the decision or is reset.
func (n *Node) gate(service contact.Service, h handler) transport.Handler {
	return func(ctx context.Context, st transport.Stream) {
		var party contact.Party
		err := n.DB.View(func(tx *store.Tx) (err error) {
			party, err = n.Relation.Party(tx, st.Peer())
			return err
		})
		if err != nil {
			n.log.Error("gate: relation unreadable, stream dropped", "peer", st.Peer().Short(), "err", err)
			n.streams[service][contact.Drop].Add(1)
			st.Reset()
			return
		}
		party.WindowOpen, party.Policy = n.Pairing.WindowOpen(), n.Policy()
		d := contact.Allow(party, service)
		n.streams[service][d].Add(1)
		if d == contact.Drop {
			st.Reset()
			return
		}
		h(ctx, st, d)
	}
}

const decisions = int(contact.Serve) + 1

// Streams says how many streams came in since the start, by contact.Service and
// by contact.Decision.
type Streams [contact.Services][decisions]uint64

// Streams returns the counts.
func (n *Node) Streams() (s Streams) {
	for service := range s {
		for d := range s[service] {
			s[service][d] = n.streams[service][d].Load()
		}
	}
	return s
}

// gated counts what the gate decided.
type gated [contact.Services][decisions]atomic.Uint64
