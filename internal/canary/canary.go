// Package canary finds secrets in what was written, for tests that plant some and
// look for them in logs, errors and whatever else people pass on.
package canary

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// enough is how many bytes of a secret's beginning count as the secret: so few
// that one which was cut is found, so many that nothing else looks like it.
const enough = 10

// Secret is what must not be found.
type Secret struct {
	Name  string
	forms []string
}

// Bytes is a secret of at least 10 bytes, in any of the ways that programs print
// bytes.
func Bytes(name string, b []byte) Secret {
	if len(b) < enough {
		panic(fmt.Sprintf("canary %s: %d bytes, at least %d", name, len(b), enough))
	}
	b = b[:enough]
	whole := b[:enough/3*3] // without a partial group at its end, which depends on what follows
	numbers := strings.Trim(fmt.Sprint(b), "[]")
	quoted := fmt.Sprintf("%q", b)
	return Secret{name, []string{
		string(b),
		quoted[1 : len(quoted)-1],
		hex.EncodeToString(b),
		strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(whole),
		base64.URLEncoding.EncodeToString(whole),
		base32.StdEncoding.EncodeToString(b),
		numbers,
		strings.ReplaceAll(numbers, " ", ","),
		strings.ReplaceAll(numbers, " ", ", "),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
	}}
}

// Text is a secret that is text, whole, in any case.
func Text(name, text string) Secret {
	return Secret{name, []string{text, strings.ToLower(text), strings.ToUpper(text)}}
}

// In returns the line of text in which the secret is, "" if it is in none.
func (s Secret) In(text string) string {
	for _, form := range s.forms {
		if at := strings.Index(text, form); at >= 0 {
			from := strings.LastIndexByte(text[:at], '\n') + 1
			line, _, _ := strings.Cut(text[from:], "\n")
			return line
		}
	}
	return ""
}
