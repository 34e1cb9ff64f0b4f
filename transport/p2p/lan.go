package p2p

import (
	"context"

	"contactsd/contact"
)

type lan struct{}

func (t *Transport) discover(ctx context.Context) {}

// Announce implements transport.Neighbourhood.
func (t *Transport) Announce(ctx context.Context) {}

// Candidates implements transport.Neighbourhood.
func (t *Transport) Candidates(ctx context.Context) <-chan contact.ODID {
	c := make(chan contact.ODID)
	go func() {
		<-ctx.Done()
		close(c)
	}()
	return c
}
