package bus

import (
	"context"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	mutterName = "org.gnome.Mutter.IdleMonitor"
	mutterPath = "/org/gnome/Mutter/IdleMonitor/Core"

	saverName = "org.freedesktop.ScreenSaver"
	saverPath = "/org/freedesktop/ScreenSaver"

	gnomeSaverName = "org.gnome.ScreenSaver"
	gnomeSaverPath = "/org/gnome/ScreenSaver"

	loginName        = "org.freedesktop.login1"
	loginPath        = "/org/freedesktop/login1"
	loginManager     = "org.freedesktop.login1.Manager"
	loginSession     = "org.freedesktop.login1.Session"
	loginSessionPath = "/org/freedesktop/login1/session/auto" // the caller's own
)

// Seat knows when the user did something last, as far as the desktop tells. Nobody is
// started to be asked.
type Seat struct {
	session *dbus.Conn
	system  *dbus.Conn // nil without a system bus
	changed chan struct{}
	heard   [2]chan *dbus.Signal // on either bus; each closes its own

	mu    sync.Mutex
	meter meter
	shut  time.Time // since when the screen is locked or blanked, or the computer sleeps; else zero
}

// OpenSeat returns the seat of a session, with what the system bus at an address
// knows of it, if there is one. It lasts until Close.
func OpenSeat(ctx context.Context, s *Session, system string) *Seat {
	seat := &Seat{session: s.conn, changed: make(chan struct{}, 1)}
	for i := range seat.heard {
		seat.heard[i] = make(chan *dbus.Signal, 16)
	}
	listen(ctx, seat.session, seat.heard[0],
		[]dbus.MatchOption{dbus.WithMatchSender(saverName), dbus.WithMatchMember("ActiveChanged")},
		[]dbus.MatchOption{dbus.WithMatchSender(gnomeSaverName), dbus.WithMatchMember("ActiveChanged")})
	if conn, err := dial(system); err == nil {
		seat.system = conn
		listen(ctx, conn, seat.heard[1],
			[]dbus.MatchOption{dbus.WithMatchSender(loginName), dbus.WithMatchMember("PrepareForSleep")},
			[]dbus.MatchOption{dbus.WithMatchSender(loginName), dbus.WithMatchInterface(propertiesInterface), dbus.WithMatchPathNamespace(loginPath + "/session")})
	}
	return seat
}

// listen has signals sent to a channel. Without them what they say is seen later, when
// it is asked for.
func listen(ctx context.Context, conn *dbus.Conn, to chan<- *dbus.Signal, matches ...[]dbus.MatchOption) {
	conn.Signal(to)
	for _, m := range matches {
		_ = conn.AddMatchSignalContext(ctx, m...)
	}
}

// Close leaves the system bus.
func (s *Seat) Close() {
	if s.system != nil {
		s.system.Close()
	}
}

// Changed has something in it when Idle may say something else now. It is fed by Run.
func (s *Seat) Changed() <-chan struct{} { return s.changed }

// Run listens until ctx ends. What a signal says is read anew from who should know,
// so one that is forged changes nothing.
func (s *Seat) Run(ctx context.Context) {
	session, system := s.heard[0], s.heard[1]
	for session != nil || system != nil {
		ok := true
		select {
		case <-ctx.Done():
			return
		case _, ok = <-session:
			if !ok {
				session = nil
			}
		case _, ok = <-system:
			if !ok {
				system = nil
			}
		}
		if !ok {
			continue // that bus is gone
		}
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// Idle returns how long ago the user did something last; known is false if nobody
// tells. Nothing is done while the screen is locked or blanked, or the computer
// sleeps.
func (s *Seat) Idle(ctx context.Context) (idle time.Duration, known bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	shut := s.blanked(ctx)
	hint := s.login(ctx)
	measured, known := s.measured(ctx)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.judge(now, sight{shut: shut || hint.shut, measured: measured, known: known, hint: hint})
}

// sight is what can be seen of the user at one time.
type sight struct {
	shut     bool
	measured time.Duration // how long ago they did something, if that is known
	known    bool
	hint     hint
}

// hint is what logind knows of a session.
type hint struct {
	given bool // the desktop tells logind at all
	idle  bool
	since time.Time // when that began
	shut  bool
}

// judge makes of a sight how long the user has done nothing. mu is held.
func (s *Seat) judge(now time.Time, is sight) (idle time.Duration, known bool) {
	switch {
	case !is.shut:
		s.shut = time.Time{}
	case s.shut.IsZero():
		s.shut = now
	}
	switch {
	case is.known:
		idle = is.measured
	case is.hint.given && is.hint.idle:
		idle = max(0, now.Sub(is.hint.since))
	case !is.hint.given && !is.shut:
		return 0, false
	}
	if is.shut {
		// Who looks at a locked screen moves the mouse, but does nothing.
		idle = max(idle, now.Sub(s.shut))
	}
	return idle, true
}

// ask calls a method of who has a name, if somebody does.
func ask(ctx context.Context, conn *dbus.Conn, name string, path dbus.ObjectPath, method string, result any, args ...any) bool {
	return conn.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(result) == nil
}

// measured asks for the time since the last input: of GNOME in milliseconds, of others
// in what meter finds out.
func (s *Seat) measured(ctx context.Context) (time.Duration, bool) {
	var millis uint64
	if ask(ctx, s.session, mutterName, mutterPath, mutterName+".GetIdletime", &millis) {
		return time.Duration(min(millis, 1<<40)) * time.Millisecond, true
	}
	var value uint32
	if ask(ctx, s.session, saverName, saverPath, saverName+".GetSessionIdleTime", &value) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.meter.read(time.Now(), value), true
	}
	return 0, false
}

func (s *Seat) blanked(ctx context.Context) (active bool) {
	return ask(ctx, s.session, saverName, saverPath, saverName+".GetActive", &active) && active ||
		ask(ctx, s.session, gnomeSaverName, gnomeSaverPath, gnomeSaverName+".GetActive", &active) && active
}

func (s *Seat) login(ctx context.Context) (h hint) {
	if s.system == nil {
		return h
	}
	var session map[string]dbus.Variant
	if ask(ctx, s.system, loginName, loginSessionPath, propertiesInterface+".GetAll", &session, loginSession) {
		h.idle, _ = session["IdleHint"].Value().(bool)
		h.shut, _ = session["LockedHint"].Value().(bool)
		// Unix microseconds, 0 as long as the desktop has never told.
		since, _ := session["IdleSinceHint"].Value().(uint64)
		h.given, h.since = since != 0, time.UnixMicro(int64(min(since, 1<<62)))
	}
	var asleep dbus.Variant
	if ask(ctx, s.system, loginName, loginPath, propertiesInterface+".Get", &asleep, loginManager, "PreparingForSleep") {
		sleeps, _ := asleep.Value().(bool)
		h.shut = h.shut || sleeps
	}
	return h
}
