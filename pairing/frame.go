package pairing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// frameType is the second field of a frame; doc.go draws the bodies.
type frameType uint8

const (
	typeHello   frameType = 0x01
	typeOffer   frameType = 0x02
	typeProve   frameType = 0x03
	typeConfirm frameType = 0x04
	typeNoise2  frameType = 0x05
	typeNoise3  frameType = 0x06
	typeAck     frameType = 0x07
	typeReject  frameType = 0x0F
)

// Values of the header fields of a HELLO.
const (
	version1  = 1
	suite1    = 1
	kindCode  = 1
	kindLink  = 2
	nonceSize = 32
	rounds    = 2
)

// Limits of a body, in bytes.
const (
	maxBody      = 256     // up to and including CONFIRM
	maxBodyAfter = 2 << 10 // after it
	maxNameplate = 32
	frameHeader  = 3
)

// errFrame is wrapped by every error about bytes that break the format.
var errFrame = errors.New("bad frame")

// reason says in a REJECT why.
type reason uint8

const (
	reasonCode      reason = 1 + iota // wrong, expired or used up: never which
	reasonBusy                        // too many sessions
	reasonLimit                       // too many wrong codes
	reasonVersion                     // version or suite not spoken here
	reasonKind                        // kind not served here
	reasonNameplate                   // nameplate not known here
	reasonEnd
)

// A frame as it travels:
//
//	length  u16, big endian, of the body
//	type    u8
//	body
func encodeFrame(t frameType, body []byte) []byte {
	b := make([]byte, 0, frameHeader+len(body))
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, byte(t))
	return append(b, body...)
}

// readFrame reads one frame. It refuses a body over limit before it allocates,
// and returns the whole frame beside type and body, which alias it.
func readFrame(r io.Reader, limit int) (t frameType, body, raw []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, nil, err
	}
	n := int(binary.BigEndian.Uint16(header[:]))
	if n > limit {
		return 0, nil, nil, fmt.Errorf("%w: body of %d bytes, at most %d", errFrame, n, limit)
	}
	raw = make([]byte, frameHeader+n)
	copy(raw, header[:])
	if _, err := io.ReadFull(r, raw[frameHeader:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, nil, err
	}
	return frameType(header[2]), raw[frameHeader:], raw, nil
}

type hello struct {
	version, suite, kind uint8
	nameplate            string
	nonce                []byte // nE
}

func (h hello) encode() []byte {
	b := []byte{h.version, h.suite, h.kind, uint8(len(h.nameplate))}
	b = append(b, h.nameplate...)
	return append(b, h.nonce...)
}

func parseHello(b []byte) (hello, error) {
	if len(b) < 4 {
		return hello{}, fmt.Errorf("%w: HELLO of %d bytes, at least 4", errFrame, len(b))
	}
	h := hello{version: b[0], suite: b[1], kind: b[2]}
	n := int(b[3])
	if n > maxNameplate {
		return hello{}, fmt.Errorf("%w: nameplate of %d bytes, at most %d", errFrame, n, maxNameplate)
	}
	if want := 4 + n + nonceSize; len(b) != want {
		return hello{}, fmt.Errorf("%w: HELLO of %d bytes, %d are due", errFrame, len(b), want)
	}
	for _, c := range b[4 : 4+n] {
		if c < ' ' || c > '~' {
			return hello{}, fmt.Errorf("%w: nameplate is not ASCII", errFrame)
		}
	}
	h.nameplate, h.nonce = string(b[4:4+n]), b[4+n:]
	return h, nil
}

type offer struct {
	round uint8
	nonce []byte // nS
	share []byte // Ys
}

func (o offer) encode() []byte { return append(append([]byte{o.round}, o.nonce...), o.share...) }

func parseOffer(b []byte) (offer, error) {
	if want := 1 + nonceSize + cpaceElement; len(b) != want {
		return offer{}, fmt.Errorf("%w: OFFER of %d bytes, %d are due", errFrame, len(b), want)
	}
	if b[0] < 1 || b[0] > rounds {
		return offer{}, fmt.Errorf("%w: round %d, at most %d", errFrame, b[0], rounds)
	}
	return offer{b[0], b[1 : 1+nonceSize], b[1+nonceSize:]}, nil
}

type prove struct {
	round uint8
	share []byte // Ye
	tag   []byte // Te
}

func (p prove) encode() []byte { return append(append([]byte{p.round}, p.share...), p.tag...) }

func parseProve(b []byte) (prove, error) {
	if want := 1 + cpaceElement + cpaceTag; len(b) != want {
		return prove{}, fmt.Errorf("%w: PROVE of %d bytes, %d are due", errFrame, len(b), want)
	}
	if b[0] < 1 || b[0] > rounds {
		return prove{}, fmt.Errorf("%w: round %d, at most %d", errFrame, b[0], rounds)
	}
	return prove{b[0], b[1 : 1+cpaceElement], b[1+cpaceElement:]}, nil
}

type reject struct {
	reason reason
	more   bool
}

func (r reject) encode() []byte {
	b := []byte{byte(r.reason), 0}
	if r.more {
		b[1] = 1
	}
	return b
}

func parseReject(b []byte) (reject, error) {
	if len(b) != 2 {
		return reject{}, fmt.Errorf("%w: REJECT of %d bytes, 2 are due", errFrame, len(b))
	}
	r := reason(b[0])
	if r == 0 || r >= reasonEnd || b[1] > 1 {
		return reject{}, fmt.Errorf("%w: REJECT with reason %d, more %d", errFrame, b[0], b[1])
	}
	return reject{r, b[1] == 1}, nil
}

// confirm carries Ts and the first Noise message.
type confirm struct{ tag, noise []byte }

func (c confirm) encode() []byte { return append(append([]byte{}, c.tag...), c.noise...) }

func parseConfirm(b []byte) (confirm, error) {
	if len(b) <= cpaceTag {
		return confirm{}, fmt.Errorf("%w: CONFIRM of %d bytes, over %d are due", errFrame, len(b), cpaceTag)
	}
	return confirm{b[:cpaceTag], b[cpaceTag:]}, nil
}
