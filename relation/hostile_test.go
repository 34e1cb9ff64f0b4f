package relation

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

// sides returns what two devices say of each other.
func sides(t testing.TB, s *Service, peer contact.ODID) (row device, sides contact.Sides) {
	t.Helper()
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		row, sides = e.row, contact.Sides{Mine: e.mine, Theirs: e.theirs, Marks: e.row.Marks}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return row, sides
}

// signBytes signs what no device of this program says, as testIdentity(seed) would.
func signBytes(t testing.TB, seed byte, statement []byte) []byte {
	t.Helper()
	return signRaw(seed, contact.SigningBytes(statement))
}

func signRaw(seed byte, b []byte) []byte {
	key := [32]byte{seed}
	return ed25519.Sign(ed25519.NewKeyFromSeed(key[:]), b)
}

func numbered(seq uint64) func(*contact.Statement) {
	return func(s *contact.Statement) { s.Seq = seq }
}

// TestHostileNumbers: a contact says what it should not have numbered like that. It
// is not taken, and what the contact says next in the order of things is: nobody is
// made deaf or dumb by a number.
func TestHostileNumbers(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	const held = 100
	for name, hostile := range map[string]func(*contact.Statement){
		"lower":                        numbered(held - 1),
		"the first":                    numbered(1),
		"equal, but different":         func(s *contact.Statement) { s.Seq, s.Grants = held, contact.AllPermissions },
		"equal, and takes all back":    func(s *contact.Statement) { s.Seq, s.Listed, s.Grants = held, false, 0 },
		"equal, and parts":             func(s *contact.Statement) { *s = s.Unlist(math.MaxUint64); s.Seq = held },
		"just too far ahead":           numbered(held + contact.MaxSeqLeap + 1),
		"2^63":                         numbered(1 << 63),
		"2^63, and takes all back":     func(s *contact.Statement) { s.Seq, s.Listed, s.Grants = 1<<63, false, 0 },
		"2^64-1":                       numbered(math.MaxUint64),
		"2^64-1, and parts":            func(s *contact.Statement) { *s = s.Unlist(math.MaxUint64); s.Seq = math.MaxUint64 },
		"2^64-1, and asks":             func(s *contact.Statement) { askOf(1)(s); s.Seq = math.MaxUint64 },
		"far ahead by a clock of ever": numbered(math.MaxInt64),
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestService(t, self)
			if _, _, err := s.Add(peer.Self(), AddOptions{}); err != nil {
				t.Fatal(err)
			}
			hears(t, s, peer.Self(), say(t, peer, self, numbered(held)))
			before, _ := sides(t, s, peer.Self())
			if before.Theirs == nil || before.Marks.TheirsSeq != held {
				t.Fatalf("holds %+v", before)
			}
			for range 3 {
				hears(t, s, peer.Self(), say(t, peer, self, hostile))
			}
			after, _ := sides(t, s, peer.Self())
			if !same(after.Theirs, before.Theirs) || after.Marks != before.Marks {
				t.Errorf("taken: %+v, before %+v", after.Marks, before.Marks)
			}
			hears(t, s, peer.Self(), say(t, peer, self, func(s *contact.Statement) { s.Seq, s.Grants = held+1, contact.Audio }))
			if _, now := sides(t, s, peer.Self()); now.Theirs.Seq != held+1 || now.Theirs.Grants != contact.Audio {
				t.Errorf("what it says next is not heard: %+v", now.Theirs)
			}
		})
	}
}

