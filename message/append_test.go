package message

import (
	"bytes"
	"testing"

	"contactsd/internal/codec"

	"pgregory.net/rapid"
)

// The types without their methods, so that the encoder writes them.
type (
	plainRecord  record
	plainPlace   place
	plainPending pending
	plainHave    have
	plainFrame   frame
)

func TestAppendersWriteWhatTheEncoderDoes(t *testing.T) {
	t.Run("record", func(t *testing.T) { agrees(t, func(r record) any { return plainRecord(r) }) })
	t.Run("place", func(t *testing.T) { agrees(t, func(p place) any { return plainPlace(p) }) })
	t.Run("pending", func(t *testing.T) { agrees(t, func(p pending) any { return plainPending(p) }) })
	t.Run("have", func(t *testing.T) { agrees(t, func(h have) any { return plainHave(h) }) })
	t.Run("frame", func(t *testing.T) { agrees(t, func(f frame) any { return plainFrame(f) }) })
}

func agrees[T codec.Appender](t *testing.T, plain func(T) any) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Make[T]().Draw(t, "value")
		want, err := codec.Marshal(plain(v))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.Marshal(v); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, want %x (%v)", got, want, err)
		}
	})
}
