package pairing

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"

	"github.com/flynn/noise"
)

// curve is X25519 for one handshake. The library hands private keys around as
// bytes, and from bytes crypto/ecdh computes the public key again before it
// computes what was asked: half of the time of a handshake. So the keys that were
// made here are kept.
type curve struct{ made []pairOfKeys }

type pairOfKeys struct {
	noise.DHKey
	key *ecdh.PrivateKey
}

var _ noise.DHFunc = (*curve)(nil)

// GenerateKeypair makes a key of the system's randomness, whatever reader is given.
func (c *curve) GenerateKeypair(io.Reader) (noise.DHKey, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return noise.DHKey{}, err
	}
	pair := noise.DHKey{Private: key.Bytes(), Public: key.PublicKey().Bytes()}
	c.made = append(c.made, pairOfKeys{pair, key})
	return pair, nil
}

// DH returns an error for a public key of low order.
func (c *curve) DH(private, public []byte) ([]byte, error) {
	theirs, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	for _, own := range c.made {
		if subtle.ConstantTimeCompare(own.Private, private) == 1 {
			return own.key.ECDH(theirs)
		}
	}
	return nil, errors.New("noise: a private key that this handshake did not make")
}

// DHLen returns the length of keys and of what is agreed upon, in bytes.
func (*curve) DHLen() int { return 32 }

// DHName returns the name that goes into the name of the protocol.
func (*curve) DHName() string { return noise.DH25519.DHName() }
