package contact

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestDefaultPolicyProtects(t *testing.T) {
	want := Policy{
		Gossip: true, Requests: RequestsConfirm, NotifyRequests: true, MaxWaiting: 32, Stamps: 6,
		Profile: Anyone, Checks: ContactsOnly, HonourPart: true, MaxBlocked: 1000,
		Files: FilesAsk, MaxFile: 100, FileTypes: AnyType, FilesKept: 90,
		NotifyMessages: true, NotifyFiles: true, NotifyPairing: true, NotifyNames: true, AwayAfter: 5,
	}
	if got := DefaultPolicy(); got != want {
		t.Errorf("default\n%+v, want\n%+v", got, want)
	}
}

// TestEverySettingSets: each of a setting's values reads back, and changes one
// field of the policy; together the settings reach every field.
func TestEverySettingSets(t *testing.T) {
	reached := make(map[int]bool)
	for _, s := range Settings() {
		values := s.Choices
		switch {
		case s.Form != "":
			values = []string{s.Default, map[string]string{"files-types": "image/*,application/pdf", "files-folder": "/srv/in"}[s.Name]}
		case values == nil:
			values = []string{strconv.Itoa(s.Min), strconv.Itoa(s.Max)}
		}
		for _, v := range values {
			p := DefaultPolicy()
			if got := s.Value(p); got != s.Default {
				t.Errorf("%s is %q by default, want %q", s.Name, got, s.Default)
			}
			if err := p.Set(s.Name, v); err != nil {
				t.Fatal(err)
			}
			if got := s.Value(p); got != v {
				t.Errorf("%s set to %q is %q", s.Name, v, got)
			}
			changed := 0
			was, is := reflect.ValueOf(DefaultPolicy()), reflect.ValueOf(p)
			for i := range is.NumField() {
				if is.Field(i).Interface() != was.Field(i).Interface() {
					changed++
					reached[i] = true
				}
			}
			if v != s.Default && changed != 1 {
				t.Errorf("%s=%s changes %d fields", s.Name, v, changed)
			}
		}
		if s.Description == "" || s.Description[len(s.Description)-1] != '.' {
			t.Errorf("%s is not described in sentences", s.Name)
		}
	}
	if n := reflect.TypeFor[Policy]().NumField(); len(reached) != n {
		t.Errorf("settings reach %d of %d fields", len(reached), n)
	}
}

func TestBadSettings(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"requests", "all", `requests: can't be "all": use confirm, any, none`},
		{"requests", "", `requests: can't be "": use confirm, any, none`},
		{"gossip", "ON", `gossip: can't be "ON": use on, off`},
		{"max-waiting", "0", `max-waiting: can't be "0": use a number from 1 to 10000`},
		{"max-waiting", "10001", `max-waiting: can't be "10001": use a number from 1 to 10000`},
		{"max-waiting", "many", `max-waiting: can't be "many": use a number from 1 to 10000`},
		{"files-types", "", `files-types: can't be "": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-types", "Image/*", `files-types: can't be "Image/*": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-types", "*/*", `files-types: can't be "*/*": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-types", "image/*,", `files-types: can't be "image/*,": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-types", "any,image/*", `files-types: can't be "any,image/*": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-types", strings.Repeat("a/b,", 64) + "a/b", `files-types: can't be "a/b,a/b,a/b,a/b,a/b,a/b,a/b,a/b,a/b,a/b,": use any, or media types with commas between them, as in image/*,application/pdf`},
		{"files-folder", "", `files-folder: can't be "": use usual, or the absolute path of a folder`},
		{"files-folder", "papers", `files-folder: can't be "papers": use usual, or the absolute path of a folder`},
		{"files-folder", "/srv/../in", `files-folder: can't be "/srv/../in": use usual, or the absolute path of a folder`},
		{"files-folder", "/srv/a\x00b", `files-folder: can't be "/srv/a\x00b": use usual, or the absolute path of a folder`},
		{"files-kept", "0", `files-kept: can't be "0": use a number from 1 to 3650`},
		{"chatter", "on", `settings: unknown setting "chatter": use requests, request-notifications, notify-messages, notify-files, notify-pairing, notify-names, away-after, max-waiting, stamps, profile, checks, disclose-blocks, honour-removal, max-blocked, max-untrusted, files, max-file, files-types, files-folder, files-kept, gossip`},
	} {
		p := DefaultPolicy()
		err := p.Set(tt.name, tt.value)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || err.Error() != tt.want {
			t.Errorf("%s=%s: %v, want %s", tt.name, tt.value, err, tt.want)
		}
		if p != DefaultPolicy() {
			t.Errorf("%s=%s changed the policy", tt.name, tt.value)
		}
	}
}

func TestWhoseFilesAreTaken(t *testing.T) {
	const mb = 1_000_000
	paired := View{Trust: Paired, Given: Messages}
	for _, c := range []struct {
		files FilePolicy
		types string
		view  View
		size  uint64
		media string
		want  bool
	}{
		{FilesAsk, AnyType, paired, 0, "", false},
		{FilesPaired, AnyType, paired, 2 * mb, "", true},
		{FilesPaired, AnyType, paired, 2*mb + 1, "", false},
		{FilesPaired, AnyType, paired, 1 << 63, "", false},
		{FilesPaired, AnyType, View{Trust: Paired}, 1, "", false},
		{FilesPaired, AnyType, View{Trust: Untrusted, Given: Messages}, 1, "", false},
		{FilesContacts, AnyType, View{Trust: Untrusted, Given: Messages}, 1, "", true},
		{"", AnyType, paired, 1, "", false},
		{FilesPaired, "image/*,application/pdf", paired, 1, "image/png", true},
		{FilesPaired, "image/*,application/pdf", paired, 1, "application/pdf", true},
		{FilesPaired, "image/*,application/pdf", paired, 1, "application/x-sh", false},
		{FilesPaired, "image/*,application/pdf", paired, 1, "image", false},
		{FilesPaired, "image/*,application/pdf", paired, 1, "", false},
		{FilesPaired, "image/*,application/pdf", paired, 3 * mb, "image/png", false},
		{FilesAsk, "image/*", paired, 1, "image/png", false},
	} {
		p := Policy{Files: c.files, FileTypes: c.types, MaxFile: 2}
		if got := p.TakesFile(c.view, c.size, c.media); got != c.want {
			t.Errorf("%q, %q, %+v, %d bytes of %q: %v", c.files, c.types, c.view, c.size, c.media, got)
		}
	}
}
