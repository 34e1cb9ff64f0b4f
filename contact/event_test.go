package contact

import (
	"bytes"
	"testing"

	"contactsd/internal/codec"

	"pgregory.net/rapid"
)

func TestAnEventWritesWhatTheEncoderDoes(t *testing.T) {
	type plain Event
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.Make[Event]().Draw(t, "event")
		want, err := codec.Marshal(plain(e))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.Marshal(e); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, want %x (%v)", got, want, err)
		}
	})
}
