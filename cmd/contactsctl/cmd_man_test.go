package main

import "testing"

func TestRoffKeepsTextAsItIs(t *testing.T) {
	for text, want := range map[string]string{
		"plain":         "plain",
		"--at":          `\-\-at`,
		`a\n`:           `a\en`,
		".SH\n'quoted":  "\\&.SH\n\\&'quoted",
		"not. at start": "not. at start",
		"● …":           `\[u25CF] \[u2026]`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
