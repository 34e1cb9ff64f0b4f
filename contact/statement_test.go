package contact

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"contactsd/internal/codec"
)

// sign signs bytes as the device of testODID(seed) does.
func sign(seed byte, encoded []byte) Signed {
	return Signed{Bytes: encoded, Sig: ed25519.Sign(testKey(seed), SigningBytes(encoded))}
}

func mustSign(t testing.TB, seed byte, s Statement) Signed {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return sign(seed, b)
}

// fullStatement has every field set.
func fullStatement(t testing.TB) Statement {
	pair := PairID{0xaa, 15: 0xab}
	s := Statement{
		Author: testODID(t, 1), Subject: testODID(t, 2), Seq: 1_700_000_000_001, At: 1_700_000_000_000,
		Listed: true, Grants: AllPermissions, Pair: &pair,
		Ask:        &Ask{ID: AskID{1}, Permissions: Audio | Video, Wording: "May I call?"},
		CardAsk:    &CardAsk{ID: AskID{2}, Wording: "Your card?"},
		Answer:     &Answer{Digest: Digest{3}, Verdict: Accepted},
		CardAnswer: &Answer{Digest: Digest{4}, Verdict: Reported},
		Card:       &CardGrant{Rev: 5, Lease: 2_592_000},
		CardState:  &CardState{Rev: 6, Held: true},
		Part:       7,
	}
	s.Ask.Proof = proof(t, s)
	return s
}

// proof is what the device testODID(1) signs on the ask in s.
func proof(t testing.TB, s Statement) []byte {
	d, err := s.Ask.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.Sign(testKey(1), AskSigningBytes(s.Author, s.Subject, d))
}

// goldenProof is that of the ask in fullStatement.
const goldenProof = "5d1d68da96a4f935e861dd434ce1549c3510e52ac55ad158e88a90947b026658656c380f5894ace558ea871926987901476ae6e71451c8a35c6de49325491c08"

// TestStatementGoldenBytes fixes the bytes that are signed: other bytes for the
// same statement would break every signature that is stored.
func TestStatementGoldenBytes(t *testing.T) {
	full := fullStatement(t)
	author, subject := hex.EncodeToString(full.Author[:]), hex.EncodeToString(full.Subject[:])
	for _, tt := range []struct {
		name string
		st   Statement
		want string
	}{
		{"least", Statement{Author: full.Author, Subject: full.Subject, Seq: 1},
			"a6" + "015820" + author + "025820" + subject + "0301" + "0400" + "05f4" + "0680"},
		{"full", full, "ae" + "015820" + author + "025820" + subject +
			"031b0000018bcfe56801" + "041b0000018bcfe56800" + "05f5" +
			"0684" + "65" + hexOf("audio") + "68" + hexOf("messages") + "66" + hexOf("status") + "65" + hexOf("video") +
			"0750" + "aa" + strings.Repeat("00", 14) + "ab" +
			"08a4" + "0150" + "01" + strings.Repeat("00", 15) + "0282" + "65" + hexOf("audio") + "65" + hexOf("video") + "036b" + hexOf("May I call?") +
			"045840" + goldenProof +
			"09a2" + "0150" + "02" + strings.Repeat("00", 15) + "036a" + hexOf("Your card?") +
			"0aa2" + "015820" + "03" + strings.Repeat("00", 31) + "0201" +
			"0ba2" + "015820" + "04" + strings.Repeat("00", 31) + "0203" +
			"0ca2" + "0105" + "021a00278d00" +
			"0da2" + "0106" + "02f5" +
			"0e07"},
	} {
		b, err := tt.st.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		st, err := sign(1, b).Open()
		if err != nil {
			t.Fatal(err)
		}
		again, err := st.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: decoded and encoded again it differs: %v", tt.name, err)
		}
	}
	if got := string(SigningBytes([]byte("x"))); got != "contacts/statement/1\x00x" {
		t.Errorf("signed is %q", got)
	}
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

func TestAskDigestIsFixed(t *testing.T) {
	d, err := Ask{ID: AskID{1}, Permissions: Messages, Wording: "hello"}.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(d[:]), "68339ae070c9275511eb84d9c498ef32b0400d0e712d3b919e938ea9fc93ec11"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	card, err := CardAsk{ID: AskID{1}, Wording: "hello"}.Digest()
	if err != nil || card == d {
		t.Errorf("an ask for a card has the digest of another ask: %v", err)
	}
}

