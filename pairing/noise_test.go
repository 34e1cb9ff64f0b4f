package pairing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
)

func TestHandshakeWithoutKeyIsRefused(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := newHandshake(Shows, make([]byte, n), nil); !errors.Is(err, errPSK) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}

// handshakes returns both sides before the first message.
func handshakes(t testing.TB, pskS, pskE, proS, proE []byte) (s, e *handshake) {
	t.Helper()
	s, err := newHandshake(Shows, pskS, proS)
	if err != nil {
		t.Fatal(err)
	}
	e, err = newHandshake(Enters, pskE, proE)
	if err != nil {
		t.Fatal(err)
	}
	return s, e
}

func TestHandshakeNeedsKeyAndPrologue(t *testing.T) {
	psk, pro := fill(32, 7), fill(32, 8)
	for _, c := range []struct {
		name     string
		psk, pro []byte
		want     bool
	}{
		{"the same", psk, pro, true},
		{"another key", fill(32, 9), pro, false},
		{"another prologue", psk, fill(32, 9), false},
	} {
		s, e := handshakes(t, psk, c.psk, pro, c.pro)
		first, _, _, err := s.WriteMessage(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := 48; len(first) != want {
			t.Errorf("first message of %d bytes, want %d", len(first), want)
		}
		if _, _, _, err := e.ReadMessage(nil, first); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The library hands out the hash of a handshake that has not ended; outcome must not.
func TestOutcomeOnlyAfterAllMessages(t *testing.T) {
	psk, key := fill(32, 7), fill(64, 3)
	s, e := handshakes(t, psk, psk, nil, nil)
	step := func(from, to *handshake) {
		t.Helper()
		if _, _, err := from.outcome(key); err == nil {
			t.Error("an outcome before the end")
		}
		m, _, _, err := from.WriteMessage(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := to.ReadMessage(nil, m); err != nil {
			t.Fatal(err)
		}
	}
	step(s, e)
	step(e, s)
	step(s, e)
	idS, secretS, errS := s.outcome(key)
	idE, secretE, errE := e.outcome(key)
	if errS != nil || errE != nil || idS != idE || secretS != secretE {
		t.Errorf("%x %v, %x %v", idS, errS, idE, errE)
	}
	if other, _, _ := e.outcome(fill(64, 4)); other == idE {
		t.Error("the code's key does not enter the pair id")
	}
	if bytes.Contains(secretS[:], idS[:]) {
		t.Error("the public id is part of the secret")
	}
}

// What both sides derive, computed by another implementation of HKDF (RFC 5869).
func TestDerivationsGolden(t *testing.T) {
	isk := fill(64, 1)
	sid := sessionID(fill(32, 0xee), fill(32, 0x55), 2)
	psk, err := derivePSK(isk, sid)
	if want := "7a1d2d9b7a9928dc3f0089275dde0f00097581d119d951166d195ed0d4122d8d"; err != nil || hex.EncodeToString(psk) != want {
		t.Errorf("psk %x, %v; want %s", psk, err, want)
	}
	id, secret, err := deriveOutcome(isk, fill(32, 2))
	if want := "7ff422f648ce40d223c1159faf40c0c1"; err != nil || hex.EncodeToString(id[:]) != want {
		t.Errorf("pair id %x, %v; want %s", id, err, want)
	}
	if want := "e35d259a2f65d6b5e7f2f59a3d9e162e33256c3a746e7c5b552065b205f30bb4"; hex.EncodeToString(secret[:]) != want {
		t.Errorf("pair secret %s; want %s", hex.EncodeToString(secret[:]), want)
	}
	s, e := contact.ODID(fill(32, 0xaa)), contact.ODID(fill(32, 0xbb))
	if got, want := prologue([]byte("frames"), fill(64, 3), s, e), "477677c282919c3520e06c6a0bdf6e88781af076fb96e6beb881b66533d4cd9d"; hex.EncodeToString(got) != want {
		t.Errorf("prologue %x; want %s", got, want)
	}
}

func TestSessionIDGolden(t *testing.T) {
	want := append(append(fill(32, 0xee), fill(32, 0x55)...), 2)
	if got := sessionID(fill(32, 0xee), fill(32, 0x55), 2); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestPayload(t *testing.T) {
	sam, eve := newIdentity(t, 1), newIdentity(t, 2)
	pro := fill(32, 8)
	s, e := handshakes(t, fill(32, 7), fill(32, 7), pro, pro)
	// Both have read the other's static key by the time that they verify.
	relay := func(from, to *handshake, p []byte) []byte {
		t.Helper()
		m, _, _, err := from.WriteMessage(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		out, _, _, err := to.ReadMessage(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	relay(s, e, nil)
	mine, err := e.introduce(eve, "Eve", contact.PairedDefault)
	if err != nil {
		t.Fatal(err)
	}
	got := relay(e, s, mine)
	if p, err := s.introduced(eve.Self(), got); err != nil || p.Name != "Eve" || p.Permissions != contact.PairedDefault {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.introduced(sam.Self(), got); !errors.Is(err, errPayload) {
		t.Errorf("an identity that is not the connection's: %v", err)
	}

	sign := func(id *identity.Identity, body []byte) (sig signature) {
		b, err := id.Sign(identity.PairingDomain, body)
		if err != nil {
			t.Fatal(err)
		}
		return signature(b)
	}
	for name, sig := range map[string]signature{
		"the role of the other side":    sign(eve, vouched(Shows, e.static, pro)),
		"another static key":            sign(eve, vouched(Enters, s.static, pro)),
		"another prologue":              sign(eve, vouched(Enters, e.static, fill(32, 9))),
		"another identity":              sign(sam, vouched(Enters, e.static, pro)),
		"no signature":                  {},
		"the signature of another body": sign(eve, nil),
	} {
		b, err := codec.Marshal(payload{eve.Self(), "Eve", 0, sig})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.introduced(eve.Self(), b); !errors.Is(err, errPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := codec.Marshal(payload{sam.Self(), "Eve", 0, sign(eve, vouched(Enters, e.static, pro))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.introduced(eve.Self(), b); !errors.Is(err, errPayload) {
		t.Errorf("signed by the connection's identity, naming another: %v", err)
	}
}

func TestPayloadGolden(t *testing.T) {
	var id contact.ODID
	copy(id[:], fill(32, 0xaa))
	var sig signature
	copy(sig[:], fill(64, 0xbb))
	b, err := codec.Marshal(payload{id, "Sam", contact.Messages | contact.Presence, sig})
	if err != nil {
		t.Fatal(err)
	}
	want := "a4" + "015820" + strings.Repeat("aa", 32) + "0263" + hex.EncodeToString([]byte("Sam")) +
		"0382" + "68" + hex.EncodeToString([]byte("messages")) + "66" + hex.EncodeToString([]byte("status")) +
		"045840" + strings.Repeat("bb", 64)
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if _, err := parsePayload(b); err != nil {
		t.Error(err)
	}
}

func TestPayloadLimits(t *testing.T) {
	type wide struct {
		Identity    []byte   `cbor:"1,keyasint"`
		Name        string   `cbor:"2,keyasint"`
		Permissions []string `cbor:"3,keyasint"`
		Signature   []byte   `cbor:"4,keyasint"`
		More        []byte   `cbor:"9,keyasint,omitempty"`
	}
	ok := wide{fill(32, 1), "n", nil, fill(64, 1), nil}
	for _, c := range []struct {
		name   string
		change func(*wide)
		want   bool
	}{
		{"as it should be", func(*wide) {}, true},
		{"a field of a newer version", func(w *wide) { w.More = fill(100, 1) }, true},
		{"longest name", func(w *wide) { w.Name = strings.Repeat("n", 64) }, true},
		{"name too long", func(w *wide) { w.Name = strings.Repeat("n", 65) }, false},
		{"name that moves the cursor", func(w *wide) { w.Name = "\x1b[2J" }, false},
		{"identity too short", func(w *wide) { w.Identity = fill(31, 1) }, false},
		{"signature too long", func(w *wide) { w.Signature = fill(65, 1) }, false},
		{"over 1 KiB", func(w *wide) { w.More = fill(1000, 1) }, false},
		{"unsorted permissions", func(w *wide) { w.Permissions = []string{"video", "audio"} }, false},
		{"unknown permission", func(w *wide) { w.Permissions = []string{"teleport"} }, true},
	} {
		w := ok
		c.change(&w)
		b, err := codec.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsePayload(b); (err == nil) != c.want || err != nil && !errors.Is(err, errPayload) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSecretIsRedacted(t *testing.T) {
	var secret Secret
	copy(secret[:], fill(32, 0xab))
	r := Result{Secret: secret}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", secret, "result", r)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o", "%c"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", secret, r, &secret)
	}
	for _, leak := range []string{"abab", "ABAB", "171 171", "171, 171", "171,171", "253 253", "0xab", "\u00ab"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q in %s", leak, out.String())
		}
	}
	if b, err := secret.MarshalJSON(); err != nil || string(b) != `"[secret]"` {
		t.Errorf("%s, %v", b, err)
	}
}

func FuzzPayload(f *testing.F) {
	b, err := codec.Marshal(payload{Name: "Sam", Permissions: contact.AllPermissions})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePayload(b); err == nil && (len(p.Name) > contact.MaxNameSize || len(b) > maxPayload) {
			t.Errorf("%x", b)
		}
	})
}
