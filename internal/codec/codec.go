// Package codec is the one CBOR dialect of contactsd: deterministic encoding
// (RFC 8949, section 4.2.1), integer keys, and a decoder that is bounded before
// it allocates and refuses what is not canonical.
//
// Records on disk and messages on the wire use it alike, so equal values are
// equal bytes and a signature over bytes is a signature over one value.
package codec

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// ErrNotCanonical is returned for CBOR that another encoder of the same value
// would have written differently: such bytes could be two messages to two readers.
var ErrNotCanonical = errors.New("not canonical CBOR")

// Bounds of everything that is decoded. They lie above what any record holds;
// each protocol also limits the bytes of a whole frame.
const (
	maxNesting  = 8
	maxElements = 16384
	maxPairs    = 1024
)

type modes struct {
	enc cbor.UserBufferEncMode
	dec cbor.DecMode
}

var load = sync.OnceValue(func() modes {
	eo := cbor.CoreDetEncOptions()
	eo.NilContainers = cbor.NilContainerAsEmpty
	eo.TagsMd = cbor.TagsForbidden
	enc, err := eo.UserBufferEncMode()
	if err != nil {
		panic(err) // constant options
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: maxElements,
		MaxMapPairs:      maxPairs,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // constant options
	}
	return modes{enc, dec}
})

// Marshal encodes v deterministically.
func Marshal(v any) ([]byte, error) {
	if a, ok := v.(Appender); ok {
		return a.AppendCBOR(nil), nil
	}
	return load().enc.Marshal(v)
}

// MarshalTo is Marshal that appends to a buffer. After an error the buffer holds
// nothing new.
func MarshalTo(b *bytes.Buffer, v any) error {
	if a, ok := v.(Appender); ok {
		b.Write(a.AppendCBOR(b.AvailableBuffer()))
		return nil
	}
	n := b.Len()
	err := load().enc.MarshalToBuffer(v, b)
	if err != nil {
		b.Truncate(n)
	}
	return err
}

// Unmarshal decodes the one CBOR item in data into v. Fields that v does not
// have are ignored, so a newer writer is understood as far as possible.
// Trailing bytes, duplicate keys, indefinite lengths, tags and invalid UTF-8
// are errors.
func Unmarshal(data []byte, v any) error { return load().dec.Unmarshal(data, v) }

// UnmarshalCanonical is Unmarshal for what is signed or compared: it returns
// ErrNotCanonical unless data is exactly what a deterministic encoder writes,
// fields unknown here included.
func UnmarshalCanonical(data []byte, v any) error {
	var any any
	if err := load().dec.Unmarshal(data, &any); err != nil {
		return err
	}
	again, err := load().enc.Marshal(any)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrNotCanonical, err)
	}
	if !bytes.Equal(again, data) {
		return ErrNotCanonical
	}
	return load().dec.Unmarshal(data, v)
}

// Fixed decodes a CBOR byte string of exactly len(dst) bytes into dst. Arrays of
// bytes need it: the plain decoder pads short input and cuts long input.
func Fixed(dst, data []byte) error {
	major, n, rest, err := head(data)
	if err != nil || major != majorBytes { // the decoder would take a list of numbers as well
		return errors.New("not a byte string")
	}
	if n == uint64(len(dst)) && n == uint64(len(rest)) {
		copy(dst, rest)
		return nil
	}
	var b []byte
	if err := Unmarshal(data, &b); err != nil {
		return err
	}
	if len(b) != len(dst) {
		return fmt.Errorf("%d bytes where %d are due", len(b), len(dst))
	}
	copy(dst, b)
	return nil
}
