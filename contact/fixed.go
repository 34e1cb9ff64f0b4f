package contact

import "contactsd/internal/codec"

// AskID names an ask of its author.
type AskID [16]byte

// Digest is the SHA-256 of an encoded ask.
type Digest [32]byte

// The UnmarshalCBOR methods accept byte strings of exactly the right length.

func (id *ODID) UnmarshalCBOR(data []byte) error   { return codec.Fixed(id[:], data) }
func (id *PairID) UnmarshalCBOR(data []byte) error { return codec.Fixed(id[:], data) }
func (id *AskID) UnmarshalCBOR(data []byte) error  { return codec.Fixed(id[:], data) }
func (d *Digest) UnmarshalCBOR(data []byte) error  { return codec.Fixed(d[:], data) }
