package bus

import (
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Entry is one line of the menu.
type Entry struct {
	ID       int32 // from 1; 0 for a line that separates
	Label    string
	Disabled bool
	Radio    bool // one of several, of which one is checked
	Checked  bool
	Children []Entry
}

// entry is an Entry as com.canonical.dbusmenu has it: the struct (ia{sv}av).
type entry struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// maxBatch bounds what one call about several entries may name.
const maxBatch = 256

// menu answers com.canonical.dbusmenu. Revisions rise with each change.
type menu struct {
	clicked func(id int32)

	mu       sync.Mutex
	revision uint32
	entries  []Entry
}

// set changes the menu and returns its revision.
func (m *menu) set(entries []Entry) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = entries
	m.revision++
	return m.revision
}

func (m *menu) now() ([]Entry, uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries, m.revision
}

// GetLayout returns the entry with an id, 0 for the whole menu, and what is below it
// as deep as asked, -1 for all.
func (m *menu) GetLayout(parent, depth int32, names []string) (uint32, entry, *dbus.Error) {
	entries, revision := m.now()
	if parent == 0 {
		root := Entry{Children: number(entries)}
		return revision, layout(root, depth, names), nil
	}
	e, ok := find(number(entries), parent)
	if !ok {
		return 0, entry{}, noEntry()
	}
	return revision, layout(e, depth, names), nil
}

// GetGroupProperties returns the properties of several entries, of all if none is
// named. Those that there are not are left out.
func (m *menu) GetGroupProperties(ids []int32, names []string) ([]struct {
	ID         int32
	Properties map[string]dbus.Variant
}, *dbus.Error) {
	type properties = struct {
		ID         int32
		Properties map[string]dbus.Variant
	}
	if len(ids) > maxBatch {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.LimitsExceeded", []any{"at most 256 entries"})
	}
	entries, _ := m.now()
	all := number(entries)
	if len(ids) == 0 {
		ids = every(all)
	}
	list := make([]properties, 0, len(ids))
	for _, id := range ids {
		if e, ok := find(all, id); ok {
			list = append(list, properties{id, only(propertiesOf(e), names)})
		}
	}
	return list, nil
}

// GetProperty returns one property of an entry.
func (m *menu) GetProperty(id int32, name string) (dbus.Variant, *dbus.Error) {
	entries, _ := m.now()
	e, ok := find(number(entries), id)
	if !ok {
		return dbus.Variant{}, noEntry()
	}
	v, ok := propertiesOf(e)[name]
	if !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return v, nil
}

// Event is told what became of an entry: clicked, hovered, opened, closed.
func (m *menu) Event(id int32, kind string, _ dbus.Variant, _ uint32) *dbus.Error {
	entries, _ := m.now()
	e, ok := find(number(entries), id)
	if !ok && id != 0 {
		return noEntry()
	}
	if kind == "clicked" && ok && !e.Disabled && len(e.Children) == 0 && e.Label != "" {
		m.clicked(id)
	}
	return nil
}

// EventGroup is several events, and returns the entries that there are not.
func (m *menu) EventGroup(events []struct {
	ID   int32
	Kind string
	Data dbus.Variant
	At   uint32
}) ([]int32, *dbus.Error) {
	if len(events) > maxBatch {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.LimitsExceeded", []any{"at most 256 events"})
	}
	unknown := []int32{}
	for _, e := range events {
		if m.Event(e.ID, e.Kind, e.Data, e.At) != nil {
			unknown = append(unknown, e.ID)
		}
	}
	return unknown, nil
}

// AboutToShow says that the menu is up to date already.
func (m *menu) AboutToShow(int32) (bool, *dbus.Error) { return false, nil }

// AboutToShowGroup says so of several.
func (m *menu) AboutToShowGroup([]int32) (updates, unknown []int32, _ *dbus.Error) {
	return []int32{}, []int32{}, nil
}

func noEntry() *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"no such entry"})
}

// firstSeparator is above the ids of what can be clicked; lines that separate need
// ids as well.
const firstSeparator = 1 << 16

// number gives the lines that separate their ids.
func number(entries []Entry) []Entry {
	out := slices.Clone(entries)
	for i := range out {
		if out[i].ID == 0 {
			out[i].ID = firstSeparator + int32(i)
		}
	}
	return out
}

func find(entries []Entry, id int32) (Entry, bool) {
	for _, e := range entries {
		if e.ID == id {
			return e, true
		}
		if below, ok := find(e.Children, id); ok {
			return below, true
		}
	}
	return Entry{}, false
}

func every(entries []Entry) (ids []int32) {
	for _, e := range entries {
		ids = append(append(ids, e.ID), every(e.Children)...)
	}
	return ids
}

func layout(e Entry, depth int32, names []string) entry {
	out := entry{e.ID, only(propertiesOf(e), names), []dbus.Variant{}}
	if depth == 0 {
		return out
	}
	for _, child := range e.Children {
		out.Children = append(out.Children, dbus.MakeVariant(layout(child, depth-1, names)))
	}
	return out
}

// propertiesOf returns the properties that are not what they are by default.
func propertiesOf(e Entry) map[string]dbus.Variant {
	p := make(map[string]dbus.Variant)
	if len(e.Children) > 0 {
		p["children-display"] = dbus.MakeVariant("submenu")
	}
	if e.ID == 0 {
		return p
	}
	if e.Label == "" {
		p["type"] = dbus.MakeVariant("separator")
		return p
	}
	// One "_" marks the key that chooses an entry.
	p["label"] = dbus.MakeVariant(strings.ReplaceAll(e.Label, "_", "__"))
	if e.Disabled {
		p["enabled"] = dbus.MakeVariant(false)
	}
	if e.Radio {
		state := int32(0)
		if e.Checked {
			state = 1
		}
		p["toggle-type"] = dbus.MakeVariant("radio")
		p["toggle-state"] = dbus.MakeVariant(state)
	}
	return p
}

// only leaves the properties that are asked for; no names ask for all.
func only(p map[string]dbus.Variant, names []string) map[string]dbus.Variant {
	if len(names) == 0 {
		return p
	}
	for name := range p {
		if !slices.Contains(names, name) {
			delete(p, name)
		}
	}
	return p
}
