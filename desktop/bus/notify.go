package bus

import (
	"context"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"
)

const (
	serverName      = "org.freedesktop.Notifications"
	serverPath      = "/org/freedesktop/Notifications"
	serverInterface = "org.freedesktop.Notifications"
)

// Urgency is how much a notification disturbs.
type Urgency byte

const (
	Low Urgency = iota
	Normal
	Critical
)

// Action is a button of a notification.
type Action struct {
	Key   string
	Label string
}

// Notification is shown beside the user's work. Its texts are as a server wants
// them: Markup says whether the body may have any.
type Notification struct {
	Summary   string
	Body      string
	Actions   []Action
	Urgency   Urgency
	Category  string // of the specification, "im.received"
	Transient bool   // not to be kept in a list of past ones
	Stays     bool   // until somebody closes it
}

// application is what notifications say they are from.
const application = "Contacts"

// fromServer leaves it to the server how long a notification is shown.
const fromServer, forever = int32(-1), int32(0)

// Notify shows a notification, in the place of another one unless replaces is 0, and
// returns its id. The server is started by the bus if it is not there, as all who
// notify do; the error says that it can't be.
func (s *Session) Notify(ctx context.Context, n Notification, replaces uint32) (uint32, error) {
	actions := []string{}
	if slices.Contains(s.abilities(), "actions") {
		for _, a := range n.Actions {
			actions = append(actions, a.Key, a.Label)
		}
	}
	hints := map[string]dbus.Variant{
		"urgency":       dbus.MakeVariant(byte(n.Urgency)),
		"category":      dbus.MakeVariant(n.Category),
		"desktop-entry": dbus.MakeVariant("contacts-tray"),
	}
	if n.Transient {
		hints["transient"] = dbus.MakeVariant(true)
	}
	shown := fromServer
	if n.Stays {
		shown = forever
	}
	var id uint32
	err := s.server().CallWithContext(ctx, serverInterface+".Notify", 0,
		application, replaces, "", n.Summary, n.Body, actions, hints, shown).Store(&id)
	if err != nil {
		return 0, fmt.Errorf("notify: %w", err)
	}
	return id, nil
}

// Dismiss takes a notification away. That it is gone already is no error.
func (s *Session) Dismiss(ctx context.Context, id uint32) {
	s.server().CallWithContext(ctx, serverInterface+".CloseNotification", 0, id)
}

// Markup reports whether the server reads the body of notifications as markup.
func (s *Session) Markup() bool { return slices.Contains(s.abilities(), "body-markup") }

func (s *Session) server() dbus.BusObject { return s.conn.Object(serverName, serverPath) }

// abilities returns what the server can do, asked once of each server.
func (s *Session) abilities() []string {
	s.mu.Lock()
	known, can := s.asked, s.can
	s.mu.Unlock()
	if known {
		return can
	}
	ctx, cancel := context.WithTimeout(s.conn.Context(), callTimeout)
	defer cancel()
	if s.server().CallWithContext(ctx, serverInterface+".GetCapabilities", 0).Store(&can) != nil {
		return nil // no server now; the next one is asked anew
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.can = true, can
	return can
}
