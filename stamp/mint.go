package stamp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"contactsd/contact"
)

// Lifetime is how long stamps may take from the challenge on.
const Lifetime = 10 * time.Minute

// Mint gives challenges and knows its own. It prints nothing of its key.
type Mint struct {
	key   func() []byte // a function, since nothing that prints can look into one
	first uint64        // what its clock shows at the start: nobody is to see since when it runs
	start time.Time
}

// NewMint returns a mint with a key of its own.
func NewMint() *Mint {
	var key [32]byte
	rand.Read(key[:])
	return MintOf(key)
}

// MintOf is NewMint with a given key, for tests that need the same seals again.
func MintOf(key [32]byte) *Mint {
	sum := sha256.Sum256(append([]byte(clockDomain), key[:]...))
	first := 1<<40 + binary.BigEndian.Uint64(sum[:])>>25 // of the same length in any encoding
	return &Mint{key: func() []byte { return key[:] }, first: first, start: time.Now()}
}

// now is the mint's clock, which no change of the device's clock reaches.
func (m *Mint) now() uint64 { return m.first + uint64(time.Since(m.start)/time.Second) }

// Challenge returns what author has to do for an ask now.
func (m *Mint) Challenge(author contact.ODID, bits, count int) Challenge {
	c := Challenge{Version: version, At: m.now(), Bits: bits, Count: count}
	c.Seal = m.seal(author, c)
	return c
}

const (
	sealDomain  = "contacts/challenge/1\x00"
	clockDomain = "contacts/challenge/clock/1\x00"
)

func (m *Mint) seal(author contact.ODID, c Challenge) (s Seal) {
	h := hmac.New(sha256.New, m.key())
	h.Write([]byte(sealDomain))
	h.Write(author[:])
	h.Write(binary.BigEndian.AppendUint64(nil, c.At))
	h.Write([]byte{byte(c.Bits), byte(c.Count)})
	copy(s[:], h.Sum(nil))
	return s
}

// Opens returns an error unless p answers a challenge that this mint gave author and
// that still holds, stamp for stamp: all but the work, which Examine looks at. Errors: those of
// Challenge.Check, ErrForged, ErrLapsed, ErrCount.
func (m *Mint) Opens(author contact.ODID, p Proof) error {
	c := p.Challenge
	if err := c.Check(); err != nil {
		return err
	}
	seal := m.seal(author, c)
	now := m.now()
	switch {
	case !hmac.Equal(seal[:], c.Seal[:]):
		return ErrForged
	case c.At > now || now-c.At >= uint64(Lifetime/time.Second):
		return ErrLapsed
	case len(p.Nonces) != c.Count:
		return ErrCount
	}
	return nil
}

// Examine returns ErrBad unless every stamp has its work in it. It stops at the first
// that has not, and says how many hashes it made.
func (o Order) Examine(w Work, nonces []uint64) (hashes int, err error) {
	for i, nonce := range nonces {
		hashes++
		if !o.good(w, i, nonce) {
			return hashes, ErrBad
		}
	}
	return hashes, nil
}
