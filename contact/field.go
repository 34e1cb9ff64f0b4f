package contact

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"contactsd/internal/codec"
)

// Limits of what the user notes of contacts.
const (
	MaxGroups       = 32  // there are in all, and so of one contact
	MaxGroupSize    = 30  // bytes of a name
	MaxFields       = 64  // custom fields of one contact
	MaxFieldKeySize = 30  // bytes
	MaxFieldSize    = 500 // bytes of a value; a number has 8
	MaxAppSize      = 8   // letters
)

// Value is what a custom field holds: text, bytes or a number. The zero Value is
// none of these. Values are equal if they are of the same kind and hold the same.
type Value struct {
	kind   valueKind
	text   string // of a text and of bytes
	number uint64
}

type valueKind uint8

const (
	noValue valueKind = iota
	textValue
	bytesValue
	numberValue
)

// TextValue returns the value that holds s, the zero Value for "".
func TextValue(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: textValue, text: s}
}

// BytesValue returns the value that holds a copy of b, the zero Value for none.
func BytesValue(b []byte) Value {
	if len(b) == 0 {
		return Value{}
	}
	return Value{kind: bytesValue, text: string(b)}
}

// NumberValue returns the value that holds n.
func NumberValue(n uint64) Value { return Value{kind: numberValue, number: n} }

// IsZero reports whether v is none.
func (v Value) IsZero() bool { return v.kind == noValue }

// Text returns the text that v is, if it is one.
func (v Value) Text() (s string, ok bool) { return v.text, v.kind == textValue }

// Bytes returns a copy of the bytes that v is, if it is that.
func (v Value) Bytes() (b []byte, ok bool) {
	if v.kind != bytesValue {
		return nil, false
	}
	return []byte(v.text), true
}

// Number returns the number that v is, if it is one.
func (v Value) Number() (n uint64, ok bool) { return v.number, v.kind == numberValue }

// String returns a text as it is, bytes in hexadecimal and a number in decimal.
func (v Value) String() string {
	switch v.kind {
	case bytesValue:
		return hex.EncodeToString([]byte(v.text))
	case numberValue:
		return strconv.FormatUint(v.number, 10)
	}
	return v.text
}

// MarshalCBOR encodes v as a CBOR text, byte string or unsigned number.
func (v Value) MarshalCBOR() ([]byte, error) {
	switch v.kind {
	case textValue:
		return codec.Marshal(v.text)
	case bytesValue:
		return codec.Marshal([]byte(v.text))
	case numberValue:
		return codec.Marshal(v.number)
	}
	return nil, errors.New("a field without a value")
}

// UnmarshalCBOR decodes what MarshalCBOR writes.
func (v *Value) UnmarshalCBOR(data []byte) error {
	const unsigned, bytes, text = 0, 2, 3 // major types of RFC 8949, section 3.1
	if len(data) == 0 {
		return errors.New("a field without a value")
	}
	switch data[0] >> 5 {
	case unsigned:
		*v = Value{kind: numberValue}
		return codec.Unmarshal(data, &v.number)
	case bytes:
		var b []byte
		err := codec.Unmarshal(data, &b)
		*v = BytesValue(b)
		return err
	case text:
		var s string
		err := codec.Unmarshal(data, &s)
		*v = TextValue(s)
		return err
	}
	return errors.New("a field that is neither text, bytes nor a number")
}

// CheckField returns a *LimitError or *InvalidError for a custom field that no
// contact can have. The zero Value is none, and good. Texts may hold any character.
func CheckField(key string, v Value) error {
	if err := CheckFieldKey(key); err != nil {
		return err
	}
	field := "field " + key
	if len(v.text) > MaxFieldSize {
		return &LimitError{Field: field, Got: len(v.text), Limit: MaxFieldSize, Unit: "bytes"}
	}
	if v.kind == textValue && !utf8.ValidString(v.text) {
		return &InvalidError{field, "not valid UTF-8"}
	}
	return nil
}

// CheckFieldKey returns a *LimitError or *InvalidError unless key has 1 to 30
// letters, digits and underscores, of ASCII.
func CheckFieldKey(key string) error {
	switch {
	case key == "":
		return &InvalidError{"field", "it needs a name"}
	case len(key) > MaxFieldKeySize:
		return &LimitError{Field: "name of a field", Got: len(key), Limit: MaxFieldKeySize, Unit: "bytes"}
	case strings.ContainsFunc(key, func(r rune) bool { return !letter(r) && (r < '0' || r > '9') && r != '_' }):
		return &InvalidError{"field", fmt.Sprintf("its name can't be %q: use letters, digits and underscores", key)}
	}
	return nil
}

// CheckGroup returns a *LimitError or *InvalidError unless name is one for a
// group: 1 to 30 bytes of text that neither begins nor ends with a space.
func CheckGroup(name string) error {
	if err := CheckText("group", name, MaxGroupSize); err != nil {
		return err
	}
	switch {
	case name == "":
		return &InvalidError{"group", "it needs a name"}
	case strings.TrimSpace(name) != name:
		return &InvalidError{"group", "its name begins or ends with a space"}
	}
	return nil
}

// CheckApp returns a *LimitError or *InvalidError unless app is empty or the
// keyword of an application: at most 8 letters of ASCII.
func CheckApp(app string) error {
	switch {
	case strings.ContainsFunc(app, func(r rune) bool { return !letter(r) }):
		return &InvalidError{"app", "not of letters alone"}
	case len(app) > MaxAppSize:
		return &LimitError{Field: "app", Got: len(app), Limit: MaxAppSize, Unit: "letters"}
	}
	return nil
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
