package desktop

import (
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/desktop/bus"
)

// menuText writes a menu in one line.
func menuText(entries []bus.Entry) string {
	var parts []string
	for _, e := range entries {
		text := e.Label
		if text == "" {
			text = "-"
		}
		if e.Disabled {
			text = "(" + text + ")"
		}
		if e.Checked {
			text += "*"
		}
		if e.Children != nil {
			text += "[" + menuText(e.Children) + "]"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " | ")
}

func TestLook(t *testing.T) {
	for _, c := range []struct {
		state     state
		tip, menu string
	}{
		{state{}, "contactsd is not running", "(contactsd is not running) | - | Quit"},
		{state{running: true, name: "ana", presence: "online"}, "ana, online",
			"(ana, online) | Presence[Online* | Away | Busy | Invisible] | - | Show my code | (No requests) | Open Contacts | - | Quit"},
		{state{running: true, name: "a\u202eb", presence: "invisible", requests: 1}, `a\u202eb, invisible, 1 request`,
			`(a\u202eb, invisible) | Presence[Online | Away | Busy | Invisible*] | - | Show my code | 1 request | Open Contacts | - | Quit`},
		{state{running: true, name: "ana", presence: "busy", requests: 12}, "ana, busy, 12 requests",
			"(ana, busy) | Presence[Online | Away | Busy* | Invisible] | - | Show my code | 12 requests | Open Contacts | - | Quit"},
	} {
		look := c.state.look()
		if look.ToolTip != c.tip || menuText(look.Menu) != c.menu {
			t.Errorf("%+v is\n%s\n%s", c.state, look.ToolTip, menuText(look.Menu))
		}
	}
}

func TestEntriesAreDistinct(t *testing.T) {
	seen := make(map[int32]string)
	var walk func([]bus.Entry)
	walk = func(entries []bus.Entry) {
		for _, e := range entries {
			if e.ID == 0 {
				continue
			}
			if other, taken := seen[e.ID]; taken {
				t.Errorf("%q has the id of %q", e.Label, other)
			}
			seen[e.ID] = e.Label
			walk(e.Children)
		}
	}
	walk(state{running: true, name: "ana", presence: "online"}.look().Menu)
	for i, one := range settable() {
		if got := stateOfEntry(firstState + int32(i)); got != one {
			t.Errorf("entry %d sets %q, want %q", i, got, one)
		}
	}
	for _, id := range []int32{0, quitEntry, openEntry, firstState - 1, firstState + 4, -1 << 31, 1<<31 - 1} {
		if got := stateOfEntry(id); got != "" {
			t.Errorf("entry %d sets %q", id, got)
		}
	}
}

func TestWhatIsTold(t *testing.T) {
	all := map[string]string{"notify-messages": "on", "notify-files": "on", "notify-pairing": "on", "notify-names": "on"}
	for _, c := range []struct {
		name string
		s    state
		want []kind
	}{
		{"all", state{presence: "online", settings: all}, []kind{aRequest, aMessage, aFile, aPairing}},
		{"away", state{presence: "away", settings: all}, []kind{aRequest, aMessage, aFile, aPairing}},
		{"busy", state{presence: "busy", settings: all}, []kind{aRequest, aPairing}},
		{"files only", state{presence: "online", settings: map[string]string{"notify-files": "on"}}, []kind{aRequest, aFile}},
		{"an older daemon", state{presence: "online"}, []kind{aRequest}},
	} {
		var got []kind
		for _, k := range []kind{aRequest, aMessage, aFile, aPairing} {
			if c.s.tells(k) {
				got = append(got, k)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: tells %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStateOf(t *testing.T) {
	s := stateOf(&contactsv1.GetStatusResponse{Name: "ana", Requests: 3, Presence: &contactsv1.Presence{State: "busy", Text: "writing"}},
		[]*contactsv1.Setting{{Name: "notify-names", Value: "on"}, {Name: "notify-files", Value: "off"}})
	if !s.running || s.name != "ana" || s.requests != 3 || s.presence != "busy" || s.text != "writing" || !s.named() || s.on("notify-files") || s.on("none") {
		t.Errorf("%+v", s)
	}
	if moved := s; !s.same(moved) {
		t.Error("a state is not like itself")
	}
	for name, other := range map[string]state{"down": {}, "requests": {running: true, name: "ana", presence: "busy", requests: 4}} {
		if s.same(other) {
			t.Errorf("%s looks the same", name)
		}
	}
}
