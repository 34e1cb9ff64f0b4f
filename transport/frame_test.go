package transport_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"contactsd/transport"
)

type record struct {
	Number uint64 `cbor:"1,keyasint"`
	Text   string `cbor:"2,keyasint,omitempty"`
}

const limit = 300

// TestFrameBytes fixes the wire form: uvarint length, then deterministic CBOR.
func TestFrameBytes(t *testing.T) {
	for _, c := range []struct {
		v    record
		want string
	}{
		{record{Number: 1}, "03" + "a10101"},
		{record{Number: 500, Text: "hi"}, "09" + "a2011901f402626869"},
		{record{Text: strings.Repeat("x", 200)}, "ce01" + "a201000278c8" + strings.Repeat("78", 200)},
	} {
		var b bytes.Buffer
		if err := transport.WriteFrame(&b, c.v, limit); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b.Bytes()); got != c.want {
			t.Errorf("%v is written as %s, want %s", c.v, got, c.want)
		}
	}
}

func TestFrameIsOneWrite(t *testing.T) {
	var writes int
	count := writer(func(b []byte) (int, error) {
		writes++
		return len(b), nil
	})
	if err := transport.WriteFrame(count, record{Number: 1}, limit); err != nil || writes != 1 {
		t.Errorf("%d writes, %v", writes, err)
	}
	broken := errors.New("broken")
	if err := transport.WriteFrame(writer(func([]byte) (int, error) { return 0, broken }), record{}, limit); !errors.Is(err, broken) {
		t.Errorf("the writer's error became %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestFrameWriterUsesItsMemoryAgain(t *testing.T) {
	var one, many bytes.Buffer
	w := transport.NewFrameWriter(&many, 64)
	for _, v := range []any{"a long text before a short one", "a", "", []int{1, 2, 3}, strings.Repeat("x", 62)} {
		if err := errors.Join(transport.WriteFrame(&one, v, 64), w.Write(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(strings.Repeat("x", 63)); !errors.Is(err, transport.ErrFrameSize) {
		t.Fatal(err)
	}
	if err := errors.Join(transport.WriteFrame(&one, "after", 64), w.Write("after")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), many.Bytes()) {
		t.Fatalf("%x\nwant %x", many.Bytes(), one.Bytes())
	}
	if n := testing.AllocsPerRun(100, func() { many.Reset(); w.Write(17) }); n > 1 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestFramesComeBackInOrder(t *testing.T) {
	var b bytes.Buffer
	for i := range 20 {
		if err := transport.WriteFrame(&b, record{Number: uint64(i), Text: strings.Repeat("x", i*10)}, limit); err != nil {
			t.Fatal(err)
		}
	}
	r := transport.NewFrameReader(iotest.OneByteReader(&b), limit)
	for i := range 20 {
		var got record
		if err := r.Read(&got); err != nil || got.Number != uint64(i) || len(got.Text) != i*10 {
			t.Fatalf("frame %d is %v, %v", i, got, err)
		}
	}
	if err := r.Read(new(record)); err != io.EOF {
		t.Errorf("after the last frame: %v", err)
	}
}

func TestFrameErrors(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		want      error
	}{
		{"the end between frames", "", io.EOF},
		{"the end in the length", "80", io.ErrUnexpectedEOF},
		{"the end before the body", "03", io.ErrUnexpectedEOF},
		{"the end in the body", "03a101", io.ErrUnexpectedEOF},
		{"a body over the limit", "ad02" + "a10101", transport.ErrFrameSize},
		{"a length of 4 GiB", "ffffffff0f", transport.ErrFrameSize},
		{"a length without end", "ffffffffffffffffff01", transport.ErrFrameSize},
		{"a length with a zero at its end", "8300a10101", transport.ErrFrame},
		{"no body", "00", transport.ErrFrame},
		{"no CBOR", "03ffffff", transport.ErrFrame},
		{"bytes after the record", "04a1010100", transport.ErrFrame},
		{"another type", "0161", transport.ErrFrame},
		{"a key twice", "05a201010101", transport.ErrFrame},
	} {
		raw, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if err := transport.NewFrameReader(bytes.NewReader(raw), limit).Read(new(record)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	broken := errors.New("broken")
	if err := transport.NewFrameReader(iotest.ErrReader(broken), limit).Read(new(record)); !errors.Is(err, broken) {
		t.Errorf("the reader's error became %v", err)
	}
}

func TestFrameLimitIsExact(t *testing.T) {
	v := record{Text: strings.Repeat("x", 100)}
	var b bytes.Buffer
	size := 1 + 2 + 1 + 2 + 100 // map, 1: 0, 2: text of 100
	if err := transport.WriteFrame(&b, v, size-1); !errors.Is(err, transport.ErrFrame) || b.Len() != 0 {
		t.Errorf("one byte over the limit: %v, %d bytes written", err, b.Len())
	}
	if err := transport.WriteFrame(&b, v, size); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	if err := transport.NewFrameReader(bytes.NewReader(raw), size-1).Read(new(record)); !errors.Is(err, transport.ErrFrame) {
		t.Errorf("read over the limit: %v", err)
	}
	if err := transport.NewFrameReader(bytes.NewReader(raw), size).Read(new(record)); err != nil {
		t.Errorf("read at the limit: %v", err)
	}
}

func TestBuffered(t *testing.T) {
	var b bytes.Buffer
	for range 2 {
		if err := transport.WriteFrame(&b, record{Number: 1}, limit); err != nil {
			t.Fatal(err)
		}
	}
	r := transport.NewFrameReader(&b, limit)
	if err := r.Read(new(record)); err != nil || r.Buffered() != 4 {
		t.Errorf("%d bytes read ahead, %v", r.Buffered(), err)
	}
	if err := r.Read(new(record)); err != nil || r.Buffered() != 0 {
		t.Errorf("%d bytes read ahead at the end, %v", r.Buffered(), err)
	}
}

// FuzzFrames reads whatever comes; what is a frame is written the same again.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"", "03a10101", "09a2011901f402626869", "00", "8300a10101", "ffffffff0f", "03a1010103a10102"} {
		raw, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := transport.NewFrameReader(bytes.NewReader(raw), limit)
		for range len(raw) + 1 {
			var v record
			err := r.Read(&v)
			if err == nil {
				var b bytes.Buffer
				if err := transport.WriteFrame(&b, v, limit); err != nil {
					t.Fatalf("%v was read and can't be written: %v", v, err)
				}
				var again record
				if err := transport.NewFrameReader(&b, limit).Read(&again); err != nil || again != v {
					t.Fatalf("%v came back as %v, %v", v, again, err)
				}
				continue
			}
			if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, transport.ErrFrame) {
				t.Fatalf("an error of none of the kinds: %v", err)
			}
			return
		}
		t.Fatal("more frames than bytes")
	})
}
