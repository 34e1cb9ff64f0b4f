package presence

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
)

// Limits of a gossip link.
const (
	maxGossipFrame = 4096  // bytes
	maxMasks       = 256   // in one frame
	maxClaims      = 128   // in one frame
	maxTopics      = 16384 // that one side of a link names, decoys included
	minTopics      = 16    // named at least, with decoys
	maxHops        = 3     // devices that pass a beacon on, one after the other
)

// gossipFrame is one frame of a link; see the package's documentation.
type gossipFrame struct {
	Nonce  *nonce  `cbor:"1,keyasint,omitempty"`
	Know   masks   `cbor:"2,keyasint,omitempty"`
	More   bool    `cbor:"3,keyasint,omitempty"`
	Forget masks   `cbor:"4,keyasint,omitempty"`
	Have   claims  `cbor:"5,keyasint,omitempty"`
	Pull   claims  `cbor:"6,keyasint,omitempty"`
	Stop   masks   `cbor:"7,keyasint,omitempty"`
	News   *passed `cbor:"8,keyasint,omitempty"`
}

// passed is a beacon that is passed on.
type passed struct {
	Mask   mask   `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
	Hops   uint64 `cbor:"3,keyasint"`
	Beacon []byte `cbor:"4,keyasint"`
}

// masks are masks one behind the other.
type masks []byte

// claims are masks, each with a seq of 8 bytes, big endian, and a byte of hops.
type claims []byte

// claim says of a topic's newest beacon which it is.
type claim struct {
	mask mask
	seq  uint64
	hops byte // devices that passed it on, by who has it
}

const claimSize = len(mask{}) + 8 + 1

func (l masks) list() []mask {
	list := make([]mask, 0, len(l)/len(mask{}))
	for part := range slices.Chunk(l, len(mask{})) {
		list = append(list, mask(part))
	}
	return list
}

func (l claims) list() []claim {
	list := make([]claim, 0, len(l)/claimSize)
	for part := range slices.Chunk(l, claimSize) {
		list = append(list, claim{
			mask: mask(part),
			seq:  binary.BigEndian.Uint64(part[len(mask{}):]),
			hops: part[claimSize-1],
		})
	}
	return list
}

func (l claims) add(c claim) claims {
	return append(binary.BigEndian.AppendUint64(append(l, c.mask[:]...), c.seq), c.hops)
}

// check looks at sizes, which bound what a frame can cost.
func (f gossipFrame) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
	}
	for _, l := range []masks{f.Know, f.Forget, f.Stop} {
		if len(l)%len(mask{}) != 0 || len(l) > maxMasks*len(mask{}) {
			return bad("masks of %d bytes", len(l))
		}
	}
	for _, l := range []claims{f.Have, f.Pull} {
		if len(l)%claimSize != 0 || len(l) > maxClaims*claimSize {
			return bad("claims of %d bytes", len(l))
		}
	}
	if n := f.News; n != nil {
		if len(n.Beacon) > maxFrame {
			return bad("a beacon of %d bytes, at most %d", len(n.Beacon), maxFrame)
		}
		if n.Hops < 1 || n.Hops > maxHops {
			return bad("a beacon over %d devices, at most %d", n.Hops, maxHops)
		}
	}
	return nil
}

// decoyed returns the masks with random ones up to a power of two, at least
// least, in an order that tells nothing.
func decoyed(list []mask, least int) []mask {
	size := least
	for size < len(list) {
		size *= 2
	}
	out := slices.Clone(list)
	for len(out) < size {
		var decoy mask
		rand.Read(decoy[:])
		out = append(out, decoy)
	}
	slices.SortFunc(out, func(a, b mask) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// framesOf puts masks into frames, with more set in all but the last.
func framesOf(list []mask, put func(f *gossipFrame, l masks, more bool)) []gossipFrame {
	var out []gossipFrame
	for len(list) > 0 {
		n := min(len(list), maxMasks)
		var l masks
		for _, m := range list[:n] {
			l = append(l, m[:]...)
		}
		list = list[n:]
		var f gossipFrame
		put(&f, l, len(list) > 0)
		out = append(out, f)
	}
	return out
}
