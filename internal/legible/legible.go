// Package legible makes text of other people fit to be shown. Terminals and desktops
// obey control characters, and characters that turn the reading direction can make
// one name look like another, so none of them gets there: they are shown escaped.
package legible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c' // some scripts need it
	zeroWidthJoiner    = '\u200d' // emoji of several parts need it
)

// Line returns s in one line, without what obeys or turns.
func Line(s string) string {
	if !strings.ContainsFunc(s, unsafe) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unsafe(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unsafe(r rune) bool {
	return !unicode.IsGraphic(r) && r != zeroWidthJoiner && r != zeroWidthNonJoiner
}
