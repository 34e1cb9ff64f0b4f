package contact

import (
	"crypto/ed25519"
	"errors"
	"testing"
)

// TestProofOfAnAsk: a statement whose ask has a proof of something else is not opened.
func TestProofOfAnAsk(t *testing.T) {
	for name, one := range map[string]struct {
		change func(*Statement)
		want   error
	}{
		"its own":            {func(*Statement) {}, nil},
		"none":               {func(s *Statement) { s.Ask.Proof = nil }, nil},
		"of another wording": {func(s *Statement) { s.Ask.Wording += "!" }, ErrSignature},
		"of another id":      {func(s *Statement) { s.Ask.ID[3]++ }, ErrSignature},
		"for another device": {func(s *Statement) { s.Subject = testODID(t, 3) }, ErrSignature},
		"of another author": {func(s *Statement) {
			d, _ := s.Ask.Digest()
			s.Ask.Proof = ed25519.Sign(testKey(3), AskSigningBytes(s.Author, s.Subject, d))
		}, ErrSignature},
		"cut": {func(s *Statement) { s.Ask.Proof = s.Ask.Proof[:63] }, ErrStatement},
	} {
		s := fullStatement(t)
		before, _ := s.Ask.Digest()
		one.change(&s)
		b, err := s.Encode()
		if err == nil {
			_, err = sign(1, b).Open()
		}
		if !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
		if after, _ := s.Ask.Digest(); one.want == nil && after != before {
			t.Errorf("%s: the proof changes the digest", name)
		}
	}
}
