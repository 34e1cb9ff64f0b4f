package stamp

import (
	"context"
	"encoding/binary"
	"math/bits"

	"golang.org/x/crypto/argon2"
)

// Sum is the hash of a stamp's text.
type Sum [32]byte

// zeros returns how many bits it begins with that are 0.
func (s Sum) zeros() int {
	n := 0
	for ; n < len(s) && s[n] == 0; n++ {
	}
	if n == len(s) {
		return 8 * n
	}
	return 8*n + bits.LeadingZeros8(s[n])
}

// Work is a hash that costs whoever computes it time and memory.
type Work interface {
	Sum(text []byte) Sum
}

// Argon2 is the hash that devices use: argon2id of RFC 9106 with one pass over 8
// MiB, about 6 ms on a small computer, which special hardware does little faster.
type Argon2 struct{}

const (
	passes  = 1
	memory  = 8 << 10 // KiB
	threads = 1
	salt    = "contacts/stamp/1"
)

// Sum implements Work.
func (Argon2) Sum(text []byte) Sum {
	return Sum(argon2.IDKey(text, []byte(salt), passes, memory, threads, uint32(len(Sum{}))))
}

// Make finds the nonce of the stamp with an index, and says how many hashes that
// took: 2 to the power of the bits on average. It returns ctx's error if that ends
// first, at the latest after one more hash.
func (o Order) Make(ctx context.Context, w Work, index int) (nonce uint64, hashes uint64, err error) {
	text := o.text(index)
	for ; ; nonce++ {
		if err := ctx.Err(); err != nil {
			return 0, hashes, err
		}
		binary.BigEndian.PutUint64(text[len(text)-nonceSize:], nonce)
		hashes++
		if w.Sum(text).zeros() >= o.Challenge.Bits {
			return nonce, hashes, nil
		}
	}
}
