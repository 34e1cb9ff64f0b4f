package presence

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

// sealEnvelope seals what seal would not.
func sealEnvelope(t testing.TB, origin contact.ODID, key presenceKey, e envelope) []byte {
	t.Helper()
	plain, err := codec.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, aead.NonceSize())
	return append(nonce, aead.Seal(nil, nonce, plain, origin[:])...)
}

// TestGoldenBytes fixes every record on the wire and on disk. A change here is a
// change of the protocol or needs a migration.
func TestGoldenBytes(t *testing.T) {
	key := presenceKey(bytes.Repeat([]byte{0xab}, 32))
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"keep-alive", frame{}, "a0"},
		{"key", frame{Key: &key, Clock: 1_700_000_000_000}, "a2015820" + strings.Repeat("ab", 32) + "031b0000018bcfe56800"},
		{"beacon frame", frame{Beacon: []byte{1, 2}, Clock: 1}, "a2024201020301"},
		{"body", beacon{Seq: 1_700_000_000_001, State: Away, Text: "lunch", Since: 1_700_000_000_000, Sent: 1_700_000_000_001, Validity: 900, Addresses: []transport.Address{"a", "b"}},
			"a7" + "011b0000018bcfe56801" + "0202" + "03656c756e6368" + "041b0000018bcfe56800" + "051b0000018bcfe56801" + "06190384" + "0782" + "6161" + "6162"},
		{"least body", beacon{Seq: 1, State: Offline}, "a50101020404000500" + "0600"},
		{"envelope", envelope{[]byte{1}, []byte{2}}, "a2014101024102"},
		{"choice on disk", choice{State: Busy, Text: "x", Since: 3, Rev: 4}, "a4010302617803030404"},
		{"key on disk", ownKey{Key: key, Seq: 2}, "a2015820" + strings.Repeat("ab", 32) + "0202"},
		{"holder on disk", holder{At: 1}, "a10101"},
		{"sighting on disk", seen{Last: 1, Seq: 2}, "a201010202"},
	} {
		b, err := codec.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestGoldenSealedBeacon opens a beacon sealed by an earlier run: nonce, order of
// layers, additional data and signature are all as they were.
func TestGoldenSealedBeacon(t *testing.T) {
	sealed, err := hex.DecodeString(goldenSealed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := unseal(newIdentity(t, 42).Self(), presenceKey{1, 2, 3}, sealed)
	if err != nil {
		t.Fatal(err)
	}
	want := beacon{Seq: 7, State: Busy, Text: "golden", Since: 1, Sent: 2, Validity: 900}
	if fmt.Sprint(b) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", b, want)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := unseal(newIdentity(t, 42).Self(), presenceKey{1, 2, 3}, sealed); err == nil {
			t.Fatalf("byte %d changed and nobody saw", i)
		}
		sealed[i] ^= 1
	}
}

func TestSealingHidesEqualBeacons(t *testing.T) {
	id, b := newIdentity(t, 1), beacon{Seq: 1, State: Online}
	one, _ := seal(id, presenceKey{}, b)
	two, _ := seal(id, presenceKey{}, b)
	if bytes.Equal(one, two) {
		t.Error("the same beacon twice is the same bytes")
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	key := presenceKey(bytes.Repeat([]byte{0xab}, 32))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "frame", frame{Key: &key})
	out := fmt.Sprintf("%v %+v %#v %s %x", key, key, key, key, key) + log.String() + fmt.Sprintf("%v %+v", ownKey{Key: key}, ownKey{Key: key})
	for _, leak := range []string{"abab", "171 171", "0xab"} {
		if strings.Contains(out, leak) {
			t.Errorf("%s of the key shows in %q", leak, out)
		}
	}
}

func FuzzBeaconBody(f *testing.F) {
	for _, b := range []beacon{
		{Seq: 1, State: Offline},
		{Seq: 1, State: Busy, Text: "text", Since: 1, Sent: 2, Validity: 900, Addresses: []transport.Address{"a"}},
	} {
		body, _ := codec.Marshal(b)
		f.Add(body)
	}
	f.Add([]byte{0xa1, 0x01, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := parseBeacon(body)
		if err != nil {
			return
		}
		if b.State < Online || b.State > Offline || len(b.Text) > MaxTextSize || len(b.Addresses) > maxAddresses {
			t.Fatalf("taken: %+v", b)
		}
		_ = b.timely(time.UnixMilli(0), maxTime)
		_ = b.timely(time.UnixMilli(maxTime), 0)
	})
}

func FuzzUnseal(f *testing.F) {
	id := newIdentity(f, 1)
	sealed, err := seal(id, presenceKey{}, beacon{Seq: 1, State: Online})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := unseal(id.Self(), presenceKey{}, data); err == nil && (b.Seq != 1 || b.State != Online) {
			t.Fatalf("forged %+v", b)
		}
		// The layers under the seal, as a contact with the key can send them.
		wrapped := sealEnvelope(t, id.Self(), presenceKey{}, envelope{data, data})
		if _, err := unseal(id.Self(), presenceKey{}, wrapped); err == nil {
			t.Fatal("taken without a signature")
		}
	})
}

// FuzzHandle feeds a stream of a listed contact with arbitrary bytes.
func FuzzHandle(f *testing.F) {
	id, peer := newIdentity(f, 1), newIdentity(f, 2)
	key := presenceKey{7}
	sealed, err := seal(peer, key, beacon{Seq: 1, State: Online, Sent: 5, Validity: 900})
	if err != nil {
		f.Fatal(err)
	}
	var session bytes.Buffer
	for _, fr := range []frame{{Key: &key}, {Beacon: sealed, Clock: 5}, {}} {
		if err := transport.WriteFrame(&session, fr, maxFrame); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(session.Bytes())
	f.Add(session.Bytes()[:session.Len()-5])
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	db, err := store.Open(filepath.Join(f.TempDir(), "store"), store.Options{NoSync: true}, Tables()...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := New(Config{DB: db, Identity: id, Addresses: nowhere{}, Relation: func(*store.Tx, contact.ODID) (contact.View, bool, error) {
			return accepted(contact.Presence), true, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // a flood is read slowly
		defer cancel()
		s.Handle(ctx, &canned{Reader: bytes.NewReader(data), peer: peer.Self()}, contact.Serve)
		if p := s.Of(peer.Self()); p.State != Unknown && p.State != Offline && !p.Relayed {
			t.Fatalf("%v after the stream ended", p.State)
		}
	})
}

// canned is a stream that reads fixed bytes.
type canned struct {
	io.Reader
	peer contact.ODID
}

func (*canned) Write(b []byte) (int, error) { return len(b), nil }
func (*canned) Close() error                { return nil }
func (*canned) CloseWrite() error           { return nil }
func (*canned) Reset() error                { return nil }
func (*canned) SetDeadline(time.Time) error { return nil }
func (c *canned) Peer() contact.ODID        { return c.peer }

// nowhere knows no addresses.
type nowhere struct{ transport.Addresses }

func (nowhere) Own() []transport.Address                { return nil }
func (nowhere) Learn(contact.ODID, []transport.Address) {}

const goldenSealed = "dcda213f419b9ecfeb21cca56fba5ff5a2f4958d5cfb414601d7d1c04350e6716a88dd06e735388acc073481b0b4d2501fe8993e25ca739f606d48adac2c831e67ebc172b3db6ecb9e92065d7b0cc1db5bee2e16984b587bc3f0e44bb5c6d253b4e764ff5fa607020ecd672ac19f12b61aa6060f078fef5de02342bdc717960688403b"
