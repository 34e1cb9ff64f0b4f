package bustest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Panel is an org.kde.StatusNotifierWatcher and whoever shows the icons.
type Panel struct {
	conn *dbus.Conn

	mu      sync.Mutex
	hosted  bool
	item    string // unique name of whose icon it has
	changed chan struct{}
}

// Pixmap is an icon's picture: (iiay).
type Pixmap struct {
	Width, Height int32
	Pixels        []byte
}

// Line is an entry of a menu: (ia{sv}av).
type Line struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// Panel starts a panel. One that is not hosted takes icons and shows none.
func (b *Bus) Panel(hosted bool) (*Panel, error) {
	p := &Panel{hosted: hosted, changed: make(chan struct{}, 1)}
	conn, err := b.serve("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", map[string]any{
		"org.kde.StatusNotifierWatcher": watcher{p}, "org.freedesktop.DBus.Properties": watcherProperties{p},
	})
	if err != nil {
		return nil, err
	}
	p.conn = conn
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchPathNamespace("/StatusNotifierItem")); err != nil {
		return nil, err
	}
	go func() {
		for range signals {
			p.note()
		}
	}()
	return p, nil
}

// Close takes the panel off the bus.
func (p *Panel) Close() { p.conn.Close() }

// Changed has something in it after the icon registered or said that it changed.
func (p *Panel) Changed() <-chan struct{} { return p.changed }

func (p *Panel) note() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

type watcher struct{ *Panel }

func (w watcher) RegisterStatusNotifierItem(sender dbus.Sender, service string) *dbus.Error {
	if service != "/StatusNotifierItem" {
		return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{service})
	}
	w.mu.Lock()
	w.item = string(sender)
	w.mu.Unlock()
	w.note()
	return nil
}

type watcherProperties struct{ *Panel }

func (w watcherProperties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	if name != "IsStatusNotifierHostRegistered" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return dbus.MakeVariant(w.hosted), nil
}

// ErrNoIcon says that no icon has registered.
var ErrNoIcon = errors.New("the panel has no icon")

func (p *Panel) object(path dbus.ObjectPath) (dbus.BusObject, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.item == "" {
		return nil, ErrNoIcon
	}
	return p.conn.Object(p.item, path), nil
}

// Property reads a property of the icon into v.
func (p *Panel) Property(ctx context.Context, name string, v any) error {
	item, err := p.object("/StatusNotifierItem")
	if err != nil {
		return err
	}
	return item.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierItem", name).Store(v)
}

// ToolTip returns what is said of the icon.
func (p *Panel) ToolTip(ctx context.Context) (string, error) {
	var tip struct {
		Icon   string
		Pixmap []Pixmap
		Title  string
		Text   string
	}
	var v dbus.Variant
	if err := p.Property(ctx, "ToolTip", &v); err != nil {
		return "", err
	}
	if err := v.Store(&tip); err != nil {
		return "", err
	}
	return tip.Title, nil
}

// Menu returns the lines of the menu that have labels, those below others too.
func (p *Panel) Menu(ctx context.Context) ([]Line, error) {
	menu, err := p.object("/StatusNotifierItem/menu")
	if err != nil {
		return nil, err
	}
	var revision uint32
	var root Line
	if err := menu.CallWithContext(ctx, "com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		return nil, err
	}
	return lines(root)
}

func lines(of Line) (list []Line, err error) {
	for _, v := range of.Children {
		var l Line
		if err := dbus.Store([]any{v.Value()}, &l); err != nil {
			return nil, err
		}
		if _, ok := l.Properties["label"]; ok {
			list = append(list, l)
		}
		below, err := lines(l)
		if err != nil {
			return nil, err
		}
		list = append(list, below...)
	}
	return list, nil
}

// Label returns what a line says.
func (l Line) Label() string {
	label, _ := l.Properties["label"].Value().(string)
	return label
}

// Checked reports whether a line of several is the chosen one.
func (l Line) Checked() bool {
	state, _ := l.Properties["toggle-state"].Value().(int32)
	return state == 1
}

// Click clicks the line of the menu with a label.
func (p *Panel) Click(ctx context.Context, label string) error {
	list, err := p.Menu(ctx)
	if err != nil {
		return err
	}
	menu, err := p.object("/StatusNotifierItem/menu")
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.Label() == label {
			return menu.CallWithContext(ctx, "com.canonical.dbusmenu.Event", 0, l.ID, "clicked", dbus.MakeVariant(""), uint32(0)).Err
		}
	}
	return fmt.Errorf("no line of the menu says %q", label)
}
