package contact

import (
	"errors"
	"reflect"
	"strconv"
	"testing"
)

func TestDefaultPolicyProtects(t *testing.T) {
	want := Policy{
		Gossip: true, Requests: RequestsConfirm, NotifyRequests: true, MaxWaiting: 32,
		Profile: Anyone, Checks: ContactsOnly, HonourPart: true, MaxBlocked: 1000,
		Files: FilesAsk, MaxFile: 100,
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
		if values == nil {
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
		{"chatter", "on", `settings: unknown setting "chatter": use requests, request-notifications, max-waiting, profile, checks, disclose-blocks, honour-removal, max-blocked, files, max-file, gossip`},
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
	for _, c := range []struct {
		files FilePolicy
		view  View
		size  uint64
		want  bool
	}{
		{FilesAsk, View{Trust: Paired, Given: Messages}, 0, false},
		{FilesPaired, View{Trust: Paired, Given: Messages}, 2 * mb, true},
		{FilesPaired, View{Trust: Paired, Given: Messages}, 2*mb + 1, false},
		{FilesPaired, View{Trust: Paired, Given: Messages}, 1 << 63, false},
		{FilesPaired, View{Trust: Paired}, 1, false},
		{FilesPaired, View{Trust: Untrusted, Given: Messages}, 1, false},
		{FilesContacts, View{Trust: Untrusted, Given: Messages}, 1, true},
		{"", View{Trust: Paired, Given: Messages}, 1, false},
	} {
		p := Policy{Files: c.files, MaxFile: 2}
		if got := p.TakesFile(c.view, c.size); got != c.want {
			t.Errorf("%q, %+v, %d bytes: %v", c.files, c.view, c.size, got)
		}
	}
}
