package pairing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

// The bytes on the wire, drawn once by hand.
func TestFramesGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		t    frameType
		body []byte
		want string
	}{
		{"HELLO", typeHello, hello{1, 1, 1, "", fill(32, 0xee)}.encode(), "0024" + "01" + "01" + "01" + "01" + "00" + strings.Repeat("ee", 32)},
		{"HELLO with a nameplate", typeHello, hello{1, 1, 1, "7", fill(32, 0xee)}.encode(), "0025" + "01" + "01" + "01" + "01" + "0137" + strings.Repeat("ee", 32)},
		{"OFFER", typeOffer, offer{2, fill(32, 0x55), fill(32, 0x0a)}.encode(), "0041" + "02" + "02" + strings.Repeat("55", 32) + strings.Repeat("0a", 32)},
		{"PROVE", typeProve, prove{1, fill(32, 0x0b), fill(64, 0x0c)}.encode(), "0061" + "03" + "01" + strings.Repeat("0b", 32) + strings.Repeat("0c", 64)},
		{"REJECT", typeReject, reject{reasonCode, true}.encode(), "0002" + "0f" + "0101"},
		{"CONFIRM", typeConfirm, confirm{fill(64, 0x0d), fill(48, 0x0e)}.encode(), "0070" + "04" + strings.Repeat("0d", 64) + strings.Repeat("0e", 48)},
		{"ACK", typeAck, fill(16, 0x0f), "0010" + "07" + strings.Repeat("0f", 16)},
	} {
		got := encodeFrame(c.t, c.body)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, want %s", c.name, got, c.want)
		}
		kind, body, raw, err := readFrame(iotest.OneByteReader(bytes.NewReader(got)), maxBody)
		if err != nil || kind != c.t || !bytes.Equal(body, c.body) || !bytes.Equal(raw, got) {
			t.Errorf("%s read back: %v %x %x, %v", c.name, kind, body, raw, err)
		}
	}
}

// The listed reasons are part of the wire format.
func TestReasonsGolden(t *testing.T) {
	for want, r := range map[byte]reason{1: reasonCode, 2: reasonBusy, 3: reasonLimit, 4: reasonVersion, 5: reasonKind, 6: reasonNameplate} {
		if byte(r) != want {
			t.Errorf("reason %d on the wire, want %d", r, want)
		}
	}
}

func TestReadFrameLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		limit int
		want  error
	}{
		{"too long", []byte{1, 1, 1}, maxBody, errFrame},
		{"longest", append([]byte{1, 0, 1}, fill(256, 0)...), maxBody, nil},
		{"too long after CONFIRM", []byte{8, 1, 5}, maxBodyAfter, errFrame},
		{"longest after CONFIRM", append([]byte{8, 0, 5}, fill(2048, 0)...), maxBodyAfter, nil},
		{"nothing", nil, maxBody, io.EOF},
		{"half a header", []byte{0, 1}, maxBody, io.ErrUnexpectedEOF},
		{"no body", []byte{0, 1, 1}, maxBody, io.ErrUnexpectedEOF},
		{"half a body", []byte{0, 2, 1, 9}, maxBody, io.ErrUnexpectedEOF},
		{"empty body", []byte{0, 0, 7}, maxBody, nil},
	} {
		if _, _, _, err := readFrame(bytes.NewReader(c.in), c.limit); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestParsersRefuse(t *testing.T) {
	good := map[string][]byte{
		"HELLO":   hello{1, 1, 1, "", fill(32, 1)}.encode(),
		"OFFER":   offer{1, fill(32, 1), fill(32, 2)}.encode(),
		"PROVE":   prove{1, fill(32, 1), fill(64, 2)}.encode(),
		"REJECT":  reject{reasonBusy, false}.encode(),
		"CONFIRM": confirm{fill(64, 1), fill(48, 2)}.encode(),
	}
	for name, parse := range parsers {
		if err := parse(good[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := parse(nil); !errors.Is(err, errFrame) {
			t.Errorf("empty %s: %v", name, err)
		}
		if name == "CONFIRM" {
			continue // its second part is Noise's to judge
		}
		if err := parse(append(bytes.Clone(good[name]), 0)); !errors.Is(err, errFrame) {
			t.Errorf("%s with a trailing byte: %v", name, err)
		}
		if err := parse(good[name][:len(good[name])-1]); !errors.Is(err, errFrame) {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{
		"OFFER":  append([]byte{0}, good["OFFER"][1:]...),
		"PROVE":  append([]byte{3}, good["PROVE"][1:]...),
		"REJECT": {0, 0},
		"HELLO":  hello{1, 1, 1, strings.Repeat("9", 33), fill(32, 1)}.encode(),
	} {
		if err := parsers[name](bad); !errors.Is(err, errFrame) {
			t.Errorf("%s %x: %v", name, bad, err)
		}
	}
	for _, bad := range [][]byte{{byte(reasonEnd), 0}, {1, 2}} {
		if err := parsers["REJECT"](bad); !errors.Is(err, errFrame) {
			t.Errorf("REJECT %x: %v", bad, err)
		}
	}
	if err := parsers["HELLO"](hello{1, 1, 1, "\x80", fill(32, 1)}.encode()); !errors.Is(err, errFrame) {
		t.Errorf("HELLO with a nameplate that is not ASCII: %v", err)
	}
}

var parsers = map[string]func([]byte) error{
	"HELLO":   func(b []byte) error { _, err := parseHello(b); return err },
	"OFFER":   func(b []byte) error { _, err := parseOffer(b); return err },
	"PROVE":   func(b []byte) error { _, err := parseProve(b); return err },
	"REJECT":  func(b []byte) error { _, err := parseReject(b); return err },
	"CONFIRM": func(b []byte) error { _, err := parseConfirm(b); return err },
}

func FuzzFrame(f *testing.F) {
	f.Add(encodeFrame(typeHello, hello{1, 1, 1, "", fill(32, 1)}.encode()))
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, body, raw, err := readFrame(bytes.NewReader(b), maxBody)
		if err == nil && (len(body) > maxBody || !bytes.Equal(raw, encodeFrame(kind, body)) || !bytes.HasPrefix(b, raw)) {
			t.Errorf("%x read as %v %x", b, kind, body)
		}
	})
}

// What a parser accepts is exactly what the encoder writes.
func FuzzHello(f *testing.F) {
	f.Add(hello{1, 1, 1, "", fill(32, 1)}.encode())
	f.Add(hello{2, 3, 4, "42", fill(32, 1)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHello(b); err == nil && !bytes.Equal(h.encode(), b) {
			t.Errorf("%x", b)
		}
	})
}

func FuzzOffer(f *testing.F) {
	f.Add(offer{1, fill(32, 1), fill(32, 2)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := parseOffer(b); err == nil && !bytes.Equal(o.encode(), b) {
			t.Errorf("%x", b)
		}
	})
}

func FuzzProve(f *testing.F) {
	f.Add(prove{1, fill(32, 1), fill(64, 2)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseProve(b); err == nil && !bytes.Equal(p.encode(), b) {
			t.Errorf("%x", b)
		}
	})
}

func FuzzReject(f *testing.F) {
	f.Add(reject{reasonCode, true}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseReject(b); err == nil && !bytes.Equal(r.encode(), b) {
			t.Errorf("%x", b)
		}
	})
}

func FuzzConfirm(f *testing.F) {
	f.Add(confirm{fill(64, 1), fill(48, 2)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseConfirm(b); err == nil && !bytes.Equal(c.encode(), b) {
			t.Errorf("%x", b)
		}
	})
}
