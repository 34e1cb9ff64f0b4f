package bustest

import (
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	saver     = "org.freedesktop.ScreenSaver"
	saverPath = "/org/freedesktop/ScreenSaver"
)

// Saver is an org.freedesktop.ScreenSaver.
type Saver struct {
	conn *dbus.Conn

	mu     sync.Mutex
	active bool
	idle   uint32
	blind  bool
}

// Saver starts a screen saver. One that is blind knows no idle time.
func (b *Bus) Saver(blind bool) (*Saver, error) {
	s := &Saver{blind: blind}
	conn, err := b.serve(saver, saverPath, map[string]any{saver: saverMethods{s}})
	s.conn = conn
	return s, err
}

// Close takes the screen saver off the bus.
func (s *Saver) Close() { s.conn.Close() }

// Idle sets the idle time, in seconds.
func (s *Saver) Idle(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = seconds
}

// Activate blanks the screen, or shows it again.
func (s *Saver) Activate(on bool) error {
	s.mu.Lock()
	s.active = on
	s.mu.Unlock()
	return s.conn.Emit(saverPath, saver+".ActiveChanged", on)
}

type saverMethods struct{ *Saver }

func (m saverMethods) GetActive() (bool, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.active, nil
}

func (m saverMethods) GetSessionIdleTime() (uint32, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blind {
		return 0, dbus.NewError("org.freedesktop.DBus.Error.NotSupported", nil)
	}
	return m.idle, nil
}

const (
	login        = "org.freedesktop.login1"
	loginPath    = "/org/freedesktop/login1"
	loginSession = "/org/freedesktop/login1/session/auto"
	properties   = "org.freedesktop.DBus.Properties"
)

// Login is an org.freedesktop.login1 with one session.
type Login struct {
	conn *dbus.Conn

	mu      sync.Mutex
	session map[string]dbus.Variant
	asleep  bool
}

// Login starts a logind whose desktop has told it nothing yet.
func (b *Bus) Login() (*Login, error) {
	l := &Login{session: map[string]dbus.Variant{
		"IdleHint": dbus.MakeVariant(false), "IdleSinceHint": dbus.MakeVariant(uint64(0)), "LockedHint": dbus.MakeVariant(false),
	}}
	conn, err := b.serve(login, loginPath, map[string]any{properties: managerProperties{l}})
	if err != nil {
		return nil, err
	}
	l.conn = conn
	return l, conn.Export(sessionProperties{l}, loginSession, properties)
}

// Close takes logind off the bus.
func (l *Login) Close() { l.conn.Close() }

// Hint sets a property of the session.
func (l *Login) Hint(name string, v any) error {
	l.mu.Lock()
	l.session[name] = dbus.MakeVariant(v)
	l.mu.Unlock()
	return l.conn.Emit(loginSession, properties+".PropertiesChanged", login+".Session", map[string]dbus.Variant{name: dbus.MakeVariant(v)}, []string{})
}

// Sleep has the computer go to sleep, or wake.
func (l *Login) Sleep(on bool) error {
	l.mu.Lock()
	l.asleep = on
	l.mu.Unlock()
	return l.conn.Emit(loginPath, login+".Manager.PrepareForSleep", on)
}

type sessionProperties struct{ *Login }

func (p sessionProperties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]dbus.Variant, len(p.session))
	for name, v := range p.session {
		all[name] = v
	}
	return all, nil
}

type managerProperties struct{ *Login }

func (p managerProperties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name != "PreparingForSleep" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return dbus.MakeVariant(p.asleep), nil
}
