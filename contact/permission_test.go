package contact

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"contactsd/internal/codec"
)

func TestPermissionsAreReadFromNames(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  Permissions
		ok    bool
	}{
		{nil, 0, true},
		{[]string{""}, 0, true},
		{[]string{"messages"}, Messages, true},
		{[]string{"messages,status"}, Messages | Presence, true},
		{[]string{" video ", "audio, audio"}, Audio | Video, true},
		{[]string{"messages", "messages,audio,video,status"}, AllPermissions, true},
		{[]string{"presence"}, 0, false},
		{[]string{"Messages"}, 0, false},
		{[]string{"messages;audio"}, 0, false},
	} {
		got, err := ParsePermissions(tt.names...)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %v, %v", tt.names, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "messages, audio, video, status") {
			t.Errorf("%q: the error does not say what there is: %v", tt.names, err)
		}
	}
}

func TestEverySetOfPermissionsTravels(t *testing.T) {
	for p := range AllPermissions + 1 {
		b, err := codec.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := codec.Unmarshal(b, &names); err != nil || !slices.IsSorted(names) || len(names) != len(p.Names()) {
			t.Errorf("%v: on the wire %q, %v", p, names, err)
		}
		var back Permissions
		if err := codec.Unmarshal(b, &back); err != nil || back != p {
			t.Errorf("%v came back as %v, %v", p, back, err)
		}
		if p != 0 {
			parsed, err := ParsePermissions(p.String())
			if err != nil || parsed != p {
				t.Errorf("%q is read as %v, %v", p, parsed, err)
			}
		}
		for q := range AllPermissions + 1 {
			if p.Has(q) != (p|q == p) {
				t.Errorf("%v has %v: %v", p, q, p.Has(q))
			}
		}
	}
	if NoPermissions.String() != "none" || NoPermissions.Names() == nil {
		t.Errorf("the empty set is %q, %v", NoPermissions, NoPermissions.Names())
	}
}

func TestPermissionNamesOfNewerVersionsAreSkipped(t *testing.T) {
	for data, want := range map[string]Permissions{
		"80":                    0,
		"8165" + hexOf("audio"): Audio,
		"8261" + hexOf("a") + "65" + hexOf("audio"): Audio,
		"8265" + hexOf("audio") + "61" + hexOf("z"): Audio,
	} {
		b, _ := hex.DecodeString(data)
		var p Permissions
		if err := codec.Unmarshal(b, &p); err != nil || p != want {
			t.Errorf("%s: %v, %v", data, p, err)
		}
	}
}

func TestCheckTextNamesTheLimit(t *testing.T) {
	for text, want := range map[string]string{
		"Ana":                     "",
		"":                        "",
		"Müller 😀":                "",
		strings.Repeat("x", 65):   "name of 65 bytes, at most 64",
		strings.Repeat("ä", 33):   "name of 66 bytes, at most 64",
		"a\nb":                    "name: control character U+000A",
		"a\x1b[2J":                "name: control character U+001B",
		"a\u0085b":                "name: control character U+0085",
		"\x7f":                    "name: control character U+007F",
		"a" + string([]byte{255}): "name: not valid UTF-8",
	} {
		err := CheckText("name", text, MaxNameSize)
		if got := errorText(err); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
