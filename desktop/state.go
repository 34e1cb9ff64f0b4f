package desktop

import (
	"fmt"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/desktop/bus"
)

// state is what the tray knows of the daemon.
type state struct {
	running  bool
	name     string
	presence string // online, away, busy or invisible
	text     string
	requests uint32
	settings map[string]string
}

// stateDown is the state of the icon while no daemon answers.
const stateDown = "not running"

func stateOf(status *contactsv1.GetStatusResponse, settings []*contactsv1.Setting) state {
	s := state{
		running: true, name: status.Name, requests: status.Requests,
		presence: status.Presence.GetState(), text: status.Presence.GetText(),
		settings: make(map[string]string, len(settings)),
	}
	for _, one := range settings {
		s.settings[one.Name] = one.Value
	}
	return s
}

// on reports whether a setting is on. One that the daemon does not know yet, being
// older, is off.
func (s state) on(setting string) bool { return s.settings[setting] == "on" }

// Ids of the menu's entries.
const (
	nameEntry int32 = iota + 1
	requestsEntry
	codeEntry
	openEntry
	quitEntry
	presenceEntry
	firstState // and one for each of settable
)

// settable are the states that a user can set, in the order of the menu.
func settable() []string { return []string{"online", "away", "busy", "invisible"} }

// look returns what is seen of the tray.
func (s state) look() bus.Look {
	if !s.running {
		return bus.Look{
			Title: title, ToolTip: "contactsd is not running", Icon: icons(stateDown, false),
			Menu: []bus.Entry{
				{ID: nameEntry, Label: "contactsd is not running", Disabled: true},
				{},
				{ID: quitEntry, Label: "Quit"},
			},
		}
	}
	header := foreign(s.name) + ", " + s.presence
	requests := bus.Entry{ID: requestsEntry, Label: "No requests", Disabled: true}
	tip := header
	if s.requests > 0 {
		requests.Label, requests.Disabled = counted(s.requests, "request", "requests"), false
		tip += ", " + requests.Label
	}
	var states []bus.Entry
	for i, one := range settable() {
		states = append(states, bus.Entry{ID: firstState + int32(i), Label: capital(one), Radio: true, Checked: one == s.presence})
	}
	return bus.Look{
		Title: title, ToolTip: tip, Icon: icons(s.presence, s.requests > 0),
		Menu: []bus.Entry{
			{ID: nameEntry, Label: header, Disabled: true},
			{ID: presenceEntry, Label: "Presence", Children: states},
			{},
			{ID: codeEntry, Label: "Show my code"},
			requests,
			{ID: openEntry, Label: "Open Contacts"},
			{},
			{ID: quitEntry, Label: "Quit"},
		},
	}
}

const title = "Contacts"

func counted(n uint32, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// stateOfEntry returns the state that an entry of the menu sets, "" if it sets none.
func stateOfEntry(id int32) string {
	if i := int(id - firstState); i >= 0 && i < len(settable()) {
		return settable()[i]
	}
	return ""
}

// tells reports whether the user wants to be told of a kind of notice now.
func (s state) tells(k kind) bool {
	switch k {
	case aMessage:
		return s.on("notify-messages") && s.presence != "busy"
	case aFile:
		return s.on("notify-files") && s.presence != "busy"
	case aPairing:
		return s.on("notify-pairing")
	}
	return true
}

// named reports whether notices may say of whom they are.
func (s state) named() bool { return s.on("notify-names") }

// same reports whether two states look alike.
func (s state) same(as state) bool {
	return s.running == as.running && s.name == as.name && s.presence == as.presence && s.requests == as.requests
}
