package pairing

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/gtank/ristretto255"
)

// readVectors returns the values of the draft by their names. Some differ only in
// the case of a letter (ya, Ya), which encoding/json would not tell apart.
func readVectors(t testing.TB) (map[string][]byte, map[string]json.RawMessage) {
	t.Helper()
	file, err := os.ReadFile("testdata/cpace-ristretto255-sha512.json")
	if err != nil {
		t.Fatal(err)
	}
	raw := make(map[string]json.RawMessage)
	if err := json.Unmarshal(file, &raw); err != nil {
		t.Fatal(err)
	}
	points := make(map[string]json.RawMessage)
	if err := json.Unmarshal(raw["points"], &points); err != nil {
		t.Fatal(err)
	}
	v := make(map[string][]byte)
	for name, value := range raw {
		var text string
		if json.Unmarshal(value, &text) != nil {
			continue
		}
		if b, err := hex.DecodeString(text); err == nil {
			v[name] = b
		}
	}
	return v, points
}

func scalar(t testing.TB, b []byte) *ristretto255.Scalar {
	t.Helper()
	y, err := ristretto255.NewScalar().SetCanonicalBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func TestCPaceVectors(t *testing.T) {
	v, _ := readVectors(t)
	g, err := generator(v["PRS"], v["CI"], v["sid"])
	if err != nil {
		t.Fatal(err)
	}
	a, err := shareOf(scalar(t, v["ya"]), v["PRS"], v["CI"], v["sid"])
	if err != nil {
		t.Fatal(err)
	}
	b, err := shareOf(scalar(t, v["yb"]), v["PRS"], v["CI"], v["sid"])
	if err != nil {
		t.Fatal(err)
	}
	ka, err := a.agree(b.Y)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := b.agree(a.Y)
	if err != nil {
		t.Fatal(err)
	}
	ir := slices.Concat(lv(a.Y, v["ADa"]), lv(b.Y, v["ADb"]))
	oc := orderedTranscript(lv(a.Y, v["ADa"]), lv(b.Y, v["ADb"]))
	key := isk(v["sid"], ka, a.Y, v["ADa"], b.Y, v["ADb"])
	for _, c := range []struct {
		name string
		got  []byte
	}{
		{"g", g.Bytes()},
		{"Ya", a.Y},
		{"Yb", b.Y},
		{"K", ka},
		{"K", kb},
		{"ISK_IR", key},
		{"ISK_SY", sha(lv([]byte(cpaceDSI+"_ISK"), v["sid"], ka), oc)},
		{"sid_output_ir", sha([]byte("CPaceSidOutput"), ir)},
		{"sid_output_oc", sha([]byte("CPaceSidOutput"), oc)},
		{"Ta", confirmation(v["sid"], key, a.Y, v["ADa"])},
		{"Tb", confirmation(v["sid"], key, b.Y, v["ADb"])},
	} {
		if len(v[c.name]) == 0 || !bytes.Equal(c.got, v[c.name]) {
			t.Errorf("%s = %X, the draft has %X", c.name, c.got, v[c.name])
		}
	}
	var dsi struct {
		DSI string `json:"dsi"`
	}
	file, _ := os.ReadFile("testdata/cpace-ristretto255-sha512.json")
	if err := json.Unmarshal(file, &dsi); err != nil || dsi.DSI != cpaceDSI {
		t.Errorf("domain separator %q, the draft has %q (%v)", cpaceDSI, dsi.DSI, err)
	}
}

func sha(parts ...[]byte) []byte {
	h := sha512.Sum512(slices.Concat(parts...))
	return h[:]
}

// orderedTranscript is the draft's o_cat, which only its symmetric form uses.
func orderedTranscript(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		a, b = b, a
	}
	return slices.Concat([]byte("oc"), a, b)
}

func TestCPacePoints(t *testing.T) {
	_, points := readVectors(t)
	valid := make(map[string]string)
	if err := json.Unmarshal(points["Valid"], &valid); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) == 0 {
			t.Fatalf("%q: %v", s, err)
		}
		return b
	}
	own := share{y: scalar(t, unhex(valid["s"]))}
	k, err := own.agree(unhex(valid["X"]))
	if want := unhex(valid["G.scalar_mult_vfy(s,X)"]); err != nil || !bytes.Equal(k, want) {
		t.Errorf("s*X = %X, %v; the draft has %X", k, err, want)
	}
	for _, name := range []string{"Invalid Y1", "Invalid Y2"} {
		var text string
		if err := json.Unmarshal(points[name], &text); err != nil {
			t.Fatal(err)
		}
		if k, err := own.agree(unhex(text)); !errors.Is(err, errElement) {
			t.Errorf("%s: %X, %v", name, k, err)
		}
	}
	for _, b := range [][]byte{nil, make([]byte, 31), make([]byte, 33), bytes.Repeat([]byte{0xff}, 32)} {
		if _, err := own.agree(b); !errors.Is(err, errElement) {
			t.Errorf("%X: %v", b, err)
		}
	}
}

// A different password, channel or session gives another key.
func TestCPaceSeparates(t *testing.T) {
	base := [][]byte{[]byte("482193"), []byte("ci"), []byte("sid")}
	run := func(a, b [][]byte) bool {
		sa, err := newShare(a[0], a[1], a[2])
		if err != nil {
			t.Fatal(err)
		}
		sb, err := newShare(b[0], b[1], b[2])
		if err != nil {
			t.Fatal(err)
		}
		ka, err := sa.agree(sb.Y)
		if err != nil {
			t.Fatal(err)
		}
		kb, err := sb.agree(sa.Y)
		if err != nil {
			t.Fatal(err)
		}
		return hmac.Equal(isk(a[2], ka, sa.Y, Shows.ad(), sb.Y, Enters.ad()), isk(b[2], kb, sa.Y, Shows.ad(), sb.Y, Enters.ad()))
	}
	if !run(base, base) {
		t.Fatal("same inputs, different keys")
	}
	for i, name := range []string{"PRS", "CI", "sid"} {
		other := slices.Clone(base)
		other[i] = []byte("482194")
		if run(base, other) {
			t.Errorf("another %s gave the same key", name)
		}
	}
}

func FuzzElement(f *testing.F) {
	v, _ := readVectors(f)
	f.Add(v["Ya"])
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		own := share{y: scalar(t, v["ya"])}
		k, err := own.agree(b)
		if err == nil && (len(b) != 32 || bytes.Equal(k, make([]byte, 32))) {
			t.Errorf("%X agreed on %X", b, k)
		}
	})
}