// TestNumberOfAWrongClockIsTaken: an author whose clock went as wrong as a clock
// can is heard, then and once it is right.
func TestNumberOfAWrongClockIsTaken(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	s := newTestService(t, self)
	if _, _, err := s.Add(peer.Self(), AddOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, seq := range []uint64{5, 253_402_300_799_999, 253_402_300_800_000, contact.MaxSeqLeap, 2 * contact.MaxSeqLeap, 2*contact.MaxSeqLeap + 1} {
		hears(t, s, peer.Self(), say(t, peer, self, numbered(seq)))
		if _, now := sides(t, s, peer.Self()); now.Theirs == nil || now.Theirs.Seq != seq {
			t.Errorf("statement %d, numbered %d, is not heard: %+v", i, seq, now.Theirs)
		}
	}
}

// TestShownNumbersThatLeap: a peer shows this device a statement of its own that it
// can't have made by the rules. It stands by what it says, and goes on.
func TestShownNumbersThatLeap(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	for _, seq := range []uint64{1 << 63, math.MaxUint64} {
		s := newTestService(t, self)
		if _, _, err := s.Add(peer.Self(), AddOptions{}); err != nil {
			t.Fatal(err)
		}
		before, _ := sides(t, s, peer.Self())
		shown, err := self.SignStatement(contact.Statement{Author: self.Self(), Subject: peer.Self(), Seq: seq})
		if err != nil {
			t.Fatal(err)
		}
		hears(t, s, peer.Self(), frameOf(t, frame{Yours: &shown}))
		if after, _ := sides(t, s, peer.Self()); !same(after.Mine, before.Mine) || after.Marks != before.Marks {
			t.Errorf("shown %d: %+v, before %+v", seq, after.Marks, before.Marks)
		}
		if err := s.Narrow(peer.Self(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		if _, now := sides(t, s, peer.Self()); now.Mine.Seq <= before.Marks.MineSeq || now.Mine.Seq > 1<<48 {
			t.Errorf("shown %d, it goes on with %d", seq, now.Mine.Seq)
		}
	}
}

// TestReplayAfterAReAdd: what a contact once said and took back does not count
// again, though it was removed and added anew in between.
func TestReplayAfterAReAdd(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	s := newTestService(t, self)
	generous := say(t, peer, self, func(s *contact.Statement) { s.Seq, s.Grants = 100, contact.AllPermissions })
	add := func() {
		t.Helper()
		if _, created, err := s.Add(peer.Self(), AddOptions{}); err != nil || !created {
			t.Fatalf("added: %v, %v", created, err)
		}
	}
	add()
	before, _ := sides(t, s, peer.Self())
	wish := say(t, peer, self, func(st *contact.Statement) { *st = st.Unlist(before.Marks.MineSeq); st.Seq = 101 })
	hears(t, s, peer.Self(), generous, wish)
	if after, _ := sides(t, s, peer.Self()); !after.Marks.Removed {
		t.Fatal("the wish to part was not honoured")
	}
	hears(t, s, peer.Self(), generous, wish)
	add()
	hears(t, s, peer.Self(), generous, wish, say(t, peer, self, numbered(99)), generous)
	row, now := sides(t, s, peer.Self())
	v := contact.Derive(now.Mine, now.Theirs, now.Marks)
	if row.Marks.TheirsSeq != 101 || v.Status != contact.StatusPending || v.Received != 0 {
		t.Errorf("%+v, %+v", row.Marks, v)
	}
}

// TestNewerPeerIsKeptAsItIs: a permission and fields that this version does not
// know are ignored, and stay in the bytes that are stored and shown back.
func TestNewerPeerIsKeptAsItIs(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	id := peer.Self()
	about := self.Self()
	b, err := codec.Marshal(map[int]any{
		1: id[:], 2: about[:], 3: 100, 4: 8, 5: true, 6: []string{"later", "messages", "teleport"},
		15: "a person", 40: map[int]any{1: "new", 2: []any{true, nil, -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	signed := contact.Signed{Bytes: b, Sig: signBytes(t, 2, b)}
	s := newTestService(t, self)
	if _, _, err := s.Add(id, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	heard := hears(t, s, id, frameOf(t, frame{Mine: &signed}))
	row, now := sides(t, s, id)
	if row.Theirs == nil || !bytes.Equal(row.Theirs.Bytes, b) || !bytes.Equal(row.Theirs.Sig, signed.Sig) {
		t.Fatalf("kept as %+v", row.Theirs)
	}
	if v := contact.Derive(now.Mine, now.Theirs, now.Marks); v.Status != contact.StatusAccepted || v.Received != contact.Messages {
		t.Errorf("%+v", v)
	}
	var out frame
	if err := transport.NewFrameReader(strings.NewReader(heard[0]), maxFrame).Read(&out); err != nil {
		t.Fatal(err)
	}
	if out.Yours == nil || !bytes.Equal(out.Yours.Bytes, b) {
		t.Errorf("shown back as %+v", out.Yours)
	}
}

// TestLimitsOfAFrame takes each limit one below, exactly, and one above.
func TestLimitsOfAFrame(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	address := func(size int) []transport.Address {
		return []transport.Address{transport.Address(strings.Repeat("a", size))}
	}
	for _, tt := range []struct {
		name  string
		limit int
		of    func(n int) frame
	}{
		{"addresses", maxAddresses, func(n int) frame { return frame{Addresses: make([]transport.Address, n)} }},
		{"bytes of an address", maxAddressSize, func(n int) frame { return frame{Addresses: address(n)} }},
		{"bytes of a name", contact.MaxNameSize, func(n int) frame { return frame{Name: strings.Repeat("n", n)} }},
	} {
		for n, want := range map[int]bool{tt.limit - 1: true, tt.limit: true, tt.limit + 1: false} {
			s := newTestService(t, self)
			if _, _, err := s.Add(peer.Self(), AddOptions{}); err != nil {
				t.Fatal(err)
			}
			f := tt.of(n)
			if err := f.check(); (err == nil) != want || err != nil && !strings.Contains(err.Error(), fmt.Sprint(tt.limit)) {
				t.Errorf("%d %s: %v", n, tt.name, err)
			}
			if answered := hears(t, s, peer.Self(), frameOf(t, f))[0] != ""; answered != want {
				t.Errorf("%d %s: answered %v", n, tt.name, answered)
			}
		}
	}
}

// TestTextsOfOthers: names and wordings of strangers hold no control characters;
// those that turn the reading direction are kept, for whoever shows them to escape.
func TestTextsOfOthers(t *testing.T) {
	self := testIdentity(t, 1)
	for text, taken := range map[string]bool{
		"plain":           true,
		"日本語 😀":           true,
		"a\u202eb\u2066c": true,
		"a\x00b":          false,
		"a\x1b[2Jb":       false,
		"a\nb":            false,
		"a\u009b31mb":     false,
		"a\x7fb":          false,
	} {
		for where, open := range map[string]func(from *identity.Identity) []byte{
			"name": func(from *identity.Identity) []byte {
				signed, err := from.SignStatement(contact.Statement{
					Author: from.Self(), Subject: self.Self(), Seq: 1, Ask: &contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "May I?"},
				})
				if err != nil {
					t.Fatal(err)
				}
				return frameOf(t, frame{Mine: &signed, Name: text})
			},
			"wording": func(from *identity.Identity) []byte {
				id, about := from.Self(), self.Self()
				digest, err := contact.Ask{Permissions: contact.Messages, Wording: text}.Digest()
				if err != nil {
					t.Fatal(err)
				}
				b, err := codec.Marshal(map[int]any{
					1: id[:], 2: about[:], 3: 1, 4: 8, 5: false, 6: []string{},
					8: map[int]any{1: make([]byte, 16), 2: []string{"messages"}, 3: text, 4: signRaw(2, contact.AskSigningBytes(id, about, digest))},
				})
				if err != nil {
					t.Fatal(err)
				}
				return frameOf(t, frame{Mine: &contact.Signed{Bytes: b, Sig: signBytes(t, 2, b)}})
			},
		} {
			s := newTestService(t, self)
			peer := testIdentity(t, 2)
			answered := hears(t, s, peer.Self(), open(peer))[0] != ""
			list, err := s.Requests(true)
			if err != nil || answered != taken || (len(list) == 1) != taken {
				t.Errorf("%q as a %s: answered %v, %d wait, %v", text, where, answered, len(list), err)
			}
		}
	}
}
