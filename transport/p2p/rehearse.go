package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

const rehearsalTimeout = 2 * time.Second

// Rehearse has this device answer itself once by TCP and once by QUIC, both sides
// of the handshake, up to the moment when they know who is there. A first
// handshake takes two or three times as long as the next, since nothing of it was
// ever run; whoever rehearses while nobody waits spares that to the first pairing.
// Nothing leaves this machine, and nobody is told of a connection.
//
// It returns an error if the device does not hear itself at an address that it
// listens on.
func (t *Transport) Rehearse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rehearsalTimeout)
	defer cancel()
	heard := make(map[bool]bool) // by TCP or not
	for _, a := range nearestFirst(t.everywhere()) {
		way := t.swarm.TransportForDialing(a)
		if way == nil {
			return transport.ErrClosed
		}
		if heard[isTCP(a)] {
			continue
		}
		heard[isTCP(a)] = true
		key, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		c, err := way.Dial(ctx, a, peerOf(contact.ODID(key)))
		if err == nil {
			c.Close()
			err = errors.New("somebody else answers")
		}
		if who := mismatch(err); who == nil || who.peer != peerOf(t.self) {
			return fmt.Errorf("rehearse at %s: %w", a, err)
		}
	}
	return nil
}
