package contact_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/internal/codec"
)

func TestValuesAreTheseBytes(t *testing.T) {
	for _, test := range []struct {
		v    contact.Value
		want string
		text string
	}{
		{contact.TextValue("hé"), "6368c3a9", "hé"},
		{contact.BytesValue([]byte{0, 0xff}), "4200ff", "00ff"},
		{contact.NumberValue(0), "00", "0"},
		{contact.NumberValue(1<<64 - 1), "1bffffffffffffffff", "18446744073709551615"},
	} {
		b, err := codec.Marshal(test.v)
		if err != nil || hex.EncodeToString(b) != test.want || test.v.String() != test.text {
			t.Errorf("%v is %x, %v", test.v, b, err)
		}
		var back contact.Value
		if err := codec.Unmarshal(b, &back); err != nil || back != test.v {
			t.Errorf("%x is read as %v, %v", b, back, err)
		}
	}
	for _, bad := range []string{"20", "f5", "80", "a0", "f6"} {
		b, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var v contact.Value
		if err := codec.Unmarshal(b, &v); err == nil && !v.IsZero() {
			t.Errorf("%s is read as %v", bad, v)
		}
	}
	if _, err := codec.Marshal(contact.Value{}); err == nil {
		t.Error("none is written")
	}
	if !contact.TextValue("").IsZero() || !contact.BytesValue(nil).IsZero() || contact.NumberValue(0).IsZero() {
		t.Error("what is empty, or none")
	}
	if b, ok := contact.BytesValue([]byte{1}).Bytes(); !ok || !bytes.Equal(b, []byte{1}) {
		t.Error("bytes")
	}
	if contact.TextValue("1") == contact.BytesValue([]byte("1")) {
		t.Error("text is bytes")
	}
}

func TestFieldsAreChecked(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		err  error
		want string // "" if good
	}{
		"field":           {contact.CheckField("Phone_2", contact.TextValue(long(500)+"")), ""},
		"lines":           {contact.CheckField("a", contact.TextValue("one\ntwo")), ""},
		"none":            {contact.CheckField("a", contact.Value{}), ""},
		"long text":       {contact.CheckField("a", contact.TextValue(long(501))), "field a of 501 bytes, at most 500"},
		"long bytes":      {contact.CheckField("a", contact.BytesValue(make([]byte, 501))), "field a of 501 bytes, at most 500"},
		"no UTF-8":        {contact.CheckField("a", contact.TextValue("\xff")), "field a: not valid UTF-8"},
		"long key":        {contact.CheckField(long(31), contact.NumberValue(1)), "name of a field of 31 bytes, at most 30"},
		"key of 30":       {contact.CheckField(long(30), contact.NumberValue(1)), ""},
		"no key":          {contact.CheckField("", contact.NumberValue(1)), "field: it needs a name"},
		"key with a sign": {contact.CheckFieldKey("é"), `field: its name can't be "é": use letters, digits and underscores`},
		"group":           {contact.CheckGroup("Ä, b"), ""},
		"group of 30":     {contact.CheckGroup(long(30)), ""},
		"group of 31":     {contact.CheckGroup(long(31)), "group of 31 bytes, at most 30"},
		"group of none":   {contact.CheckGroup(""), "group: it needs a name"},
		"group of spaces": {contact.CheckGroup("a "), "group: its name begins or ends with a space"},
		"group control":   {contact.CheckGroup("a\x00"), "group: control character U+0000"},
		"app":             {contact.CheckApp("Calendar"), ""},
		"no app":          {contact.CheckApp(""), ""},
		"app of 9":        {contact.CheckApp("Calendars"), "app of 9 letters, at most 8"},
		"app of digits":   {contact.CheckApp("app2"), "app: not of letters alone"},
	} {
		var limit *contact.LimitError
		var invalid *contact.InvalidError
		switch {
		case test.want == "" && test.err == nil:
		case test.err == nil || test.err.Error() != test.want:
			t.Errorf("%s: %v, want %q", name, test.err, test.want)
		case !errors.As(test.err, &limit) && !errors.As(test.err, &invalid):
			t.Errorf("%s: %T", name, test.err)
		}
	}
}

func FuzzValue(f *testing.F) {
	for _, v := range []contact.Value{contact.TextValue("x"), contact.BytesValue([]byte{1, 2}), contact.NumberValue(300)} {
		b, err := codec.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v contact.Value
		if codec.Unmarshal(data, &v) != nil || v.IsZero() {
			return
		}
		b, err := codec.Marshal(v)
		var back contact.Value
		if err != nil || codec.Unmarshal(b, &back) != nil || back != v {
			t.Errorf("%x is %v, written as %x, %v", data, v, b, err)
		}
	})
}
