package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"contactsd/internal/codec"
)

// ErrFrame is wrapped by errors about frames that break a limit or the format.
var ErrFrame = errors.New("bad frame")

// ErrFrameSize is the ErrFrame of those that are too long.
var ErrFrameSize = fmt.Errorf("%w, too long", ErrFrame)

// WriteFrame writes v as one frame: uvarint length of the body, then the body in
// deterministic CBOR, at most limit bytes. Header and body are one Write.
func WriteFrame(w io.Writer, v any, limit int) error {
	return (&FrameWriter{w: w, limit: limit}).Write(v)
}

// FrameWriter writes frames as WriteFrame does, and uses its memory again.
type FrameWriter struct {
	w     io.Writer
	limit int
	buf   bytes.Buffer
}

// NewFrameWriter returns a writer of frames of at most limit bytes.
func NewFrameWriter(w io.Writer, limit int) *FrameWriter { return &FrameWriter{w: w, limit: limit} }

// Write writes v as one frame, with one Write. The error wraps ErrFrame for what
// can't be encoded, ErrFrameSize for what is too long; then nothing was written.
func (f *FrameWriter) Write(v any) error {
	var header [binary.MaxVarintLen32]byte
	f.buf.Reset()
	f.buf.Write(header[:]) // room for it: the length comes before the body
	if err := codec.MarshalTo(&f.buf, v); err != nil {
		return fmt.Errorf("%w: %v", ErrFrame, err)
	}
	n := f.buf.Len() - len(header)
	if n > f.limit {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrameSize, n, f.limit)
	}
	size := binary.PutUvarint(header[:], uint64(n))
	frame := f.buf.Bytes()[len(header)-size:]
	copy(frame, header[:size])
	_, err := f.w.Write(frame)
	return err
}

// FrameReader reads frames of at most Limit bytes.
type FrameReader struct {
	r     *bufio.Reader
	limit int
}

// NewFrameReader returns a reader of the frames in r. It reads ahead, so nothing
// else may read r afterwards.
func NewFrameReader(r io.Reader, limit int) *FrameReader {
	return &FrameReader{bufio.NewReader(r), limit}
}

// Read decodes the next frame into v. It returns io.EOF at the end between
// frames and io.ErrUnexpectedEOF within one; ErrFrameSize for a body that is too
// long (before anything is allocated), ErrFrame for one that is no valid CBOR for v.
func (f *FrameReader) Read(v any) error {
	n, err := readLength(f.r)
	if err != nil {
		return err
	}
	if n > uint64(f.limit) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrameSize, n, f.limit)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(f.r, body); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if err := codec.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %v", ErrFrame, err)
	}
	return nil
}

// Buffered returns how many bytes were read ahead: with none, the next Read may wait.
func (f *FrameReader) Buffered() int { return f.r.Buffered() }

// readLength reads a uvarint of at most 5 bytes in its shortest form.
func readLength(r io.ByteReader) (uint64, error) {
	var n uint64
	for i := range binary.MaxVarintLen32 {
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 && errors.Is(err, io.EOF) {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, err
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 {
				return 0, fmt.Errorf("%w: length not in its shortest form", ErrFrame)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: length of more than %d bytes", ErrFrameSize, binary.MaxVarintLen32)
}
