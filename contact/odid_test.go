package contact

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"pgregory.net/rapid"
)

// goldenODID is that of the key in RFC 8032, section 7.1, test 1.
const (
	goldenKey  = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	goldenODID = "odid16adfsqvzky9t042tlmfujeq88g8wzuhnm2nzxfd0qgdx3ac82ydqr32atd"
)

func testODID(t testing.TB, seed byte) ODID {
	t.Helper()
	id, err := ODIDFromKey(testKey(seed).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func TestODIDTextIsFixed(t *testing.T) {
	key, _ := hex.DecodeString(goldenKey)
	id, err := ODIDFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if id.String() != goldenODID || len(id.String()) != 63 {
		t.Errorf("%s, want %s", id, goldenODID)
	}
	if id.Short() != goldenODID[:12] {
		t.Errorf("short %q", id.Short())
	}
	if !bytes.Equal(id.Key(), key) {
		t.Error("another key came back")
	}
}

func TestODIDTravelsAsText(t *testing.T) {
	id := testODID(t, 1)
	for name, text := range map[string]string{
		"as written":   id.String(),
		"upper case":   strings.ToUpper(id.String()),
		"with a space": " \t" + id.String() + "\n",
	} {
		if got, err := ParseODID(text); err != nil || got != id {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	b, err := json.Marshal(map[string]ODID{"odid": id})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]ODID
	if err := json.Unmarshal(b, &back); err != nil || back["odid"] != id {
		t.Errorf("%s: %v, %v", b, back, err)
	}
	if err := json.Unmarshal([]byte(`{"odid":"odid1"}`), &back); !errors.Is(err, ErrODIDLength) {
		t.Errorf("a short ODID in JSON: %v", err)
	}
	if (ODID{}).IsZero() != true || id.IsZero() {
		t.Error("IsZero is wrong")
	}
}

// odidErrors are the mistakes that have an error of their own.
var odidErrors = []error{ErrODIDEmpty, ErrODIDPrefix, ErrODIDCase, ErrODIDLength, ErrODIDCharacter, ErrODIDChecksum, ErrODIDSecret, ErrODIDPeerID, ErrODIDKey}

// only fails unless err wraps want and no other ODID error.
func only(t *testing.T, name string, err, want error) {
	t.Helper()
	for _, e := range odidErrors {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("%s: error %q, want only %q", name, err, want)
			return
		}
	}
}

func TestEachMistakeHasItsOwnError(t *testing.T) {
	id := testODID(t, 1).String()
	swap := func(i int, c string) string { return id[:i] + c + id[i+1:] }
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrODIDEmpty},
		{"white space", " \n\t", ErrODIDEmpty},
		{"a name", "Alice", ErrODIDPrefix},
		{"a code", "482-193", ErrODIDPrefix},
		{"wrong prefix", "odif" + id[4:], ErrODIDPrefix},
		{"wrong separator", swap(4, "l"), ErrODIDPrefix},
		{"first character missing", id[1:], ErrODIDPrefix},
		{"bech32 of something else", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", ErrODIDPrefix},
		{"one capital", swap(10, strings.ToUpper(id[10:11])+""), ErrODIDCase},
		{"capital prefix", "ODID" + id[4:], ErrODIDCase},
		{"last character missing", id[:62], ErrODIDLength},
		{"one too many", id + "q", ErrODIDLength},
		{"prefix alone", "odid1", ErrODIDLength},
		{"two at once", id + id, ErrODIDLength},
		{"letter b", swap(20, "b"), ErrODIDCharacter},
		{"letter o", swap(62, "o"), ErrODIDCharacter},
		{"space inside", swap(20, " "), ErrODIDCharacter},
		{"a zero byte", swap(20, "\x00"), ErrODIDCharacter},
		{"a second separator", swap(20, "1"), ErrODIDCharacter},
		{"two exchanged", id[:30] + id[31:32] + id[30:31] + id[32:], ErrODIDChecksum},
		{"checksum of bech32, not bech32m", asBech32(t, testODID(t, 1)), ErrODIDChecksum},
		{"a private key", EncodeSecret([32]byte{1}), ErrODIDSecret},
		{"a private key in small letters", strings.ToLower(EncodeSecret([32]byte{1})), ErrODIDSecret},
		{"a damaged private key", EncodeSecret([32]byte{1})[:40], ErrODIDSecret},
		{"a libp2p peer ID", "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5", ErrODIDPeerID},
		{"an old peer ID", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", ErrODIDPeerID},
		{"a peer ID as CID", "bafzaajaiaejcbzdibmxyzdjbbehgvizh6g5tikvy47mshdy2y6kvm54acxk6yrmk", ErrODIDPeerID},
		{"not a point", encodeODID(t, offCurve()), ErrODIDKey},
		{"bits left over", leftOver(t), ErrODIDKey},
	} {
		if tt.name == "one capital" && tt.text == id {
			t.Fatal("position 10 is a digit, choose another")
		}
		got, err := ParseODID(tt.text)
		only(t, tt.name, err, tt.want)
		if got != (ODID{}) {
			t.Errorf("%s: an ODID beside the error", tt.name)
		}
		if err != nil && len(tt.text) > 8 && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.text[8:])) {
			t.Errorf("%s: the error repeats the input: %v", tt.name, err)
		}
	}
}

