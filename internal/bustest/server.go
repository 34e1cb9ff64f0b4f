package bustest

import (
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	notifications     = "org.freedesktop.Notifications"
	notificationsPath = "/org/freedesktop/Notifications"
)

// Notice is a notification as it came.
type Notice struct {
	ID       uint32
	Replaces uint32
	Summary  string
	Body     string
	Actions  []string // keys and labels
	Hints    map[string]dbus.Variant
	Timeout  int32
}

// Server is an org.freedesktop.Notifications that shows nothing.
type Server struct {
	conn *dbus.Conn
	can  []string
	came chan Notice
	gone chan uint32

	mu   sync.Mutex
	last uint32
}

// Server starts a notification server that can do what is named, "actions" and
// "body-markup".
func (b *Bus) Server(can ...string) (*Server, error) {
	s := &Server{can: can, came: make(chan Notice, 256), gone: make(chan uint32, 256)}
	conn, err := b.serve(notifications, notificationsPath, map[string]any{notifications: methods{s}})
	s.conn = conn
	return s, err
}

// Close takes the server off the bus.
func (s *Server) Close() { s.conn.Close() }

// Came has the notifications in their order, at most 256 that nobody has taken.
func (s *Server) Came() <-chan Notice { return s.came }

// Dismissed has the ids of those that were taken back.
func (s *Server) Dismissed() <-chan uint32 { return s.gone }

// Choose is the user who presses a button of a notification, after which it is gone.
func (s *Server) Choose(id uint32, action string) error {
	if err := s.conn.Emit(notificationsPath, notifications+".ActionInvoked", id, action); err != nil {
		return err
	}
	return s.Dismiss(id)
}

// Dismiss is the user who closes a notification.
func (s *Server) Dismiss(id uint32) error {
	return s.conn.Emit(notificationsPath, notifications+".NotificationClosed", id, uint32(2))
}

// methods are what a server is asked.
type methods struct{ *Server }

func (m methods) GetCapabilities() ([]string, *dbus.Error) { return m.can, nil }

func (m methods) GetServerInformation() (name, vendor, version, spec string, _ *dbus.Error) {
	return "bustest", "contactsd", "1", "1.2", nil
}

func (m methods) Notify(_ string, replaces uint32, _, summary, body string, actions []string, hints map[string]dbus.Variant, timeout int32) (uint32, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := replaces
	if id == 0 {
		m.last++
		id = m.last
	}
	m.came <- Notice{id, replaces, summary, body, actions, hints, timeout}
	return id, nil
}

func (m methods) CloseNotification(id uint32) *dbus.Error {
	m.gone <- id
	return nil
}
