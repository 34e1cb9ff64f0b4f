package bus

import (
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

const (
	itemPath      = "/StatusNotifierItem"
	itemInterface = "org.kde.StatusNotifierItem"
	menuPath      = "/StatusNotifierItem/menu"
	menuInterface = "com.canonical.dbusmenu"

	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
)

// Pixmap is a square picture, as the icon's specification has it: ARGB32 in network
// byte order, not premultiplied. On the wire it is the struct (iiay).
type Pixmap struct {
	Width, Height int32
	Pixels        []byte
}

// Look is what of the tray is seen.
type Look struct {
	Title   string // of the icon, for who does not see it
	ToolTip string
	Icon    []Pixmap
	Menu    []Entry
}

// toolTip is the struct (sa(iiay)ss): an icon's name, pixmaps, title and text. The
// text may be markup, so only the title is used.
type toolTip struct {
	Icon   string
	Pixmap []Pixmap
	Title  string
	Text   string
}

// item is the icon as it is exported.
type item struct {
	conn  *dbus.Conn
	props *properties
	menu  *menu
}

// clicks answers the methods of org.kde.StatusNotifierItem. A panel that shows the
// menu itself calls none of them.
type clicks struct{ activated func() }

// Activate is a click on the icon.
func (c clicks) Activate(_, _ int32) *dbus.Error { c.activated(); return nil }

// SecondaryActivate is a click with the middle button.
func (c clicks) SecondaryActivate(_, _ int32) *dbus.Error { c.activated(); return nil }

// ContextMenu is never needed: Menu is set.
func (c clicks) ContextMenu(_, _ int32) *dbus.Error { return nil }

// Scroll changes nothing.
func (c clicks) Scroll(_ int32, _ string) *dbus.Error { return nil }

// export puts the icon and its menu on the bus.
func export(conn *dbus.Conn, activated func(), clicked func(int32)) (*item, error) {
	it := &item{conn: conn, menu: &menu{clicked: clicked}}
	it.props = newProperties(itemInterface, map[string]any{
		"Category":   "Communications",
		"Id":         "contacts-tray",
		"Title":      "",
		"Status":     "Active",
		"WindowId":   int32(0),
		"IconName":   "",
		"IconPixmap": []Pixmap{},
		"ToolTip":    toolTip{Pixmap: []Pixmap{}},
		"ItemIsMenu": false,
		"Menu":       dbus.ObjectPath(menuPath),
	})
	menuProps := newProperties(menuInterface, map[string]any{
		"Version":       uint32(3),
		"TextDirection": "ltr",
		"Status":        "normal",
		"IconThemePath": []string{},
	})
	c := clicks{activated}
	aboutItem := it.props.introspection()
	aboutItem.Methods = introspect.Methods(c)
	aboutItem.Signals = []introspect.Signal{{Name: "NewTitle"}, {Name: "NewIcon"}, {Name: "NewToolTip"}}
	aboutMenu := menuProps.introspection()
	aboutMenu.Methods = introspect.Methods(it.menu)
	aboutMenu.Signals = []introspect.Signal{{Name: "LayoutUpdated", Args: []introspect.Arg{{Name: "revision", Type: "u"}, {Name: "parent", Type: "i"}}}}
	for _, e := range []struct {
		v    any
		path dbus.ObjectPath
		of   string
	}{
		{c, itemPath, itemInterface},
		{it.props, itemPath, propertiesInterface},
		{about(itemPath, aboutItem), itemPath, introspect.IntrospectData.Name},
		{it.menu, menuPath, menuInterface},
		{menuProps, menuPath, propertiesInterface},
		{about(menuPath, aboutMenu), menuPath, introspect.IntrospectData.Name},
	} {
		if err := conn.Export(e.v, e.path, e.of); err != nil {
			return nil, fmt.Errorf("export %s at %s: %w", e.of, e.path, err)
		}
	}
	// Panels look for this name (StatusNotifierItem, "Registration").
	if _, err := conn.RequestName(fmt.Sprintf("%s-%d-1", itemInterface, os.Getpid()), dbus.NameFlagDoNotQueue); err != nil {
		return nil, fmt.Errorf("name the icon: %w", err)
	}
	return it, nil
}

func about(path string, of introspect.Interface) introspect.Introspectable {
	return introspect.NewIntrospectable(&introspect.Node{Name: path, Interfaces: []introspect.Interface{introspect.IntrospectData, of}})
}

// show changes what is seen; signals tell panels to read it.
func (i *item) show(l Look) error {
	if l.Icon == nil {
		l.Icon = []Pixmap{}
	}
	changed := i.props.change(map[string]any{
		"Title": l.Title, "IconPixmap": l.Icon,
		"ToolTip": toolTip{Pixmap: []Pixmap{}, Title: l.ToolTip},
	})
	revision := i.menu.set(l.Menu)
	for _, s := range []struct {
		path dbus.ObjectPath
		name string
		args []any
	}{
		{itemPath, propertiesInterface + ".PropertiesChanged", []any{itemInterface, changed, []string{}}},
		{itemPath, itemInterface + ".NewTitle", nil},
		{itemPath, itemInterface + ".NewIcon", nil},
		{itemPath, itemInterface + ".NewToolTip", nil},
		{menuPath, menuInterface + ".LayoutUpdated", []any{revision, int32(0)}},
	} {
		if err := i.conn.Emit(s.path, s.name, s.args...); err != nil {
			return fmt.Errorf("tell the panel: %w", err)
		}
	}
	return nil
}
