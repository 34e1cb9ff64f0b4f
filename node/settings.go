package node

import (
	"os"
	"strings"

	"contactsd/contact"
	"contactsd/store"
)

// settings is the one row of what the user set and the device keeps for itself.
type settings struct {
	Name     string    `cbor:"1,keyasint,omitempty"`
	Listen   listening `cbor:"2,keyasint"`
	NoGossip bool      `cbor:"3,keyasint,omitempty"`
}

// listening is where the device listens: what was asked for, and what the
// system gave, so that a port once chosen stays.
type listening struct {
	Asked []string `cbor:"1,keyasint"`
	Bound []string `cbor:"2,keyasint"`
}

var settingsTable = store.NewTable[settings]("node/settings", 1)

var settingsKey = []byte("device")

func loadSettings(db *store.DB) (s settings, err error) {
	err = db.View(func(tx *store.Tx) error {
		s, _, err = settingsTable.Get(tx, settingsKey)
		return err
	})
	return s, err
}

func changeSettings(tx *store.Tx, change func(*settings)) error {
	s, _, err := settingsTable.Get(tx, settingsKey)
	if err != nil {
		return err
	}
	change(&s)
	return settingsTable.Put(tx, settingsKey, s)
}

// Name returns what this device is called in the eyes of others.
func (n *Node) Name() string { return *n.name.Load() }

// SetName names the device; contacts learn it when they pair. The name that it
// has already changes nothing. Errors:
// *contact.LimitError, *contact.InvalidError.
func (n *Node) SetName(name string) error {
	name = strings.TrimSpace(name)
	if name == "" {
		return &contact.InvalidError{Field: "name", Reason: "empty"}
	}
	if err := contact.CheckText("name", name, contact.MaxNameSize); err != nil {
		return err
	}
	n.naming.Lock() // so that the name kept in memory is the one stored last
	defer n.naming.Unlock()
	return n.DB.Update(func(tx *store.Tx) error {
		was := ""
		if err := changeSettings(tx, func(s *settings) { was, s.Name = s.Name, name }); err != nil || was == name {
			return err
		}
		tx.OnCommit(func() { n.name.Store(&name) })
		return tx.Emit(contact.Event{Type: contact.ProfileChanged, At: tx.Now().UnixMilli()})
	})
}

// Gossip reports whether this device passes on the presence of mutual contacts,
// and hears of its own that way.
func (n *Node) Gossip() (on bool, err error) {
	s, err := loadSettings(n.DB)
	return !s.NoGossip, err
}

// SetGossip turns gossip on or off.
func (n *Node) SetGossip(on bool) error {
	n.naming.Lock()
	defer n.naming.Unlock()
	err := n.DB.Update(func(tx *store.Tx) error {
		return changeSettings(tx, func(s *settings) { s.NoGossip = !on })
	})
	if err == nil {
		n.Presence.SetGossip(on)
	}
	return err
}

// hostName is the name of a device whose user gave it none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || contact.CheckText("name", name, contact.MaxNameSize) != nil || name == "" {
		return "a device"
	}
	return name
}
