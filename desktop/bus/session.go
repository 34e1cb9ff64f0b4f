package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// callTimeout bounds a call of a program that should answer at once.
const callTimeout = 5 * time.Second

// watcherGrace is how long a panel may take to come back, after a crash or an
// update, before its absence is told.
const watcherGrace = 30 * time.Second

// waitStep is how often a panel is looked for while a session begins.
const waitStep = 200 * time.Millisecond

// Event is something that the user did with the icon or a notification. One of the
// fields is set, or none: then the icon itself was clicked.
type Event struct {
	Entry  int32  // of the menu, that was clicked
	Notice uint32 // id of the notification that the following is about
	Action string // key of the action that was chosen
	Closed bool   // it is gone
}

// Session is the tray's place on the session bus.
type Session struct {
	conn    *dbus.Conn
	item    *item
	signals chan *dbus.Signal
	events  chan Event

	mu       sync.Mutex
	notifier string // unique name of the notification server, "" if none runs
	asked    bool   // what it can do is known
	can      []string
}

// Config is what a session is opened with.
type Config struct {
	Address string        // of the session bus
	Name    string        // well-known name that one tray alone may have
	Taken   string        // said if another one has it
	Wait    time.Duration // how long to wait for a panel while a session begins
}

// Open takes a place on the bus and shows an icon without a look. *Missing if there
// is no bus, no panel that shows icons, or another tray.
// The session lasts until Close.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	conn, err := dial(cfg.Address)
	if err != nil {
		return nil, err
	}
	s := &Session{conn: conn, signals: make(chan *dbus.Signal, 16), events: make(chan Event, 64)}
	if err := s.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func (s *Session) open(ctx context.Context, cfg Config) error {
	s.conn.Signal(s.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, serverName)},
		{dbus.WithMatchSender(serverName), dbus.WithMatchInterface(serverInterface)},
	} {
		if err := s.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("listen on the bus: %w", err)
		}
	}
	reply, err := s.conn.RequestName(cfg.Name, dbus.NameFlagDoNotQueue)
	if err != nil {
		return fmt.Errorf("take a name on the bus: %w", err)
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return &Missing{What: cfg.Taken}
	}
	s.mu.Lock()
	s.notifier = s.owner(ctx, serverName)
	s.mu.Unlock()
	if s.item, err = export(s.conn, func() { s.did(Event{}) }, func(id int32) { s.did(Event{Entry: id}) }); err != nil {
		return err
	}
	if err := s.panel(ctx, cfg.Wait); err != nil {
		return err
	}
	return s.register(ctx)
}

// owner returns the unique name of who has a name, "" if nobody does.
func (s *Session) owner(ctx context.Context, name string) (unique string) {
	if s.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&unique) != nil {
		return ""
	}
	return unique
}

// panel waits until somebody shows icons. *Missing if nobody does in time.
func (s *Session) panel(ctx context.Context, patience time.Duration) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	again := time.NewTicker(waitStep)
	defer again.Stop()
	for {
		err := s.shown(ctx)
		if err == nil || patience <= 0 {
			return err
		}
		select {
		case <-again.C:
		case <-late.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const panelHint = "on GNOME the extension AppIndicator shows tray icons; without one, contactsctl open shows the page"

// shown returns *Missing unless a panel shows icons.
func (s *Session) shown(ctx context.Context) error {
	if s.owner(ctx, watcherName) == "" {
		return &Missing{"no panel of this desktop shows tray icons (nobody is " + watcherName + ")", panelHint}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var hosted dbus.Variant
	err := s.watcher().CallWithContext(ctx, propertiesInterface+".Get", 0, watcherName, "IsStatusNotifierHostRegistered").Store(&hosted)
	if yes, ok := hosted.Value().(bool); err == nil && ok && !yes {
		return &Missing{"no panel of this desktop shows tray icons now", panelHint}
	}
	return nil
}

func (s *Session) watcher() dbus.BusObject { return s.conn.Object(watcherName, watcherPath) }

func (s *Session) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// By the path, which has every panel take the caller's own unique name.
	if err := s.watcher().CallWithContext(ctx, watcherName+".RegisterStatusNotifierItem", 0, itemPath).Err; err != nil {
		return &Missing{fmt.Sprintf("the panel does not take the icon: %v", err), panelHint}
	}
	return nil
}

// Show changes what is seen of the tray.
func (s *Session) Show(l Look) error { return s.item.show(l) }

// Events returns what the user does. It is to be read all the time: of what is not,
// some is dropped.
func (s *Session) Events() <-chan Event { return s.events }

func (s *Session) did(e Event) {
	select {
	case s.events <- e:
	default: // nobody clicks so fast
	}
}

// Close leaves the bus, and the icon goes with that.
func (s *Session) Close() error { return s.conn.Close() }

// Run keeps the icon registered until ctx ends, then returns nil, or until nobody
// could see it any more: the bus is gone, or no panel has come back in 30 s. That is
// *Missing.
func (s *Session) Run(ctx context.Context) error {
	var gone <-chan time.Time // runs while there is no panel
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.conn.Context().Done():
			if ctx.Err() != nil {
				return nil
			}
			return &Missing{What: "the session bus is gone"}
		case <-gone:
			return &Missing{"no panel of this desktop shows tray icons any more", panelHint}
		case sig, ok := <-s.signals:
			if !ok {
				s.signals = nil // the bus is gone, as the context says
				continue
			}
			switch name, owner, changed := ownerChange(sig); {
			case changed && name == serverName:
				s.serverIs(owner)
			case changed && name == watcherName && owner == "":
				gone = time.After(watcherGrace)
			case changed && name == watcherName:
				if s.register(ctx) == nil {
					gone = nil
				}
			default:
				s.heard(sig)
			}
		}
	}
}

func ownerChange(sig *dbus.Signal) (name, owner string, ok bool) {
	if sig.Sender != "org.freedesktop.DBus" || sig.Name != "org.freedesktop.DBus.NameOwnerChanged" {
		return "", "", false
	}
	var old string
	if dbus.Store(sig.Body, &name, &old, &owner) != nil {
		return "", "", false
	}
	return name, owner, true
}

// serverIs forgets what the server before could do.
func (s *Session) serverIs(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notifier, s.asked, s.can = owner, false, nil
}

// heard passes on what the notification server says of notifications. The bus lets
// anybody send a signal of any name, to this connection as well.
func (s *Session) heard(sig *dbus.Signal) {
	s.mu.Lock()
	server := s.notifier
	s.mu.Unlock()
	if server == "" || sig.Sender != server || sig.Path != serverPath {
		return
	}
	var id uint32
	switch sig.Name {
	case serverInterface + ".ActionInvoked":
		var action string
		if dbus.Store(sig.Body, &id, &action) == nil {
			s.did(Event{Notice: id, Action: action})
		}
	case serverInterface + ".NotificationClosed":
		var why uint32
		if dbus.Store(sig.Body, &id, &why) == nil {
			s.did(Event{Notice: id, Closed: true})
		}
	}
}