func TestErrorNeverRepeatsAPrivateKey(t *testing.T) {
	secret := EncodeSecret([32]byte(bytes.Repeat([]byte{0x5a}, 32)))
	for _, text := range []string{secret, strings.ToLower(secret), secret + "q", secret[:60], " " + secret, "x" + secret, secret[1:], secret[10:], "odid1" + secret[11:]} {
		_, err := ParseODID(text)
		_, err2 := DecodeSecret(text + "x")
		for _, e := range []error{err, err2} {
			if e == nil {
				t.Fatalf("%q was taken", text)
			}
			for i := 0; i+8 <= len(secret); i++ {
				if i >= len("odidsecret1") && strings.Contains(strings.ToUpper(e.Error()), secret[i:i+8]) {
					t.Fatalf("the error repeats the key: %v", e)
				}
			}
		}
	}
}

func TestEverySingleTypoIsFoundAndLocated(t *testing.T) {
	id := testODID(t, 7).String()
	for i := len("odid1"); i < len(id); i++ {
		for _, c := range bech32Alphabet {
			if byte(c) == id[i] {
				continue
			}
			_, err := ParseODID(id[:i] + string(c) + id[i+1:])
			if !errors.Is(err, ErrODIDChecksum) {
				t.Fatalf("%c at %d: %v", c, i+1, err)
			}
			if want := fmt.Sprintf("character %d looks wrong", i+1); !strings.Contains(err.Error(), want) {
				t.Fatalf("%c at %d: %v, want %q", c, i+1, err, want)
			}
		}
		_, err := ParseODID(id[:i] + "b" + id[i+1:])
		if want := fmt.Sprintf("character %d ", i+1); !errors.Is(err, ErrODIDCharacter) || !strings.Contains(err.Error(), want) {
			t.Fatalf("b at %d: %v", i+1, err)
		}
	}
	for i := range len("odid1") {
		_, err := ParseODID(id[:i] + "z" + id[i+1:])
		only(t, fmt.Sprintf("z at %d", i+1), err, ErrODIDPrefix)
	}
}

func TestUpToFourTyposAreAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		id, err := ODIDFromKey(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(id.String())
		at := rapid.SliceOfNDistinct(rapid.IntRange(len("odid1"), len(text)-1), 1, 4, rapid.ID).Draw(t, "at")
		for _, i := range at {
			others := strings.Replace(bech32Alphabet, string(text[i]), "", 1)
			text[i] = others[rapid.IntRange(0, len(others)-1).Draw(t, "letter")]
		}
		if rapid.Bool().Draw(t, "upper") {
			text = bytes.ToUpper(text)
		}
		_, err = ParseODID(string(text))
		if !errors.Is(err, ErrODIDChecksum) {
			t.Fatalf("%s with %d typos: %v", text, len(at), err)
		}
		if len(at) > 1 && strings.Contains(err.Error(), "looks wrong") && !locatedByOne(string(text)) {
			t.Fatalf("a single typo is claimed: %v", err)
		}
	})
}

// locatedByOne reports whether exchanging one character makes text valid.
func locatedByOne(text string) bool {
	_, ok := locateTypo(strings.ToLower(text))
	return ok
}

func TestODIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		id, err := ODIDFromKey(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseODID(id.String()); err != nil || got != id {
			t.Fatalf("%v, %v", got, err)
		}
		secret := EncodeSecret([32]byte(seed))
		if got, err := DecodeSecret(secret); err != nil || got != [32]byte(seed) {
			t.Fatalf("secret: %v", err)
		}
		if got, err := DecodeSecret(strings.ToLower(secret) + "\n"); err != nil || got != [32]byte(seed) {
			t.Fatalf("secret in small letters: %v", err)
		}
	})
}

