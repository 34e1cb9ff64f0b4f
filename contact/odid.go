package contact

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// ODID identifies a device: its Ed25519 public key (RFC 8032), 32 bytes.
// As text it is bech32m (BIP-350) with the prefix "odid": 63 characters, of
// which any four wrong ones are detected.
type ODID [32]byte

const (
	odidPrefix   = "odid"
	odidLength   = len(odidPrefix) + 1 + 52 + 6
	secretPrefix = "odidsecret"
	shortLength  = 12
)

// Each mistake that a person makes with an ODID has an error of its own; the
// text of the returned error says what came and what to do.
var (
	ErrODIDEmpty     = errors.New("empty ODID")
	ErrODIDPrefix    = errors.New("not an ODID")
	ErrODIDCase      = errors.New("ODID in mixed case")
	ErrODIDLength    = errors.New("ODID of the wrong length")
	ErrODIDCharacter = errors.New("ODID with a character that none has")
	ErrODIDChecksum  = errors.New("mistyped ODID")
	ErrODIDSecret    = errors.New("a private key, not an ODID")
	ErrODIDPeerID    = errors.New("a libp2p peer ID, not an ODID")
	ErrODIDKey       = errors.New("ODID of no usable key")
)

// ParseODID reads the text form of an ODID. Surrounding white space is ignored
// and all upper case is accepted, as BIP-173 has it. The error wraps exactly one
// of the ErrODID values and never repeats a private key.
func ParseODID(text string) (ODID, error) {
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	switch {
	case text == "":
		return ODID{}, fmt.Errorf("%w: an ODID begins with %q and has %d characters", ErrODIDEmpty, odidPrefix+"1", odidLength)
	case strings.HasPrefix(lower, secretPrefix+"1"):
		return ODID{}, fmt.Errorf("%w: keep it to yourself, and give out the ODID that `contactsctl status` shows", ErrODIDSecret)
	case strings.HasPrefix(text, "12D3KooW"), strings.HasPrefix(text, "Qm") && len(text) == 46, strings.HasPrefix(text, "bafz"):
		return ODID{}, fmt.Errorf("%w: ask for the ODID of that device, it begins with %q", ErrODIDPeerID, odidPrefix+"1")
	case !strings.HasPrefix(lower, odidPrefix+"1"):
		return ODID{}, fmt.Errorf("%w: an ODID begins with %q", ErrODIDPrefix, odidPrefix+"1")
	case text != lower && text != strings.ToUpper(text):
		return ODID{}, fmt.Errorf("%w: write all letters small", ErrODIDCase)
	case len(text) != odidLength:
		return ODID{}, fmt.Errorf("%w: %d characters, an ODID has %d", ErrODIDLength, len(text), odidLength)
	}
	if i := strings.IndexFunc(lower[len(odidPrefix)+1:], func(r rune) bool { return !strings.ContainsRune(bech32Alphabet, r) }); i >= 0 {
		return ODID{}, fmt.Errorf("%w: character %d (1, b, i and o never occur)", ErrODIDCharacter, len(odidPrefix)+2+i)
	}
	_, data, version, err := bech32.DecodeGeneric(lower)
	if err != nil || version != bech32.VersionM {
		hint := "some characters are wrong, copy it again"
		if i, ok := locateTypo(lower); ok {
			hint = fmt.Sprintf("character %d looks wrong, compare it with the original", i+1)
		}
		return ODID{}, fmt.Errorf("%w: %s", ErrODIDChecksum, hint)
	}
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil {
		return ODID{}, fmt.Errorf("%w: bits left over", ErrODIDKey)
	}
	return ODIDFromKey(raw)
}

// ODIDFromKey makes an ODID of a raw Ed25519 public key. It returns ErrODIDKey
// for bytes that are no point of the curve, not its one encoding (or a device
// could have two ODIDs), or a point of small order, under which anybody could sign.
func ODIDFromKey(key []byte) (ODID, error) {
	var id ODID
	if len(key) != len(id) {
		return id, fmt.Errorf("%w: %d bytes, a key has %d", ErrODIDKey, len(key), len(id))
	}
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return id, fmt.Errorf("%w: not a point of the curve", ErrODIDKey)
	}
	if string(point.Bytes()) != string(key) {
		return id, fmt.Errorf("%w: not the point's own encoding", ErrODIDKey)
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return id, fmt.Errorf("%w: a point of small order", ErrODIDKey)
	}
	copy(id[:], key)
	return id, nil
}