func TestOnlyTheAuthorsSignatureCounts(t *testing.T) {
	st := fullStatement(t)
	good := mustSign(t, 1, st)
	if _, err := good.Open(); err != nil {
		t.Fatal(err)
	}
	other := mustSign(t, 3, st)
	wrong := map[string]Signed{
		"of another":             other,
		"of the subject":         {good.Bytes, ed25519.Sign(testKey(2), SigningBytes(good.Bytes))},
		"of the bare bytes":      {good.Bytes, ed25519.Sign(testKey(1), good.Bytes)},
		"none":                   {good.Bytes, nil},
		"short":                  {good.Bytes, good.Sig[:63]},
		"long":                   {good.Bytes, append(bytes.Clone(good.Sig), 0)},
		"of another statement":   {good.Bytes, mustSign(t, 1, Statement{Author: st.Author, Subject: st.Subject, Seq: 2}).Sig},
		"with the subject's key": {bytes.Replace(good.Bytes, st.Author[:], testKey(3).Public().(ed25519.PublicKey), 1), good.Sig},
	}
	for name, s := range wrong {
		if got, err := s.Open(); !errors.Is(err, ErrSignature) || got.Seq != 0 {
			t.Errorf("signature %s: %v", name, err)
		}
	}
	for i := range good.Bytes {
		s := Signed{bytes.Clone(good.Bytes), good.Sig}
		s.Bytes[i] ^= 0x01
		if _, err := s.Open(); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrStatement) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func TestUnknownFieldsStayInTheBytes(t *testing.T) {
	st := fullStatement(t)
	fields := map[int]any{1: st.Author[:], 2: st.Subject[:], 3: 9, 4: 8, 5: true, 6: []string{"later", "messages"}, 15: "person", 40: map[int]any{1: "new"}}
	b, err := codec.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	s := sign(1, b)
	got, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	if got.Grants != Messages || got.Seq != 9 {
		t.Errorf("read as %+v", got)
	}
	stored, err := codec.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Signed
	if err := codec.Unmarshal(stored, &back); err != nil || !bytes.Equal(back.Bytes, b) {
		t.Errorf("stored and loaded the bytes differ: %v", err)
	}
	if _, err := back.Open(); err != nil {
		t.Errorf("stored and loaded: %v", err)
	}
}

func TestMalformedStatements(t *testing.T) {
	st := fullStatement(t)
	base := func() map[int]any {
		return map[int]any{1: st.Author[:], 2: st.Subject[:], 3: 9, 4: 8, 5: true, 6: []string{}}
	}
	ask := func(wording any) map[int]any {
		return map[int]any{1: make([]byte, 16), 2: []string{"audio"}, 3: wording}
	}
	cases := map[string]func(map[int]any){
		"no author":              func(m map[int]any) { delete(m, 1) },
		"short author":           func(m map[int]any) { m[1] = st.Author[:31] },
		"long author":            func(m map[int]any) { m[1] = append(st.Author[:], 0) },
		"author is text":         func(m map[int]any) { m[1] = st.Author.String() },
		"author is null":         func(m map[int]any) { m[1] = nil },
		"no subject":             func(m map[int]any) { delete(m, 2) },
		"zero subject":           func(m map[int]any) { m[2] = make([]byte, 32) },
		"about itself":           func(m map[int]any) { m[2] = st.Author[:] },
		"no seq":                 func(m map[int]any) { delete(m, 3) },
		"seq zero":               func(m map[int]any) { m[3] = 0 },
		"negative seq":           func(m map[int]any) { m[3] = -1 },
		"seq is text":            func(m map[int]any) { m[3] = "9" },
		"seq is a fraction":      func(m map[int]any) { m[3] = 9.5 },
		"listed is a number":     func(m map[int]any) { m[5] = 1 },
		"grants not sorted":      func(m map[int]any) { m[6] = []string{"video", "audio"} },
		"grants twice":           func(m map[int]any) { m[6] = []string{"audio", "audio"} },
		"grants is text":         func(m map[int]any) { m[6] = "audio" },
		"too many grants":        func(m map[int]any) { m[6] = strings.Split("abcdefghijklmnopq", "") },
		"grants not listed":      func(m map[int]any) { m[5], m[6] = false, []string{"audio"} },
		"pair not listed":        func(m map[int]any) { m[5], m[7] = false, make([]byte, 16) },
		"card not listed":        func(m map[int]any) { m[5], m[12] = false, map[int]any{1: 1, 2: 2} },
		"short pair":             func(m map[int]any) { m[7] = make([]byte, 15) },
		"ask without wording":    func(m map[int]any) { m[8] = ask("") },
		"ask of 101 characters":  func(m map[int]any) { m[8] = ask(strings.Repeat("x", 101)) },
		"ask of 257 bytes":       func(m map[int]any) { m[8] = ask(strings.Repeat("😀", 64) + "x") },
		"ask with a short id":    func(m map[int]any) { m[8] = map[int]any{1: make([]byte, 15), 3: "x"} },
		"ask is a list":          func(m map[int]any) { m[8] = []int{1} },
		"card ask, no wording":   func(m map[int]any) { m[9] = map[int]any{1: make([]byte, 16)} },
		"verdict zero":           func(m map[int]any) { m[10] = map[int]any{1: make([]byte, 32), 2: 0} },
		"verdict five":           func(m map[int]any) { m[10] = map[int]any{1: make([]byte, 32), 2: 5} },
		"short digest":           func(m map[int]any) { m[10] = map[int]any{1: make([]byte, 31), 2: 1} },
		"card verdict 256":       func(m map[int]any) { m[11] = map[int]any{1: make([]byte, 32), 2: 256} },
		"card of text":           func(m map[int]any) { m[12] = map[int]any{1: "x"} },
		"card state of a number": func(m map[int]any) { m[13] = 3 },
		"negative part":          func(m map[int]any) { m[14] = -5 },
		"too long":               func(m map[int]any) { m[40] = make([]byte, MaxStatementSize) },
		"nested too deep":        func(m map[int]any) { m[40] = deep(12) },
	}
	for name, spoil := range cases {
		m := base()
		spoil(m)
		b, err := codec.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sign(1, b).Open(); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	good, err := codec.Marshal(base())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign(1, good).Open(); err != nil {
		t.Fatalf("the case that nothing is wrong with: %v", err)
	}
	for name, b := range map[string][]byte{
		"nothing":      {},
		"a list":       {0x80},
		"trailing":     append(bytes.Clone(good), 0),
		"cut":          good[:len(good)-1],
		"invalid text": bytes.Replace(mustEncode(t, st), []byte("May"), []byte{0xff, 0xfe, 0xfd}, 1),
		"a tag":        append([]byte{0xc1}, good...),
	} {
		if _, err := sign(1, b).Open(); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func deep(n int) any {
	if n == 0 {
		return 1
	}
	return []any{deep(n - 1)}
}

func mustEncode(t *testing.T, s Statement) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOnlyCanonicalBytesAreStatements(t *testing.T) {
	good := mustEncode(t, Statement{Author: testODID(t, 1), Subject: testODID(t, 2), Seq: 1, Listed: true})
	tail := good[1+3+32+3+32:] // 03 01 04 00 05 f5 06 80
	if hex.EncodeToString(tail) != "0301040005f50680" {
		t.Fatalf("the tail is %x", tail)
	}
	head := bytes.Clone(good[:len(good)-len(tail)])
	with := func(tail string) []byte {
		b, err := hex.DecodeString(tail)
		if err != nil {
			t.Fatal(err)
		}
		return append(bytes.Clone(head), b...)
	}
	swapped := append([]byte{head[0]}, append(bytes.Clone(head[1+35:]), head[1:1+35]...)...)
	for name, b := range map[string][]byte{
		"seq in two bytes":  with("031801040005f50680"),
		"seq in nine bytes": with("031b0000000000000001040005f50680"),
		"keys exchanged":    with("0400030105f50680"),
		"author after":      append(swapped, tail...),
		"a key twice":       append([]byte{0xa7}, with("03010301040005f50680")[1:]...),
		"endless list":      with("0301040005f5069fff"),
		"undefined":         append([]byte{0xa7}, with("0301040005f506800ff7")[1:]...),
		"long float":        append([]byte{0xa7}, with("0301040005f506800ffb3ff0000000000000")[1:]...),
		"other NaN":         append([]byte{0xa7}, with("0301040005f506800ff97e01")[1:]...),
	} {
		if _, err := sign(1, b).Open(); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	endless := append([]byte{0xbf}, append(bytes.Clone(good[1:]), 0xff)...)
	if _, err := sign(1, endless).Open(); !errors.Is(err, ErrStatement) {
		t.Errorf("endless map: %v", err)
	}
}

func TestEncodeNamesWhatIsWrong(t *testing.T) {
	st := fullStatement(t)
	st.Ask.Wording = strings.Repeat("ä", 101)
	if _, err := st.Encode(); !errors.Is(err, ErrStatement) || !strings.Contains(err.Error(), "101") || !strings.Contains(err.Error(), "100") {
		t.Errorf("%v", err)
	}
	for wording, ok := range map[string]bool{
		"":                                   false,
		"x":                                  true,
		strings.Repeat("ä", 100):             true,
		strings.Repeat("😀", 64):              true,
		strings.Repeat("😀", 65):              false,
		string([]byte{0xff}):                 false,
		"a\u202eb":                           true,
		"two\nlines":                         false,
		"a\x00b":                             false,
		"a\x1b[2J":                           false,
		"a\u009b31m":                         false,
		strings.Repeat("x", MaxWordingRunes): true,
	} {
		if err := CheckWording(wording); (err == nil) != ok {
			t.Errorf("%q: %v", wording, err)
		}
	}
}

// TestLimitsOfAStatement takes each limit one below, exactly, and one above.
func TestLimitsOfAStatement(t *testing.T) {
	st := fullStatement(t)
	with := func(key int, value any) func() []byte {
		return func() []byte {
			fields := map[int]any{1: st.Author[:], 2: st.Subject[:], 3: 9, 4: 8, 5: true, 6: []string{}, key: value}
			b, err := codec.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	ask := func(wording string) any { return map[int]any{1: make([]byte, 16), 2: []string{}, 3: wording} }
	card := func(wording string) any { return map[int]any{1: make([]byte, 16), 3: wording} }
	names := func(n int) []string { return strings.Split("abcdefghijklmnopqrstuvwxyz"[:n], "") }
	bytesOf := func(size int) any { // makes a statement of so many bytes
		return make([]byte, size-len(with(40, make([]byte, 300))())+300)
	}
	for _, tt := range []struct {
		name      string
		under     func() []byte
		at, above func() []byte
	}{
		{"bytes", with(40, bytesOf(MaxStatementSize-1)), with(40, bytesOf(MaxStatementSize)), with(40, bytesOf(MaxStatementSize+1))},
		{"characters of a wording", with(8, ask(strings.Repeat("ä", 99))), with(8, ask(strings.Repeat("ä", 100))), with(8, ask(strings.Repeat("ä", 101)))},
		{"bytes of a wording", with(8, ask(strings.Repeat("😀", 63)+"abc")), with(8, ask(strings.Repeat("😀", 63)+"abcd")), with(8, ask(strings.Repeat("😀", 63)+"abcde"))},
		{"characters of a card's", with(9, card(strings.Repeat("ä", 99))), with(9, card(strings.Repeat("ä", 100))), with(9, card(strings.Repeat("ä", 101)))},
		{"bytes of a card's", with(9, card(strings.Repeat("😀", 63)+"abc")), with(9, card(strings.Repeat("😀", 63)+"abcd")), with(9, card(strings.Repeat("😀", 63)+"abcde"))},
		{"permissions", with(6, names(15)), with(6, names(16)), with(6, names(17))},
		{"nesting", with(40, deep(6)), with(40, deep(7)), with(40, deep(8))},
		{"a verdict, from above", with(10, map[int]any{1: make([]byte, 32), 2: 3}), with(10, map[int]any{1: make([]byte, 32), 2: 4}), with(10, map[int]any{1: make([]byte, 32), 2: 5})},
		{"a verdict, from below", with(10, map[int]any{1: make([]byte, 32), 2: 2}), with(10, map[int]any{1: make([]byte, 32), 2: 1}), with(10, map[int]any{1: make([]byte, 32), 2: 0})},
		{"seq, from below", with(3, 2), with(3, 1), with(3, 0)},
		{"seq, from above", with(3, uint64(math.MaxUint64-1)), with(3, uint64(math.MaxUint64)), func() []byte { return bigSeq(with(3, uint64(math.MaxUint64))()) }},
	} {
		for _, b := range [][]byte{tt.under(), tt.at()} {
			if _, err := sign(1, b).Open(); err != nil {
				t.Errorf("%s, within the limit: %v", tt.name, err)
			}
		}
		if got, err := sign(1, tt.above()).Open(); !errors.Is(err, ErrStatement) {
			t.Errorf("%s, beyond the limit: %+v, %v", tt.name, got, err)
		}
	}
}

// bigSeq puts the integer after the largest of 64 bits, a tagged one, in the place
// of the largest.
func bigSeq(b []byte) []byte {
	return bytes.Replace(b, []byte("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), []byte("\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00"), 1)
}

// TestWrongClockLeavesRoom: a device whose clock shows any time is heard by who
// never heard of it, and again once the clock is right.
func TestWrongClockLeavesRoom(t *testing.T) {
	for _, clock := range []time.Time{{}, time.UnixMilli(math.MinInt64), time.UnixMilli(0), time.UnixMilli(1_700_000_000_000), time.UnixMilli(math.MaxInt64)} {
		var m Marks
		last := uint64(0)
		for i, now := range []time.Time{clock, clock, time.UnixMilli(1_800_000_000_000), clock, time.UnixMilli(1_800_000_000_001)} {
			last = NextSeq(last, now)
			if got := Judge(nil, m, Signed{}, Statement{Seq: last}); got != Fresh {
				t.Errorf("clock at %v, statement %d, numbered %d: %v", clock, i, last, got)
			}
			m.TheirsSeq = last
		}
		if MaxSeqLeap-last < 1<<40 {
			t.Errorf("clock at %v: %d left", clock, MaxSeqLeap-last)
		}
	}
}

// TestFullStatementHasRoom: whatever is within the limits fits in a statement.
func TestFullStatementHasRoom(t *testing.T) {
	st := fullStatement(t)
	st.Seq, st.At, st.Part = 1<<63, 1<<63, 1<<63
	st.Card, st.CardState = &CardGrant{1 << 63, 1 << 63}, &CardState{1 << 63, true}
	st.Ask.Wording, st.CardAsk.Wording = strings.Repeat("😀", 64), strings.Repeat("😀", 64)
	st.Ask.Proof = proof(t, st)
	if n := len(mustEncode(t, st)); n > MaxStatementSize/2 {
		t.Errorf("%d bytes leave little room for what newer versions add", n)
	}
	if _, err := mustSign(t, 1, st).Open(); err != nil {
		t.Error(err)
	}
}

func TestNextSeqNeverFalls(t *testing.T) {
	now := time.UnixMilli(1000)
	for _, tt := range []struct {
		last uint64
		now  time.Time
		want uint64
	}{
		{0, now, 1000},
		{999, now, 1000},
		{1000, now, 1001},
		{5000, now, 5001},
		{5, time.UnixMilli(-7), 6},
		{0, time.UnixMilli(-7), 1},
		{0, time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), maxClock},
		{5, time.Date(100_000, 1, 1, 0, 0, 0, 0, time.UTC), maxClock},
		{0, time.UnixMilli(math.MaxInt64), maxClock},
		{maxClock, time.UnixMilli(math.MaxInt64), maxClock + 1},
	} {
		if got := NextSeq(tt.last, tt.now); got != tt.want {
			t.Errorf("after %d at %d: %d, want %d", tt.last, tt.now.UnixMilli(), got, tt.want)
		}
	}
}

func FuzzSignedOpen(f *testing.F) {
	full := fullStatement(f)
	for _, st := range []Statement{full, {Author: full.Author, Subject: full.Subject, Seq: 1}} {
		s := mustSign(f, 1, st)
		f.Add(s.Bytes, s.Sig)
	}
	f.Add([]byte{0xa0}, make([]byte, 64))
	f.Add([]byte{0xbf, 0xff}, []byte(nil))
	f.Fuzz(func(t *testing.T, data, sig []byte) {
		if st, err := (Signed{data, sig}).Open(); err == nil {
			again, err := st.Encode()
			if err != nil {
				t.Fatalf("opened but not to be encoded: %v", err)
			}
			_ = again
		}
		// What the fuzzer can't sign is signed for it.
		st, err := sign(1, data).Open()
		switch {
		case err == nil:
			if st.Author != full.Author {
				t.Fatal("a statement of another author")
			}
			if _, err := st.Encode(); err != nil {
				t.Fatalf("opened but not to be encoded: %v", err)
			}
		case !errors.Is(err, ErrStatement) && !errors.Is(err, ErrSignature):
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}
