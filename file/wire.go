package file

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// Protocol is how files travel; the package comment draws its frames.
const Protocol transport.Protocol = "/contacts/file/1"

const (
	maxRequest = 512 // bytes
	maxWords   = 256 // bytes of a refusal's words
	maxBlock   = ChunkSize
)

type requestType uint8

const (
	requestOpen   requestType = 1 + iota // begin to pull a transfer
	requestPages                         // send pages of the manifest
	requestChunks                        // send chunks
	requestTell                          // this is where the transfer stands here
)

// request is what the device that opened the stream asks for.
type request struct {
	Type  requestType `cbor:"1,keyasint"`
	ID    *ID         `cbor:"2,keyasint,omitempty"` // OPEN, TELL
	Root  *hash       `cbor:"3,keyasint,omitempty"` // OPEN
	Kind  pageKind    `cbor:"4,keyasint,omitempty"` // PAGES
	From  uint64      `cbor:"5,keyasint,omitempty"` // PAGES, CHUNKS
	Count uint64      `cbor:"6,keyasint,omitempty"` // PAGES, CHUNKS
	State State       `cbor:"7,keyasint,omitempty"` // TELL
	Words string      `cbor:"8,keyasint,omitempty"` // TELL: why it failed
}

func (r request) check() error {
	switch r.Type {
	case requestOpen:
		if r.ID == nil || r.Root == nil {
			return errors.New("open without id or root")
		}
		return nil
	case requestPages, requestChunks:
		const most = MaxSize / ChunkSize
		if r.Kind > pageHash || r.Count == 0 || r.From > most || r.Count > most {
			return fmt.Errorf("%d from %d of kind %d asked for", r.Count, r.From, r.Kind)
		}
		return nil
	case requestTell:
		if r.ID == nil || r.State > Expired {
			return errors.New("tell without id or state")
		}
		return contact.CheckText("reason", r.Words, maxWords)
	}
	return fmt.Errorf("unknown request %d", r.Type)
}

func readRequest(fr *transport.FrameReader) (request, error) {
	var r request
	if err := fr.Read(&r); err != nil {
		return r, err
	}
	if err := r.check(); err != nil {
		return r, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return r, nil
}

func writeRequest(w io.Writer, r request) error { return transport.WriteFrame(w, r, maxRequest) }

// Blocks are the answers: a byte of type, 4 bytes of length, big endian, and
// so many bytes.
type blockType uint8

const (
	blockOK blockType = 1 + iota
	blockData
	blockRefused
)

const blockHeader = 5

// putHeader writes the header of a block to the first bytes of b.
func putHeader(b []byte, t blockType, size int) {
	b[0] = byte(t)
	binary.BigEndian.PutUint32(b[1:blockHeader], uint32(size))
}

func writeBlock(w io.Writer, t blockType, data []byte) error {
	b := make([]byte, blockHeader+len(data))
	putHeader(b, t, len(data))
	copy(b[blockHeader:], data)
	_, err := w.Write(b)
	return err
}

// readHeader reads the header of the next block, which must be of type t and of a
// size from least to most. A refusal that comes instead is its error.
func readHeader(r io.Reader, t blockType, least, most int) (size int, err error) {
	var h [blockHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	switch got := blockType(h[0]); {
	case got == blockRefused && n <= maxRequest:
		return 0, readRefusal(r, int(n))
	case got != t || uint64(n) < uint64(least) || uint64(n) > uint64(most):
		return 0, fmt.Errorf("%w: block of type %d and %d bytes", errProtocol, got, n)
	}
	return int(n), nil
}

// readPage reads a block of data of at most so many bytes.
func readPage(r *bufio.Reader, most int) ([]byte, error) {
	n, err := readHeader(r, blockData, 0, most)
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	return data, readBody(r, data)
}

// readBody fills data with what follows a header. A stream that ends before it is
// cut short.
func readBody(r io.Reader, data []byte) error {
	_, err := io.ReadFull(r, data)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// why says what a refusal means for the transfer.
type why uint8

const (
	whyLater     why = 1 + iota // not now: try again in a while
	whyPaused                   // the sender paused it: it says when it goes on
	whyCancelled                // the sender took it back
	whyGone                     // the sender can't send it any more
)

// refusal is an answer that refuses, as an error.
type refusal struct {
	Why   why    `cbor:"1,keyasint"`
	Words string `cbor:"2,keyasint,omitempty"`
}

func (r *refusal) Error() string {
	if r.Words != "" {
		return r.Words
	}
	switch r.Why {
	case whyPaused:
		return "paused by the sender"
	case whyCancelled:
		return "cancelled by the sender"
	case whyGone:
		return "no longer there at the sender"
	}
	return "the sender can't send it now"
}

func readRefusal(r io.Reader, size int) error {
	data := make([]byte, size)
	if err := readBody(r, data); err != nil {
		return err
	}
	var said refusal
	if err := codec.Unmarshal(data, &said); err != nil {
		return fmt.Errorf("%w: refusal: %w", errProtocol, err)
	}
	if said.Why < whyLater || said.Why > whyGone {
		said.Why = whyLater
	}
	if err := contact.CheckText("reason", said.Words, maxWords); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	return &said
}

func writeRefusal(w io.Writer, r *refusal) error {
	data, err := codec.Marshal(r)
	if err != nil {
		return err
	}
	return writeBlock(w, blockRefused, data)
}