// String returns the 63 characters of the ODID.
func (id ODID) String() string {
	data, err := bech32.ConvertBits(id[:], 8, 5, true)
	if err != nil {
		panic(err) // 8 to 5 bits with padding has no error
	}
	text, err := bech32.EncodeM(odidPrefix, data)
	if err != nil {
		panic(err) // 5-bit data has no error
	}
	return text
}

// ODIDRange returns the first and the last of the ODIDs, by their bytes, whose
// text begins with prefix, in lower case; ok is false if none does. The checksum
// at the end of the text is left out of account.
func ODIDRange(prefix string) (first, last ODID, ok bool) {
	const bits = 8 * len(first)
	data, ok := strings.CutPrefix(prefix, odidPrefix+"1")
	if !ok {
		return first, last, false
	}
	n := 0
	for _, c := range []byte(data) {
		v := strings.IndexByte(bech32Alphabet, c)
		if v < 0 {
			return first, last, false
		}
		for bit := 4; bit >= 0 && n < bits; bit, n = bit-1, n+1 {
			first[n/8] |= byte(v>>bit&1) << (7 - n%8)
		}
	}
	last = first
	for ; n < bits; n++ {
		last[n/8] |= 1 << (7 - n%8)
	}
	return first, last, true
}

// Short returns the first 12 characters, as logs and lists show it.
func (id ODID) Short() string { return id.String()[:shortLength] }

// IsZero reports whether id is the zero value, which identifies nobody.
func (id ODID) IsZero() bool { return id == ODID{} }

// Key returns the public key behind the ODID.
func (id ODID) Key() ed25519.PublicKey { return ed25519.PublicKey(id[:]) }

// MarshalText implements encoding.TextMarshaler.
func (id ODID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseODID's errors.
func (id *ODID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseODID(string(text))
	return err
}

// EncodeSecret returns the text form of a 32-byte private key seed: bech32m
// with a prefix of its own, so that a pasted key is recognised for what it is.
func EncodeSecret(seed [32]byte) string {
	data, err := bech32.ConvertBits(seed[:], 8, 5, true)
	if err != nil {
		panic(err) // 8 to 5 bits with padding has no error
	}
	text, err := bech32.EncodeM(secretPrefix, data)
	if err != nil {
		panic(err) // 5-bit data has no error
	}
	return strings.ToUpper(text)
}

// DecodeSecret reads what EncodeSecret wrote. Its errors never repeat the text.
func DecodeSecret(text string) (seed [32]byte, err error) {
	prefix, data, version, err := bech32.DecodeGeneric(strings.TrimSpace(text))
	if err != nil || version != bech32.VersionM || prefix != secretPrefix {
		return seed, errors.New("not a private key, or a damaged one")
	}
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil || len(raw) != len(seed) {
		return seed, errors.New("a private key of the wrong length")
	}
	return [32]byte(raw), nil
}

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// locateTypo finds the one position at which exchanging a single character
// makes lower, which has only characters of the alphabet, a valid ODID. With more
// mistakes than one there is none.
func locateTypo(lower string) (int, bool) {
	const data = len(odidPrefix) + 1
	values := make([]byte, 0, 2*len(odidPrefix)+1+len(lower)-data)
	for _, c := range []byte(odidPrefix) {
		values = append(values, c>>5)
	}
	values = append(values, 0)
	for _, c := range []byte(odidPrefix) {
		values = append(values, c&31)
	}
	before := len(values)
	for _, c := range []byte(lower[data:]) {
		values = append(values, byte(strings.IndexByte(bech32Alphabet, c)))
	}
	for i := before; i < len(values); i++ {
		was := values[i]
		for values[i] = range byte(32) {
			if values[i] != was && bech32Checksum(values) == bech32mChecksum {
				return data + i - before, true
			}
		}
		values[i] = was
	}
	return 0, false
}

// bech32mChecksum is what bech32Checksum makes of a valid bech32m text (BIP-350).
const bech32mChecksum = 0x2bc830a3

// bech32Checksum is the checksum of BIP-173 over the expanded prefix and the data.
func bech32Checksum(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			sum ^= -(top >> i & 1) & g
		}
	}
	return sum
}
