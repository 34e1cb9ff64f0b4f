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
		{"held key on disk", held{Key: key, Ahead: -5}, "a2015820" + strings.Repeat("ab", 32) + "0224"},
		{"nonce", gossipFrame{Nonce: &nonce{1}}, "a101582001" + strings.Repeat("00", 31)},
		{"topics", gossipFrame{Know: masks("12345678"), More: true, Forget: masks("abcdefgh")}, "a30248" + "3132333435363738" + "03f5" + "0448" + "6162636465666768"},
		{"claims", gossipFrame{Have: claims(nil).add(claim{mask{1}, 2, 3}), Pull: claims(nil).add(claim{mask: mask{3}, seq: 4}), Stop: masks("abcdefgh")},
			"a30551" + "0100000000000000" + "0000000000000002" + "03" + "0651" + "0300000000000000" + "0000000000000004" + "00" + "0748" + "6162636465666768"},
		{"news", gossipFrame{News: &passed{Mask: mask{1}, Seq: 2, Hops: 3, Beacon: []byte{4}}}, "a108a4" + "01480100000000000000" + "0202" + "0303" + "044104"},
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

// TestGoldenTopics fixes what topics and masks are made of.
func TestGoldenTopics(t *testing.T) {
	topic := topicOf(presenceKey{1, 2, 3}, 20000)
	if got := hex.EncodeToString(topic[:]); got != goldenTopic {
		t.Errorf("topic %s, want %s", got, goldenTopic)
	}
	m := maskOf(topic, contact.ODID{4}, nonce{5}, nonce{6})
	if got := hex.EncodeToString(m[:]); got != goldenMask {
		t.Errorf("mask %s, want %s", got, goldenMask)
	}
	others := map[mask]string{
		maskOf(topic, contact.ODID{7}, nonce{5}, nonce{6}):                                "another author",
		maskOf(topic, contact.ODID{4}, nonce{6}, nonce{5}):                                "the other way round",
		maskOf(topicOf(presenceKey{1, 2, 3}, 20001), contact.ODID{4}, nonce{5}, nonce{6}): "another day",
	}
	if _, same := others[m]; same || len(others) != 3 {
		t.Error("masks of different things are equal")
	}
	if got := dayOf(time.Date(2026, 1, 2, 23, 59, 59, 0, time.UTC)); got != 20455 {
		t.Errorf("day %d", got)
	}
}

func TestDecoysHideHowManyThereAre(t *testing.T) {
	for n, want := range map[int]int{0: 16, 1: 16, 16: 16, 17: 32, 1000: 1024, 3000: 4096} {
		list := make([]mask, n)
		for i := range list {
			list[i] = mask{byte(i), byte(i >> 8), 1}
		}
		got := decoyed(list, minTopics)
		if len(got) != want {
			t.Errorf("%d topics are named by %d masks, want %d", n, len(got), want)
		}
		in := make(map[mask]bool)
		for i, m := range got {
			in[m] = true
			if i > 0 && bytes.Compare(got[i-1][:], m[:]) > 0 {
				t.Fatal("the order tells which are real")
			}
		}
		for _, m := range list {
			if !in[m] {
				t.Fatal("a topic is missing")
			}
		}
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

func FuzzGossipFrame(f *testing.F) {
	for _, fr := range []gossipFrame{
		{Nonce: &nonce{1}}, {Know: make(masks, 16), More: true}, {Forget: make(masks, 8)},
		{Have: make(claims, 17), Pull: make(claims, 34), Stop: make(masks, 8)},
		{News: &passed{Seq: 1, Hops: 1, Beacon: []byte("x")}},
	} {
		body, err := codec.Marshal(fr)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var fr gossipFrame
		if codec.Unmarshal(body, &fr) != nil || fr.check() != nil {
			return
		}
		if n := len(fr.Know.list()) + len(fr.Forget.list()) + len(fr.Stop.list()); n > 3*maxMasks {
			t.Fatalf("%d masks", n)
		}
		if n := len(fr.Have.list()) + len(fr.Pull.list()); n > 2*maxClaims {
			t.Fatalf("%d claims", n)
		}
		if n := fr.News; n != nil && (n.Hops < 1 || n.Hops > maxHops || len(n.Beacon) > maxFrame) {
			t.Fatalf("taken: %+v", n)
		}
	})
}

// FuzzHandleGossip feeds a link of a contact with arbitrary bytes.
func FuzzHandleGossip(f *testing.F) {
	id, peer := newIdentity(f, 1), newIdentity(f, 2)
	var session bytes.Buffer
	for _, fr := range []gossipFrame{
		{Nonce: &nonce{1}}, {Know: make(masks, 16)}, {Have: make(claims, 17)}, {Pull: make(claims, 17)}, {Stop: make(masks, 8)},
		{News: &passed{Seq: 1, Hops: 1, Beacon: []byte("x")}},
	} {
		if err := transport.WriteFrame(&session, fr, maxGossipFrame); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(session.Bytes())
	f.Add(session.Bytes()[:session.Len()-3])
	f.Add([]byte{1, 0xa0})
	db, err := store.Open(filepath.Join(f.TempDir(), "store"), store.Options{NoSync: true}, Tables()...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := New(Config{DB: db, Identity: id, Network: alone{id.Self()}, Addresses: nowhere{}, Relation: func(*store.Tx, contact.ODID) (contact.View, bool, error) {
			return accepted(contact.Presence), true, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		s.HandleGossip(ctx, &canned{Reader: bytes.NewReader(data), peer: peer.Self()}, contact.Serve)
		if counts, links := s.Gossip(); links != 0 || counts != (Relays{}) {
			t.Fatalf("%d links, %+v", links, counts)
		}
	})
}

// alone is a network without anybody.
type alone struct{ self contact.ODID }

func (n alone) Self() contact.ODID                           { return n.self }
func (alone) Serve(transport.Protocol, transport.Handler)    {}
func (alone) Connected() []contact.ODID                      { return nil }
func (alone) Watch(func(contact.ODID, bool)) (cancel func()) { return func() {} }
func (alone) Open(context.Context, contact.ODID, transport.Protocol) (transport.Stream, error) {
	return nil, transport.ErrUnreachable
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

const (
	goldenTopic = "fdc5febd951e68c0389823d969c205b90d1e1eac6eb54b01053c132ee51ecaf2" // as HMAC-SHA256 of another language has it
	goldenMask  = "53363805d0d0260d"
)
