package pairing

import (
	"errors"
	"fmt"
	"io"
	"time"

	"contactsd/transport"
)

// line is one side's end of a session: frames with deadlines, and the record of
// what was said, which the Noise handshake is bound to.
type line struct {
	st   transport.Stream
	ends time.Time
	said []byte // whole frames of both sides, in order
}

func newLine(st transport.Stream) *line {
	return &line{st: st, ends: time.Now().Add(sessionTimeout)}
}

func (l *line) deadline() error {
	at := time.Now().Add(messageTimeout)
	if at.After(l.ends) {
		at = l.ends
	}
	return l.st.SetDeadline(at)
}

func (l *line) send(t frameType, body []byte) error {
	if err := l.deadline(); err != nil {
		return err
	}
	raw := encodeFrame(t, body)
	l.said = append(l.said, raw...)
	_, err := l.st.Write(raw)
	return err
}

// recv returns the next frame, which must be of one of the types.
func (l *line) recv(limit int, types ...frameType) (frameType, []byte, error) {
	if err := l.deadline(); err != nil {
		return 0, nil, err
	}
	t, body, raw, err := readFrame(l.st, limit)
	if err != nil {
		return 0, nil, err
	}
	for _, due := range types {
		if t == due {
			l.said = append(l.said, raw...)
			return t, body, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: type %#02x where %#02x is due", errFrame, uint8(t), uint8(types[0]))
}

// broken reports whether err is about what the peer sent, not about the way.
func broken(err error) bool {
	return errors.Is(err, errFrame) || errors.Is(err, errPayload) || errors.Is(err, errElement) || errors.Is(err, io.ErrUnexpectedEOF)
}
