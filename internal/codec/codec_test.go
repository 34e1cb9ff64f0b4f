package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type id [4]byte

func (i *id) UnmarshalCBOR(data []byte) error { return Fixed(i[:], data) }

type record struct {
	A uint64            `cbor:"1,keyasint"`
	B string            `cbor:"2,keyasint,omitempty"`
	C []byte            `cbor:"3,keyasint"`
	D *id               `cbor:"4,keyasint,omitempty"`
	E []string          `cbor:"5,keyasint"`
	F bool              `cbor:"10,keyasint"`
	G int64             `cbor:"100,keyasint,omitempty"`
	H map[string]uint64 `cbor:"-1,keyasint,omitempty"`
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodingIsFixed(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{record{}, "a40100" + "0340" + "0580" + "0af4"}, // empty lists, not null
		{record{A: math.MaxUint64, B: "ä", C: []byte{1}, D: &id{1, 2, 3, 4}, E: []string{"x"}, F: true, G: -1, H: map[string]uint64{"bb": 2, "a": 1}},
			"a8" + "011bffffffffffffffff" + "0262c3a4" + "034101" + "044401020304" + "058161" + "78" + "0af5" + "186420" + "20a2" + "616101" + "62626202"},
		{nil, "f6"},
		{[]int(nil), "80"},
		{map[int]int(nil), "a0"},
		{1.5, "f93e00"},
		{math.NaN(), "f97e00"},
	} {
		got, err := Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("%+v: %x, want %s", tt.v, got, tt.want)
		}
	}
}

func TestRecordsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record{
			A: rapid.Uint64().Draw(t, "a"), B: rapid.String().Draw(t, "b"), C: rapid.SliceOf(rapid.Byte()).Draw(t, "c"),
			E: rapid.SliceOf(rapid.String()).Draw(t, "e"), F: rapid.Bool().Draw(t, "f"), G: rapid.Int64().Draw(t, "g"),
			H: rapid.MapOf(rapid.String(), rapid.Uint64()).Draw(t, "h"),
		}
		if rapid.Bool().Draw(t, "with d") {
			r.D = &id{rapid.Byte().Draw(t, "d")}
		}
		b, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back record
		if err := UnmarshalCanonical(b, &back); err != nil {
			t.Fatal(err)
		}
		again, err := Marshal(back)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x came back as %x, %v", b, again, err)
		}
	})
}

func TestNewerFieldsAreIgnored(t *testing.T) {
	b := unhex(t, "a5"+"0107"+"0340"+"0580"+"0af4"+"1863a10102")
	var r record
	if err := UnmarshalCanonical(b, &r); err != nil || r.A != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := Unmarshal(b, &r); err != nil || r.A != 7 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatIsNoCBORIsRefused(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":               "",
		"cut":                   "a101",
		"trailing":              "a0a0",
		"a key twice":           "a201010102",
		"endless map":           "bf0101ff",
		"endless list":          "a1059fff",
		"endless bytes":         "a1035f4101ff",
		"endless text":          "a1027f6161ff",
		"tag":                   "a101c100",
		"tag around all":        "d9d9f7a0",
		"big number":            "a101c249010000000000000000",
		"invalid text":          "a10261ff",
		"reserved length":       "a1011c00",
		"a list of 16385":       "a105" + "994001" + strings.Repeat("60", 16385),
		"a list of 2^32":        "a1059b0000000100000000",
		"bytes of 2^40":         "a1035b0000010000000000",
		"nested nine deep":      strings.Repeat("81", 9) + "80",
		"number for text":       "a10201",
		"text for number":       "a1016131",
		"negative for unsigned": "a10120",
		"fraction for number":   "a101f93e00",
		"list for map":          "80",
		"short fixed":           "a104430102" + "03",
		"long fixed":            "a104450102030405",
		"fixed of text":         "a1046431323334",
		"fixed of a list":       "a1048401020304",
	} {
		var r record
		if err := Unmarshal(unhex(t, s), &r); err == nil {
			t.Errorf("%s: taken as %+v", name, r)
		}
		if err := UnmarshalCanonical(unhex(t, s), &r); err == nil {
			t.Errorf("%s: taken as canonical", name)
		}
	}
}

func TestOtherSpellingsAreNotCanonical(t *testing.T) {
	for name, s := range map[string]string{
		"number in two bytes":   "a1011807",
		"number in nine bytes":  "a1011b0000000000000007",
		"length in two bytes":   "a103580100",
		"list length":           "a1059800",
		"map length":            "b8010107",
		"key in two bytes":      "a1180107",
		"keys exchanged":        "a203400107",
		"inner keys exchanged":  "a11863a202010100",
		"long key before short": "a2186400" + "0100",
		"double for half":       "a11863fb3ff8000000000000",
		"single for half":       "a11863fa3fc00000",
		"another NaN":           "a11863f97e01",
		"undefined":             "a11863f7",
		"simple in two bytes":   "a11863f818",
	} {
		var r record
		err := UnmarshalCanonical(unhex(t, s), &r)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if strings.Contains(name, "byte") && !strings.HasPrefix(name, "simple") && !errors.Is(err, ErrNotCanonical) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFixedWantsExactlyItsLength(t *testing.T) {
	for n := range 8 {
		var dst [4]byte
		data, err := Marshal(bytes.Repeat([]byte{9}, n))
		if err != nil {
			t.Fatal(err)
		}
		if err := Fixed(dst[:], data); (err == nil) != (n == 4) {
			t.Errorf("%d bytes into 4: %v", n, err)
		} else if err != nil && dst != [4]byte{} {
			t.Errorf("%d bytes left %v behind", n, dst)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		"a0", "a40100034005800af4", "a1011807", "bf0101ff", "a11863f97e00", "a1411801", "a1f90000f6", "f6",
		"a118638201a10203", "a1204161", "a1a00000", "d81880", "3bffffffffffffffff", "a1f5f4",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if err := UnmarshalCanonical(data, &v); err == nil {
			again, err := Marshal(v)
			if err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%x is also %x (%v)", data, again, err)
			}
		}
		var r record
		if err := UnmarshalCanonical(data, &r); err != nil {
			return
		}
		// Within the fields known here there is one spelling of a record.
		b, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back record
		if err := UnmarshalCanonical(b, &back); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
