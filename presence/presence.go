package presence

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"contactsd/contact"
)

// State is what a device says of its user.
type State uint8

const (
	// Unknown: not having heard, which is not the same as Offline. Never sent.
	Unknown State = iota
	Online
	Away
	Busy
	Offline
	// Invisible is a choice of the user alone: others are told Offline.
	Invisible
)

var stateNames = [...]string{"unknown", "online", "away", "busy", "offline", "invisible"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// ParseState reads the name of a state that a user can set. It returns a
// *contact.InvalidError for anything else.
func ParseState(name string) (State, error) {
	for _, s := range []State{Online, Away, Busy, Invisible} {
		if strings.EqualFold(name, s.String()) {
			return s, nil
		}
	}
	return Unknown, &contact.InvalidError{Field: "presence", Reason: fmt.Sprintf("unknown state %q: use online, away, busy or invisible", name)}
}

// Presence is what this device knows of another's user.
type Presence struct {
	State    State     // Unknown to Offline
	Text     string    // what the user wrote to it, empty with Unknown and Offline
	Since    time.Time // when State began, by this device's clock; zero if Unknown
	LastSeen time.Time // when the device last said something, zero if it was never heard
	Relayed  bool      // the device is not connected: State came through others, or was its last word before it made room
}

// Own is this device's own presence.
type Own struct {
	Chosen State     // what the user set: Online, Away, Busy or Invisible
	State  State     // what contacts are told: Away instead of Online after idling, Offline instead of Invisible
	Text   string    // what the user wrote to it
	Since  time.Time // when State began
}

// Limits of a presence text.
const (
	MaxTextRunes = 140
	MaxTextSize  = 560 // bytes
)

func checkText(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxTextRunes {
		return &contact.LimitError{Field: "presence text", Got: n, Limit: MaxTextRunes, Unit: "characters"}
	}
	return contact.CheckText("presence text", text, MaxTextSize)
}
