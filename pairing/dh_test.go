package pairing

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/flynn/noise"
)

func TestCurveAgreesWithTheLibrarys(t *testing.T) {
	var c curve
	for range 3 {
		own, err := c.GenerateKeypair(nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := noise.DH25519.GenerateKeypair(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.DH(own.Private, theirs.Public)
		if err != nil {
			t.Fatal(err)
		}
		want, err := noise.DH25519.DH(theirs.Private, own.Public)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x, %v", got, want, err)
		}
	}
}

func TestCurveRefuses(t *testing.T) {
	var c curve
	own, err := c.GenerateKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][2][]byte{
		"a public key of low order": {own.Private, make([]byte, 32)},
		"a short public key":        {own.Private, own.Public[1:]},
		"a key of somebody else":    {fill(32, 1), own.Public},
	} {
		if _, err := c.DH(keys[0], keys[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
