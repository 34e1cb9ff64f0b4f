package codec

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

type inner struct {
	Text string `cbor:"1,keyasint"`
}

type appended struct {
	Uint     uint64 `cbor:"1,keyasint"`
	Int      int64  `cbor:"2,keyasint"`
	Bytes    []byte `cbor:"3,keyasint"`
	Text     string `cbor:"4,keyasint"`
	OptUint  uint64 `cbor:"5,keyasint,omitempty"`
	OptBytes []byte `cbor:"6,keyasint,omitempty"`
	OptText  string `cbor:"7,keyasint,omitempty"`
	OptTrue  bool   `cbor:"8,keyasint,omitempty"`
	Inner    inner  `cbor:"24,keyasint"`
}

func (i inner) AppendCBOR(b []byte) []byte {
	m := BeginMap(b, 0)
	m.Text(1, i.Text)
	return m.End()
}

func (a appended) AppendCBOR(b []byte) []byte {
	m := BeginMap(b, 64+len(a.Bytes)+len(a.OptBytes))
	m.Uint(1, a.Uint)
	m.Int(2, a.Int)
	m.Bytes(3, a.Bytes)
	m.Text(4, a.Text)
	m.OptUint(5, a.OptUint)
	m.OptBytes(6, a.OptBytes)
	m.OptText(7, a.OptText)
	m.OptTrue(8, a.OptTrue)
	m.Append(24, a.Inner)
	return m.End()
}

// plain has the fields without the method, so that the encoder writes it.
type plain appended

func TestAnAppenderWritesWhatTheEncoderDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Make[appended]().Draw(t, "value")
		n := rapid.SampledFrom([]uint64{0, 1, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}).Draw(t, "edge")
		v.OptUint, v.Int = n, int64(^n)
		want, err := Marshal(plain(v))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Marshal(v)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x (%v)", got, want, err)
		}
		var b bytes.Buffer
		b.WriteString("before")
		if err := MarshalTo(&b, v); err != nil || !bytes.Equal(b.Bytes(), append([]byte("before"), want...)) {
			t.Fatalf("behind others: %x (%v)", b.Bytes(), err)
		}
	})
}

// What its head can't count is a fault of the program, and never written.
func TestAMapOfTooManyPairs(t *testing.T) {
	m := BeginMap(nil, 0)
	for key := range uint64(maxMap) {
		m.Uint(key, key)
	}
	if err := Check(m.End()); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("written all the same")
		}
	}()
	m.Uint(maxMap, 0)
}

func BenchmarkMarshal(b *testing.B) {
	v := appended{Uint: 1 << 40, Bytes: make([]byte, 1024), Text: "text", OptUint: 7, Inner: inner{"more"}}
	b.Run("appender", func(b *testing.B) {
		for b.Loop() {
			_, _ = Marshal(v)
		}
	})
	b.Run("encoder", func(b *testing.B) {
		for b.Loop() {
			_, _ = Marshal(plain(v))
		}
	})
}
