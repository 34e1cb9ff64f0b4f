package stamp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"contactsd/contact"
	"contactsd/internal/codec"
)

const (
	version   = 1
	sealSize  = 16 // bytes
	nonceSize = 8  // bytes
	maxCount  = 8  // stamps for one ask
)

// Errors of challenges and proofs.
var (
	ErrVersion = errors.New("stamps of a version that is not known here")
	ErrHard    = errors.New("more work is asked for than is done for one request")
	ErrForged  = errors.New("a challenge that was not given to this device, or before a restart")
	ErrLapsed  = errors.New("a challenge that is over")
	ErrCount   = errors.New("another number of stamps than was asked for")
	ErrBad     = errors.New("a stamp without the work that was asked for")
)

// Seal is what makes a challenge its maker's.
type Seal [sealSize]byte

// UnmarshalCBOR accepts a byte string of exactly the right length.
func (s *Seal) UnmarshalCBOR(data []byte) error { return codec.Fixed(s[:], data) }

// Challenge is what an ask is to be stamped for.
type Challenge struct {
	Version uint8  `cbor:"1,keyasint"`
	At      uint64 `cbor:"2,keyasint"` // seconds, by a clock that only its maker has
	Bits    int    `cbor:"3,keyasint"` // that the hash of each stamp has to begin with
	Count   int    `cbor:"4,keyasint"` // of stamps
	Seal    Seal   `cbor:"5,keyasint"`
}

// Check returns what is wrong with a challenge for who is to work for it: ErrVersion,
// ErrHard or ErrCount.
func (c Challenge) Check() error {
	switch {
	case c.Version != version:
		return ErrVersion
	case c.Bits < 0 || c.Bits > contact.MaxDifficulty:
		return fmt.Errorf("%w: %d bits, at most %d", ErrHard, c.Bits, contact.MaxDifficulty)
	case c.Count < 1 || c.Count > maxCount:
		return fmt.Errorf("%w: %d, from 1 to %d are made", ErrCount, c.Count, maxCount)
	}
	return nil
}

// Hashes returns how many hashes the stamps take on average.
func (c Challenge) Hashes() int { return c.Count << c.Bits }

// Proof is a challenge with the stamps that were made for it.
type Proof struct {
	Challenge Challenge `cbor:"1,keyasint"`
	Nonces    []uint64  `cbor:"2,keyasint"`
}

// Order is what stamps are made for.
type Order struct {
	Challenge       Challenge
	Author, Subject contact.ODID
	Ask             contact.Digest
}

// text is what is hashed of the stamp with an index, with nonce 0.
func (o Order) text(index int) []byte {
	b := make([]byte, 0, 1+sealSize+3*32+1+nonceSize)
	b = append(b, version)
	b = append(b, o.Challenge.Seal[:]...)
	b = append(b, o.Author[:]...)
	b = append(b, o.Subject[:]...)
	b = append(b, o.Ask[:]...)
	b = append(b, byte(index))
	return binary.BigEndian.AppendUint64(b, 0)
}

// good reports whether the stamp with an index has the work in it.
func (o Order) good(w Work, index int, nonce uint64) bool {
	text := o.text(index)
	binary.BigEndian.PutUint64(text[len(text)-nonceSize:], nonce)
	return w.Sum(text).zeros() >= o.Challenge.Bits
}
