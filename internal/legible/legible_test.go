package legible

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"Ana María 東京 👩\u200d🚀":    "Ana María 東京 👩\u200d🚀",
		"a\x1b[2Jb":                `a\u001b[2Jb`,
		"a\u202eb":                 `a\u202eb`,
		"a\u2066b\u2069":           `a\u2066b\u2069`,
		"a\u200eb\u061c":           `a\u200eb\u061c`,
		"a\u2028b":                 `a\u2028b`,
		"a\ufeffb\u00ad":           `a\ufeffb\u00ad`,
		"a\nb\tc\rd":               `a\nb\tc\rd`,
		"a\x00\x7f\u0085":          `a\u0000\u007f\u0085`,
		"a\xff\xc3(":               `a\xff\xc3(`,
		"a\U000e0041":              `a\U000e0041`,
		"\ufffd is no broken byte": "\ufffd is no broken byte",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzLine: whatever comes, nothing of it is obeyed.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "\u202e", "\xf0\x28", "\u2028\n", "\U000e0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Line(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unsafe) {
			t.Errorf("Line(%q) = %q", s, got)
		}
		if Line(got) != got {
			t.Errorf("Line(%q) is not fit itself", s)
		}
	})
}
