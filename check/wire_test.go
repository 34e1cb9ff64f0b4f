package check

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// TestGoldenBytes holds the format of the wire: a change here needs a new version
// of the protocol.
func TestGoldenBytes(t *testing.T) {
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"about the list", request{contact.QuestionListed}, "a10101"},
		{"about a block", request{contact.QuestionBlocked}, "a10102"},
		{"unknown", response{contact.FactUnknown}, "a10100"},
		{"no", response{contact.FactNo}, "a10101"},
		{"yes", response{contact.FactYes}, "a10102"},
	} {
		b, err := codec.Marshal(test.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != test.want {
			t.Errorf("%s: encoded as %s, want %s", test.name, got, test.want)
		}
	}
}

// talker is a stream on which the peer says in and hears what is written.
type talker struct {
	in    *bytes.Reader
	out   bytes.Buffer
	reset bool
}

func (s *talker) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *talker) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s *talker) Close() error                { return nil }
func (s *talker) CloseWrite() error           { return nil }
func (s *talker) Reset() error                { s.reset = true; return nil }
func (s *talker) SetDeadline(time.Time) error { return nil }
func (s *talker) Peer() contact.ODID          { return contact.ODID{2} }

// TestBadAnswersAreErrors: an answer that is none is not taken for one.
func TestBadAnswersAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":         "",
		"cut":             "03a101",
		"another fact":    "03a10103",
		"a large number":  "04a1011903e8",
		"text":            "05a1016179",
		"no CBOR":         "01ff",
		"an empty one":    "00",
		"longer than due": "41" + hex.EncodeToString(make([]byte, 65)),
	} {
		b, err := hex.DecodeString(answer)
		if err != nil {
			t.Fatal(err)
		}
		if fact, err := exchange(&talker{in: bytes.NewReader(b)}, contact.QuestionListed); err == nil {
			t.Errorf("%s: taken as %d", name, fact)
		}
	}
	for fact := contact.FactUnknown; fact <= contact.FactYes; fact++ {
		st := &talker{in: bytes.NewReader([]byte{3, 0xa1, 1, byte(fact)})}
		got, err := exchange(st, contact.QuestionBlocked)
		if err != nil || got != fact || st.out.String() != "\x03\xa1\x01\x02" {
			t.Errorf("%d is %d, %v; asked %x", fact, got, err, st.out.Bytes())
		}
	}
}

// FuzzAnswer lets a device ask anything: it gets one of three answers or none.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{3, 0xa1, 1, 1})
	f.Add([]byte{3, 0xa1, 1, 2})
	f.Add([]byte{3, 0xa1, 1, 9})
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	s := newTestService(f, contact.Party{Policy: contact.Policy{DiscloseBlocks: true}})
	f.Fuzz(func(t *testing.T, in []byte) {
		st := &talker{in: bytes.NewReader(in)}
		if err := s.answer(st); err != nil {
			if st.out.Len() > 0 {
				t.Fatalf("answered %x, and then %v", st.out.Bytes(), err)
			}
			return
		}
		if _, err := exchange(&talker{in: bytes.NewReader(st.out.Bytes())}, contact.QuestionListed); err != nil {
			t.Fatalf("answered %x: %v", st.out.Bytes(), err)
		}
	})
}

// FuzzExchange lets the asked device answer anything.
func FuzzExchange(f *testing.F) {
	f.Add([]byte{3, 0xa1, 1, 2})
	f.Add([]byte{3, 0xa1, 1, 3})
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		fact, err := exchange(&talker{in: bytes.NewReader(in)}, contact.QuestionListed)
		if fact > contact.FactYes && err == nil {
			t.Fatalf("%d, %v", fact, err)
		}
	})
}
