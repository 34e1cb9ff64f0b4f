package pairing

import (
	"crypto/ed25519"
	"testing"
)

// The cryptography of one pairing, both sides and a pipe between them, beside
// what it could not do without: two Ed25519 signatures and their verification,
// as a measure of the machine.
func BenchmarkPairing(b *testing.B) {
	b.Run("session", func(b *testing.B) {
		d := newDuel(b)
		for b.Loop() {
			if d.run(); d.errS != nil || d.errE != nil {
				b.Fatal(d.errS, d.errE)
			}
		}
	})
	b.Run("signatures", func(b *testing.B) {
		pub, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			b.Fatal(err)
		}
		body := fill(65, 1)
		for b.Loop() {
			for range 2 {
				if !ed25519.Verify(pub, body, ed25519.Sign(key, body)) {
					b.Fatal("not verified")
				}
			}
		}
	})
}

// One wrong guess, as an attacker makes S compute it.
func BenchmarkWrongGuess(b *testing.B) {
	for b.Loop() {
		d := newDuel(b)
		d.entered = "000000"
		if d.run(); d.errE == nil {
			b.Fatal("no error")
		}
	}
}
