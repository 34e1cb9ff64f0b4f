package main

import "testing"

func TestSafeText(t *testing.T) {
	if got := safeText("one\ntwo\x1b", "  "); got != "one\n  two\\u001b" {
		t.Errorf("safeText: %q", got)
	}
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
