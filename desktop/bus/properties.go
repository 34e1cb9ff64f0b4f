package bus

import (
	"maps"
	"sync"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

const propertiesInterface = "org.freedesktop.DBus.Properties"

// properties answers org.freedesktop.DBus.Properties for one interface. Others read
// them and write none. Package prop of godbus has the same, but panics when the bus
// is gone.
type properties struct {
	of string // the interface

	mu     sync.Mutex
	values map[string]dbus.Variant
}

func newProperties(of string, values map[string]any) *properties {
	p := &properties{of: of, values: make(map[string]dbus.Variant, len(values))}
	for name, v := range values {
		p.values[name] = dbus.MakeVariant(v)
	}
	return p
}

// change sets properties and returns them as a signal tells them.
func (p *properties) change(values map[string]any) map[string]dbus.Variant {
	changed := make(map[string]dbus.Variant, len(values))
	for name, v := range values {
		changed[name] = dbus.MakeVariant(v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.values, changed)
	return changed
}

// Get returns one property.
func (p *properties) Get(of, name string) (dbus.Variant, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.values[name]
	if of != p.of || !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return v, nil
}

// GetAll returns all properties.
func (p *properties) GetAll(of string) (map[string]dbus.Variant, *dbus.Error) {
	if of != p.of {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownInterface", nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.values), nil
}

// Set changes nothing.
func (p *properties) Set(_, _ string, _ dbus.Variant) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.PropertyReadOnly", nil)
}

func (p *properties) introspection() introspect.Interface {
	about := introspect.Interface{Name: p.of}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, v := range p.values {
		about.Properties = append(about.Properties, introspect.Property{Name: name, Type: v.Signature().String(), Access: "read"})
	}
	return about
}
