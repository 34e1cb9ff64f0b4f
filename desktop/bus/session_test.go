package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"contactsd/internal/bustest"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func testBus(t *testing.T) *bustest.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := bustest.Start(ctx, shortDir(t))
	if errors.Is(err, bustest.ErrNoProgram) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// shortDir is a folder whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open(t *testing.T, b *bustest.Bus) *Session {
	t.Helper()
	s, err := Open(t.Context(), Config{Address: b.Address, Name: "org.contactsd.Test", Taken: "taken"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run runs a session and returns where its end is told.
func run(t *testing.T, s *Session) <-chan error {
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return ended
}

func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func panel(t *testing.T, b *bustest.Bus) *bustest.Panel {
	t.Helper()
	p, err := b.Panel(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func server(t *testing.T, b *bustest.Bus, can ...string) *bustest.Server {
	t.Helper()
	s, err := b.Server(can...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestIconIsSeenAndClicked(t *testing.T) {
	b := testBus(t)
	p := panel(t, b)
	s := open(t, b)
	run(t, s)
	look := Look{
		Title: "Contacts", ToolTip: "ana, 2 requests",
		Icon: []Pixmap{{2, 1, []byte{255, 1, 2, 3, 255, 4, 5, 6}}},
		Menu: []Entry{
			{ID: 1, Label: "snake_case", Disabled: true},
			{ID: 2, Label: "Presence", Children: []Entry{{ID: 3, Label: "Online", Radio: true, Checked: true}, {ID: 4, Label: "Busy", Radio: true}}},
			{},
			{ID: 5, Label: "Quit"},
		},
	}
	if err := s.Show(look); err != nil {
		t.Fatal(err)
	}
	if tip, err := p.ToolTip(t.Context()); err != nil || tip != look.ToolTip {
		t.Errorf("tool tip %q, %v", tip, err)
	}
	var status string
	if err := p.Property(t.Context(), "Status", &status); err != nil || status != "Active" {
		t.Errorf("status %q, %v", status, err)
	}
	var icon []bustest.Pixmap
	if err := p.Property(t.Context(), "IconPixmap", &icon); err != nil || len(icon) != 1 || icon[0].Width != 2 || len(icon[0].Pixels) != 8 {
		t.Errorf("icon %v, %v", icon, err)
	}
	lines, err := p.Menu(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, l := range lines {
		label := l.Label()
		if l.Checked() {
			label += "*"
		}
		labels = append(labels, label)
	}
	if got := strings.Join(labels, ", "); got != "snake__case, Presence, Online*, Busy, Quit" {
		t.Errorf("menu %s", got)
	}
	for _, dead := range []string{"snake__case", "Presence"} {
		if err := p.Click(t.Context(), dead); err != nil {
			t.Error(err)
		}
	}
	if err := p.Click(t.Context(), "Busy"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, "a click", s.Events()); e.Entry != 4 {
		t.Errorf("clicked %+v, want entry 4 alone", e)
	}
}

func TestMissingIsSaid(t *testing.T) {
	b := testBus(t)
	ctx := t.Context()
	for _, c := range []struct {
		name string
		with func()
		cfg  Config
		want string
	}{
		{"no bus", nil, Config{Address: "unix:path=" + filepath.Join(shortDir(t), "none")}, "does not answer"},
		{"no panel", nil, Config{Address: b.Address, Name: "org.contactsd.A"}, "no panel of this desktop shows tray icons"},
		{"no panel in time", nil, Config{Address: b.Address, Name: "org.contactsd.B", Wait: time.Millisecond}, "no panel of this desktop shows tray icons"},
		{"a panel that shows none", func() {
			if _, err := b.Panel(false); err != nil {
				t.Fatal(err)
			}
		}, Config{Address: b.Address, Name: "org.contactsd.C"}, "no panel of this desktop shows tray icons now"},
	} {
		if c.with != nil {
			c.with()
		}
		_, err := Open(ctx, c.cfg)
		var missing *Missing
		if !errors.As(err, &missing) || !strings.Contains(missing.What, c.want) || missing.Hint == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOneTray(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	open(t, b)
	_, err := Open(t.Context(), Config{Address: b.Address, Name: "org.contactsd.Test", Taken: "another one runs"})
	var missing *Missing
	if !errors.As(err, &missing) || missing.What != "another one runs" {
		t.Errorf("a second one: %v", err)
	}
}

func TestSessionEndsWithItsBus(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	s := open(t, b)
	ended := run(t, s)
	b.Stop()
	var missing *Missing
	if err := next(t, "the end", ended); !errors.As(err, &missing) {
		t.Errorf("ended with %v", err)
	}
	if err := s.Show(Look{Title: "late"}); err == nil {
		t.Error("shown on no bus")
	}
}

func TestIconComesBackWithThePanel(t *testing.T) {
	b := testBus(t)
	p := panel(t, b)
	s := open(t, b)
	run(t, s)
	next(t, "the icon", p.Changed())
	p.Close()
	p = panel(t, b)
	next(t, "the icon at the new panel", p.Changed())
	if _, err := p.Menu(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNotificationsAndTheirActions(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	srv := server(t, b, "actions", "body-markup")
	s := open(t, b)
	run(t, s)
	if !s.Markup() {
		t.Error("the server has markup")
	}
	id, err := s.Notify(t.Context(), Notification{Summary: "A request", Body: "from &lt;ana&gt;", Actions: []Action{{"accept", "Accept"}}, Urgency: Normal, Category: "im", Stays: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := next(t, "a notification", srv.Came())
	if n.ID != id || n.Summary != "A request" || n.Body != "from &lt;ana&gt;" || strings.Join(n.Actions, " ") != "accept Accept" || n.Timeout != 0 {
		t.Errorf("came %+v", n)
	}
	if err := srv.Choose(id, "accept"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, "the action", s.Events()); e != (Event{Notice: id, Action: "accept"}) {
		t.Errorf("got %+v", e)
	}
	if e := next(t, "the end of it", s.Events()); e != (Event{Notice: id, Closed: true}) {
		t.Errorf("got %+v", e)
	}
	s.Dismiss(t.Context(), id)
	if got := next(t, "it to be taken back", srv.Dismissed()); got != id {
		t.Errorf("%d taken back, want %d", got, id)
	}
}

func TestServerWithoutActionsGetsNone(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	srv := server(t, b)
	s := open(t, b)
	if _, err := s.Notify(t.Context(), Notification{Summary: "A request", Actions: []Action{{"accept", "Accept"}}}, 0); err != nil {
		t.Fatal(err)
	}
	if n := next(t, "a notification", srv.Came()); len(n.Actions) != 0 {
		t.Errorf("actions %v", n.Actions)
	}
	if s.Markup() {
		t.Error("the server has no markup")
	}
}

// TestAttackForgedAction: another program on the bus says that the user pressed a
// button.
func TestAttackForgedAction(t *testing.T) {
	b := testBus(t)
	panel(t, b)
	srv := server(t, b, "actions")
	s := open(t, b)
	run(t, s)
	id, err := s.Notify(t.Context(), Notification{Summary: "A request", Actions: []Action{{"accept", "Accept"}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	evil, err := b.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer evil.Close()
	for _, body := range [][]any{{id, "accept"}, {"accept", id}, {id}, {}} {
		msg := &dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(s.conn.Names()[0]), // to this connection alone, whatever it listens for
			dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath(serverPath)),
			dbus.FieldInterface:   dbus.MakeVariant(serverInterface),
			dbus.FieldMember:      dbus.MakeVariant("ActionInvoked"),
		}, Body: body}
		if len(body) > 0 {
			msg.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
		}
		if call := evil.Send(msg, nil); call.Err != nil {
			t.Fatal(call.Err)
		}
	}
	// A call that is answered after the signals were handed on.
	if err := evil.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	if err := srv.Choose(id, "reject"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, "the true action", s.Events()); e != (Event{Notice: id, Action: "reject"}) {
		t.Errorf("got %+v: a forged signal counts", e)
	}
}

func TestSessionAddress(t *testing.T) {
	dir := shortDir(t)
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	const bus, run = "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"
	b := testBus(t)
	of := filepath.Dir(strings.TrimPrefix(strings.SplitN(b.Address, ",", 2)[0], "unix:path="))
	for _, c := range []struct {
		env  func(string) string
		want string
	}{
		{env(bus, "unix:path=/x"), "unix:path=/x"},
		{env(), ""},
		{env(bus, "autolaunch:"), ""},
		{env(run, dir), ""},
		{env(run, "relative"), ""},
		{env(run, of), "unix:path=" + of + "/bus"},
		{env(bus, "autolaunch:", run, of), "unix:path=" + of + "/bus"},
	} {
		got, err := SessionAddress(c.env)
		var missing *Missing
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.As(err, &missing) {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
}