// smallOrder are all encodings of the eight points of small order (Cofactor
// Explained, curves.xyz; the list of libsodium's ed25519 small order blacklist).
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func TestUnusableKeysAreRefused(t *testing.T) {
	refused := func(name string, key []byte) {
		t.Helper()
		if _, err := ODIDFromKey(key); !errors.Is(err, ErrODIDKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range smallOrder {
		key, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		refused("small order "+s, key)
		only(t, s, parseError(encodeODID(t, key)), ErrODIDKey)
	}
	// A second encoding of the same point would be a second ODID of one device.
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	for k := range int64(19) {
		b := new(big.Int).Add(p, big.NewInt(k)).FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		refused(fmt.Sprintf("p + %d", k), b)
	}
	refused("off the curve", offCurve())
	refused("empty", nil)
	refused("short", make([]byte, 31))
	refused("long", append(testODID(t, 1).Key(), 0))
}

func parseError(text string) error {
	_, err := ParseODID(text)
	return err
}

// offCurve returns 32 bytes that encode no point.
func offCurve() []byte {
	for y := byte(2); ; y++ {
		b := make([]byte, 32)
		b[0] = y
		if _, err := ODIDFromKey(b); strings.Contains(err.Error(), "not a point") {
			return b
		}
	}
}

func encodeODID(t *testing.T, key []byte) string {
	t.Helper()
	data, err := bech32.ConvertBits(key, 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bech32.EncodeM("odid", data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func asBech32(t *testing.T, id ODID) string {
	t.Helper()
	data, err := bech32.ConvertBits(id[:], 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bech32.Encode("odid", data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// leftOver returns a text of the right length and checksum whose last four bits,
// which are no part of a key, are set.
func leftOver(t *testing.T) string {
	t.Helper()
	id := testODID(t, 1)
	data, err := bech32.ConvertBits(id[:], 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] |= 1
	text, err := bech32.EncodeM("odid", data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDecodeSecretRefuses(t *testing.T) {
	good := EncodeSecret([32]byte{9})
	for name, text := range map[string]string{
		"empty":      "",
		"an ODID":    testODID(t, 1).String(),
		"truncated":  good[:len(good)-1],
		"typo":       good[:30] + "QP"[strings.Count(good[30:31], "Q"):][:1] + good[31:],
		"mixed case": strings.ToLower(good[:20]) + good[20:],
		"short key":  shortSecret(t),
	} {
		if text == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if seed, err := DecodeSecret(text); err == nil || seed != [32]byte{} {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func shortSecret(t *testing.T) string {
	t.Helper()
	data, err := bech32.ConvertBits(make([]byte, 31), 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bech32.EncodeM("odidsecret", data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzParseODID(f *testing.F) {
	id := testODID(f, 1).String()
	f.Add(id)
	f.Add(strings.ToUpper(id))
	f.Add(id[:40])
	f.Add(EncodeSecret([32]byte{1}))
	f.Add("12D3KooW")
	f.Add("odid1\u212a")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseODID(text)
		if err == nil {
			if again := strings.ToLower(strings.TrimSpace(text)); got.String() != again {
				t.Fatalf("%q was read as %s", text, got)
			}
			return
		}
		kinds := 0
		for _, e := range odidErrors {
			if errors.Is(err, e) {
				kinds++
			}
		}
		if kinds != 1 || got != (ODID{}) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func FuzzDecodeSecret(f *testing.F) {
	good := EncodeSecret([32]byte{1})
	f.Add(good)
	f.Add(strings.ToLower(good))
	f.Add(good[:50])
	f.Add(testODID(f, 1).String())
	f.Fuzz(func(t *testing.T, text string) {
		seed, err := DecodeSecret(text)
		if err == nil && EncodeSecret(seed) != strings.ToUpper(strings.TrimSpace(text)) {
			t.Fatalf("%q is the seed of another text", text)
		}
		if err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Fatalf("the error repeats the text: %v", err)
		}
	})
}

func TestODIDRangeHoldsWhatBeginsSo(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var ids []ODID
	for range 300 {
		id := ODID{}
		for i := range id {
			id[i] = byte(rnd.Uint32())
		}
		ids = append(ids, id)
	}
	ids = append(ids, ODID{}, ODID(bytes.Repeat([]byte{0xff}, 32)))
	for _, id := range ids[:20] {
		text := id.String()
		for n := range len(text) + 1 {
			first, last, ok := ODIDRange(text[:n])
			if ok != (n >= 5) {
				t.Fatalf("%q: %t", text[:n], ok)
			}
			for _, o := range ids {
				in := ok && bytes.Compare(first[:], o[:]) <= 0 && bytes.Compare(o[:], last[:]) <= 0
				// Of the checksum the range knows nothing.
				if want := ok && strings.HasPrefix(o.String(), text[:min(n, 57)]); in != want {
					t.Fatalf("%q: %s in the range %t, want %t", text[:n], o, in, want)
				}
			}
		}
	}
	for _, text := range []string{"", "odid", "odi1q", "odid1b", "ODID1Q", "odid1q\xff", "name"} {
		if _, _, ok := ODIDRange(text); ok {
			t.Errorf("%q begins an ODID", text)
		}
	}
}
