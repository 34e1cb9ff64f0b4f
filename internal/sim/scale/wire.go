package main

import (
	"bytes"

	"contactsd/transport"
)

// Frames as presence and message write them, field by field. They are here to be
// measured: a test takes the bytes of real services apart into these and puts them
// together again.

type tellFrame struct {
	Key    []byte `cbor:"1,keyasint,omitempty"`
	Beacon []byte `cbor:"2,keyasint,omitempty"`
	Clock  uint64 `cbor:"3,keyasint,omitempty"`
}

type linkFrame struct {
	Nonce  []byte    `cbor:"1,keyasint,omitempty"`
	Know   []byte    `cbor:"2,keyasint,omitempty"`
	More   bool      `cbor:"3,keyasint,omitempty"`
	Forget []byte    `cbor:"4,keyasint,omitempty"`
	Have   []byte    `cbor:"5,keyasint,omitempty"`
	Pull   []byte    `cbor:"6,keyasint,omitempty"`
	Stop   []byte    `cbor:"7,keyasint,omitempty"`
	News   *passedOn `cbor:"8,keyasint,omitempty"`
}

type passedOn struct {
	Mask   []byte `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
	Hops   uint64 `cbor:"3,keyasint"`
	Beacon []byte `cbor:"4,keyasint"`
}

type messageFrame struct {
	Type  uint8  `cbor:"1,keyasint"`
	Epoch []byte `cbor:"2,keyasint,omitempty"`
	Seq   uint64 `cbor:"3,keyasint,omitempty"`
	ID    []byte `cbor:"5,keyasint,omitempty"`
	At    uint64 `cbor:"6,keyasint,omitempty"`
	Kind  string `cbor:"7,keyasint,omitempty"`
	Body  []byte `cbor:"8,keyasint,omitempty"`
	Have  *held  `cbor:"11,keyasint,omitempty"`
}

type held struct {
	Epoch []byte `cbor:"1,keyasint"`
	Seq   uint64 `cbor:"2,keyasint"`
	ID    []byte `cbor:"3,keyasint"`
}

// beacon is what is sealed.
type beacon struct {
	Seq       uint64              `cbor:"1,keyasint"`
	State     uint8               `cbor:"2,keyasint"`
	Text      string              `cbor:"3,keyasint,omitempty"`
	Since     uint64              `cbor:"4,keyasint"`
	Sent      uint64              `cbor:"5,keyasint"`
	Validity  uint64              `cbor:"6,keyasint"`
	Addresses []transport.Address `cbor:"7,keyasint,omitempty"`
}

type envelope struct {
	Body []byte `cbor:"1,keyasint"`
	Sig  []byte `cbor:"2,keyasint"`
}

// Sizes of fields in bytes, and how much is in a frame.
const (
	keySize    = 32
	nonceSize  = 32 // of a link
	maskSize   = 8
	claimSize  = maskSize + 8 + 1
	maxMasks   = 256
	maxClaims  = 128
	minTopics  = 16
	epochSize  = 24
	idSize     = 16
	maxFrame   = 128 << 10
	sealedSize = 24 + 16 // nonce and tag around what is sealed
	today      = 1_800_000_000_000
)

// sizes are those of frames, in bytes with their header.
type sizes struct {
	keepAlive, key, tell, nonce, news, sealed int
	hello, ack                                int
	masks, claims                             map[int]int // by number in one frame
	names                                     map[int]span
}

// sizeOf returns what a frame takes on the wire.
func sizeOf(v any) int {
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, v, maxFrame); err != nil {
		panic(err) // frames of this package can be encoded
	}
	return b.Len()
}

// measureSizes returns the sizes for beacons with a text and addresses of so many
// bytes.
func measureSizes(text string, addrs []transport.Address) sizes {
	body := encode(beacon{Seq: today, State: 1, Text: text, Since: today, Sent: today, Validity: uint64(validity.Seconds()), Addresses: addrs})
	sealed := make([]byte, sealedSize+len(encode(envelope{body, make([]byte, 64)})))
	s := sizes{
		keepAlive: sizeOf(tellFrame{}),
		key:       sizeOf(tellFrame{Key: make([]byte, keySize), Clock: today}),
		tell:      sizeOf(tellFrame{Beacon: sealed, Clock: today}),
		nonce:     sizeOf(linkFrame{Nonce: make([]byte, nonceSize)}),
		news:      sizeOf(linkFrame{News: &passedOn{make([]byte, maskSize), today, 1, sealed}}),
		sealed:    len(sealed),
		hello: sizeOf(messageFrame{Type: 1, Epoch: make([]byte, epochSize),
			Have: &held{make([]byte, epochSize), 1, make([]byte, idSize)}}),
		ack:    sizeOf(messageFrame{Type: 4, Epoch: make([]byte, epochSize), Seq: 1000}),
		masks:  make(map[int]int),
		claims: make(map[int]int),
		names:  make(map[int]span),
	}
	return s
}

// message is the size of a message's frame.
func (s sizes) message(body int) int {
	return sizeOf(messageFrame{Type: 2, Epoch: make([]byte, epochSize), Seq: 1000, ID: make([]byte, idSize), At: today, Kind: "text", Body: make([]byte, body)})
}

// maskFrame is the size of a frame with n masks, to be stopped or forgotten.
func (s sizes) maskFrame(n int) int {
	size, ok := s.masks[n]
	if !ok {
		size = sizeOf(linkFrame{Stop: make([]byte, n*maskSize)})
		s.masks[n] = size
	}
	return size
}

// claimFrame is the size of a frame with n claims.
func (s sizes) claimFrame(n int) int {
	size, ok := s.claims[n]
	if !ok {
		size = sizeOf(linkFrame{Have: make([]byte, n*claimSize)})
		s.claims[n] = size
	}
	return size
}

// span is frames and their bytes.
type span struct{ frames, bytes int }

// naming is what it takes to name topics at the beginning of a link, of one side,
// decoys included.
func (s sizes) naming(topics int) span {
	n := minTopics
	for n < topics {
		n *= 2
	}
	known, ok := s.names[n]
	if ok {
		return known
	}
	var all span
	for left := n; left > 0; {
		part := min(left, maxMasks)
		left -= part
		all.frames++
		all.bytes += sizeOf(linkFrame{Know: make([]byte, part*maskSize), More: left > 0})
	}
	s.names[n] = all
	return all
}
