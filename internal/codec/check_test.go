package codec

import (
	"strings"
	"testing"
)

type checked struct {
	Text  string           `cbor:"1,keyasint"`
	Bytes []byte           `cbor:"2,keyasint"`
	List  []int64          `cbor:"3,keyasint,omitempty"`
	Map   map[int64]string `cbor:"4,keyasint,omitempty"`
	Deep  any              `cbor:"5,keyasint,omitempty"`
	Yes   bool             `cbor:"6,keyasint"`
	Real  float64          `cbor:"7,keyasint,omitempty"`
}

func nested(levels int) any {
	var v any = 1
	for range levels {
		v = []any{v}
	}
	return v
}

// Check refuses exactly what the decoder refuses.
func TestCheckAgreesWithTheDecoder(t *testing.T) {
	for name, c := range map[string]struct {
		v    checked
		good bool
	}{
		"empty":                 {checked{}, true},
		"everything":            {checked{"héllo", []byte{0xff}, []int64{-1, 1 << 40, 300}, map[int64]string{1: "a", -70000: "b"}, nested(3), true, 1.5}, true},
		"text that is no UTF-8": {checked{Text: "a\xffb"}, false},
		"in a map":              {checked{Map: map[int64]string{1: "\xc3"}}, false},
		"long text":             {checked{Text: strings.Repeat("x", 70000)}, true},
		"a full list":           {checked{List: make([]int64, maxElements)}, true},
		"a list too long":       {checked{List: make([]int64, maxElements+1)}, false},
		"as deep as possible":   {checked{Deep: nested(maxNesting - 1)}, true},
		"too deep":              {checked{Deep: nested(maxNesting)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := Marshal(c.v)
			if err != nil {
				t.Fatal(err)
			}
			var back checked
			if err := Unmarshal(data, &back); (err == nil) != c.good {
				t.Errorf("decoder: %v", err)
			}
			if err := Check(data); (err == nil) != c.good {
				t.Errorf("check: %v", err)
			}
		})
	}
	many := make(map[int64]string)
	for i := range int64(maxPairs + 1) {
		many[i] = ""
	}
	data, err := Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	if Check(data) == nil || Unmarshal(data, &many) == nil {
		t.Error("a map that is too long passes")
	}
}

// What passes the decoder's own bounds as any value passes the check, and the
// other way round for what this package's encoder writes.
func FuzzCheck(f *testing.F) {
	for _, v := range []any{checked{Text: "a", Deep: nested(4)}, nested(9), "\xff", []byte{1}, map[int64]string{1: "x"}} {
		data, err := Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data)
		var v any
		if Unmarshal(data, &v) != nil {
			return
		}
		if again, encodeErr := Marshal(v); encodeErr == nil {
			if err := Check(again); err != nil {
				t.Errorf("%x is read but refused: %v", again, err)
			}
		}
		if err != nil {
			t.Errorf("%x is read but refused: %v", data, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	v := checked{Text: "hello", Bytes: make([]byte, 1024), List: []int64{1, 2, 3}}
	data, err := Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := Check(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			var back checked
			if err := Unmarshal(data, &back); err != nil {
				b.Fatal(err)
			}
		}
	})
}
