package message

import (
	"errors"
	"fmt"

	"contactsd/contact"
	"contactsd/transport"
)

// Protocol is how messages travel; the package comment draws its frames.
const Protocol transport.Protocol = "/contacts/message/1"

// maxFrame bounds a frame: a whole body and the fields around it.
const maxFrame = MaxBodySize + 512

const maxReason = 256 // bytes of a refusal's words

// errProtocol is wrapped by errors about a peer that breaks the protocol.
var errProtocol = errors.New("protocol error")

type frameType uint8

const (
	frameHello frameType = 1 + iota
	frameMessage
	frameSkip
	frameAck
	frameRefused
)

// skipReason says why a number carries no message.
type skipReason uint8

const (
	skipCancelled skipReason = 1 + iota
	skipExpired
	skipLost
)

// words for the gap that the receiver sees.
func (r skipReason) String() string {
	switch r {
	case skipCancelled:
		return "cancelled by the sender"
	case skipExpired:
		return "not delivered in time"
	case skipLost:
		return "no longer kept by the sender"
	}
	return "left out by the sender"
}

// frame is any of the frames; check says which fields each type has.
type frame struct {
	Type  frameType  `cbor:"1,keyasint"`
	Epoch *Epoch     `cbor:"2,keyasint,omitempty"`
	Seq   uint64     `cbor:"3,keyasint,omitempty"`
	To    uint64     `cbor:"4,keyasint,omitempty"`
	ID    *ID        `cbor:"5,keyasint,omitempty"`
	At    uint64     `cbor:"6,keyasint,omitempty"`
	Kind  string     `cbor:"7,keyasint,omitempty"`
	Body  []byte     `cbor:"8,keyasint,omitempty"`
	Skip  skipReason `cbor:"9,keyasint,omitempty"`
	Words string     `cbor:"10,keyasint,omitempty"`
	Have  *have      `cbor:"11,keyasint,omitempty"`
	// Later: the receiver would take messages and can't now. Versions that do not
	// know it take it for a refusal and ask again all the same, only later.
	Later bool `cbor:"12,keyasint,omitempty"`
}

// have is the newest that a receiver holds of the sender.
type have struct {
	Epoch Epoch  `cbor:"1,keyasint"`
	Seq   uint64 `cbor:"2,keyasint"`
	// ID of the message that bears the number, zero for a skip: two senders
	// that went on from one backup give one number to two messages.
	ID ID `cbor:"3,keyasint"`
}

// refusal is what a REFUSED frame says, as an error.
func (f frame) refusal() error {
	if f.Later {
		return deferral(f.Words)
	}
	return refusal(f.Words)
}

func (f frame) position() position { return position{*f.Epoch, f.Seq} }

// last is the highest number that the frame stands for.
func (f frame) last() position {
	if f.Type == frameSkip {
		return position{*f.Epoch, f.To}
	}
	return f.position()
}

// check returns an error unless the frame has what its type needs. Fields that
// the type does not have are ignored.
func (f frame) check() error {
	if err := f.checkFields(); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	return nil
}

func (f frame) checkFields() error {
	switch f.Type {
	case frameHello:
		switch {
		case f.Have == nil || f.Epoch == nil:
			return errors.New("hello without what is held")
		case f.Have.Epoch.millis() > maxMillis:
			return fmt.Errorf("epoch after %d ms", uint64(maxMillis))
		case f.Have.Seq > maxSeq:
			return fmt.Errorf("number over %d", uint64(maxSeq))
		case f.Have.Epoch.isZero() != (f.Have.Seq == 0):
			return errors.New("hello with half a position")
		}
		return nil
	case frameMessage:
		if err := f.checkNumber(); err != nil {
			return err
		}
		return f.checkMessage()
	case frameSkip:
		if err := f.checkNumber(); err != nil {
			return err
		}
		if f.To < f.Seq || f.To > maxSeq {
			return fmt.Errorf("skip from %d to %d", f.Seq, f.To)
		}
		return nil
	case frameAck:
		return f.checkNumber()
	case frameRefused:
		return contact.CheckText("reason", f.Words, maxReason)
	}
	return fmt.Errorf("unknown frame type %d", f.Type)
}

// maxSeq leaves room so that no number overflows.
const maxSeq = 1 << 53

func (f frame) checkNumber() error {
	switch {
	case f.Epoch == nil || f.Epoch.isZero():
		return errors.New("frame without epoch")
	case f.Epoch.millis() > maxMillis:
		return fmt.Errorf("epoch after %d ms", uint64(maxMillis))
	case f.Seq == 0 || f.Seq > maxSeq:
		return fmt.Errorf("number %d, 1 to %d are possible", f.Seq, uint64(maxSeq))
	}
	return nil
}

func (f frame) checkMessage() error {
	if f.ID == nil {
		return errors.New("message without id")
	}
	if f.At > maxMillis {
		return fmt.Errorf("time after %d ms", uint64(maxMillis))
	}
	if err := f.ID.check(); err != nil {
		return err
	}
	if err := checkKind(f.Kind); err != nil {
		return err
	}
	return checkBody(f.Kind, f.Body)
}

// own returns the frame with the fields of its type alone.
func (f frame) own() frame {
	switch f.Type {
	case frameHello:
		return frame{Type: f.Type, Epoch: f.Epoch, Have: f.Have}
	case frameMessage:
		return frame{Type: f.Type, Epoch: f.Epoch, Seq: f.Seq, ID: f.ID, At: f.At, Kind: f.Kind, Body: f.Body}
	case frameSkip:
		return frame{Type: f.Type, Epoch: f.Epoch, Seq: f.Seq, To: f.To, Skip: f.Skip}
	case frameAck:
		return frame{Type: f.Type, Epoch: f.Epoch, Seq: f.Seq}
	case frameRefused:
		return frame{Type: f.Type, Words: f.Words, Later: f.Later}
	}
	return frame{Type: f.Type}
}

// read decodes and checks the next frame. What its type does not have is dropped:
// whoever waits with a window of frames counts the bytes of their bodies alone.
func read(r *transport.FrameReader) (frame, error) {
	var f frame
	if err := r.Read(&f); err != nil {
		return frame{}, err
	}
	f = f.own()
	return f, f.check()
}
