package node

import (
	"context"

	"contactsd/contact"
	"contactsd/transport"
)

// used is a network of which it is noted with whom its streams are used: the
// connections of those are kept.
type used struct {
	transport.Network
	note func(peer contact.ODID)
}

// Open implements transport.Network.
func (u used) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	st, err := u.Network.Open(ctx, peer, p)
	if err != nil {
		return nil, err
	}
	return usedStream{st, u.note}, nil
}

// using is h for streams whose use is noted.
func (n *Node) using(h handler) handler {
	return func(ctx context.Context, st transport.Stream, d contact.Decision) {
		h(ctx, usedStream{st, n.Relation.Used}, d)
	}
}

type usedStream struct {
	transport.Stream
	note func(peer contact.ODID)
}

func (s usedStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	if n > 0 {
		s.note(s.Peer())
	}
	return n, err
}

func (s usedStream) Write(b []byte) (int, error) {
	s.note(s.Peer())
	return s.Stream.Write(b)
}
