package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
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
		if got := safe(in); got != want {
			t.Errorf("safe(%q) = %q, want %q", in, got, want)
		}
	}
	if got := safeText("one\ntwo\x1b", "  "); got != "one\n  two\\u001b" {
		t.Errorf("safeText: %q", got)
	}
}

// FuzzSafe: whatever comes, nothing reaches the terminal that it would obey.
func FuzzSafe(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "\u202e", "\xf0\x28", "\u2028\n", "\U000e0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := safe(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unsafe) {
			t.Errorf("safe(%q) = %q", s, got)
		}
		if safe(got) != got {
			t.Errorf("safe(%q) is not safe itself", s)
		}
	})
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "Ana": 3, "María": 5, "Mari\u0301a": 5, "東京": 4, "👋 hi": 5, "안녕": 4, "ｗｉｄｅ": 8} {
		if got := width(s); got != want {
			t.Errorf("width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestQuotedIsOneWordOfAFilter(t *testing.T) {
	for text, want := range map[string]string{"a b": `"a b"`, `a"b\`: `"a\"b\\"`, "": `""`} {
		if got := quoted(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
