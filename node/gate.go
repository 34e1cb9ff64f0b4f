package node

import (
	"context"

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
			st.Reset()
			return
		}
		party.WindowOpen = n.Pairing.WindowOpen()
		d := contact.Allow(party, service)
		if d == contact.Drop {
			st.Reset()
			return
		}
		h(ctx, st, d)
	}
}
