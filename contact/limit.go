package contact

import (
	"fmt"
	"unicode/utf8"
)

// Limits of what a contact record holds.
const (
	MaxNameSize   = 64 // bytes
	MaxRemarkSize = 96 // bytes
)

// LimitError says that a field exceeds its limit. Nothing is ever cut silently.
type LimitError struct {
	Field string // as the user knows it, "remark"
	Got   int
	Limit int
	Unit  string // "bytes", "characters", …
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s of %d %s, at most %d", e.Field, e.Got, e.Unit, e.Limit)
}

// InvalidError says that a field can't be taken as it is, and why.
type InvalidError struct {
	Field  string
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// CheckText returns a *LimitError for text over limit bytes and an *InvalidError
// for text that is not valid UTF-8 or holds control characters. Characters that
// turn the reading direction are kept; whoever displays text shows them safely.
func CheckText(field, text string, limit int) error {
	if len(text) > limit {
		return &LimitError{Field: field, Got: len(text), Limit: limit, Unit: "bytes"}
	}
	if !utf8.ValidString(text) {
		return &InvalidError{field, "not valid UTF-8"}
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return &InvalidError{field, fmt.Sprintf("control character %U", r)}
		}
	}
	return nil
}
