package node

import (
	"log/slog"
	"os"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// settings is the one row of what the user set and the device keeps for itself.
type settings struct {
	Name   string            `cbor:"1,keyasint,omitempty"` // from before there were profiles, which have it now
	Listen listening         `cbor:"2,keyasint"`
	Set    map[string]string `cbor:"4,keyasint,omitempty"` // what the user decided, by contact.Setting.Name
}

// listening is where the device listens: what was asked for, and what the
// system gave, so that a port once chosen stays.
type listening struct {
	Asked []string `cbor:"1,keyasint"`
	Bound []string `cbor:"2,keyasint"`
}

var settingsTable = store.NewTable[settings]("node/settings", 2, gossipByName)

// gossipByName is the step to version 2, in which a setting is kept by its name.
func gossipByName(key, value []byte) ([]byte, []byte, error) {
	var old struct {
		Name     string    `cbor:"1,keyasint,omitempty"`
		Listen   listening `cbor:"2,keyasint"`
		NoGossip bool      `cbor:"3,keyasint,omitempty"`
	}
	if err := codec.Unmarshal(value, &old); err != nil {
		return nil, nil, err
	}
	s := settings{Name: old.Name, Listen: old.Listen}
	if old.NoGossip {
		s.Set = map[string]string{"gossip": "off"}
	}
	value, err := codec.Marshal(s)
	return key, value, err
}

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
func (n *Node) Name() string { return n.Profile.Name() }

// shownProfile returns the revision of the profile for contacts to see, 0 if they
// would ask for it in vain.
func (n *Node) shownProfile() uint64 {
	if n.Policy().Profile == contact.Nobody {
		return 0
	}
	return n.Profile.Rev()
}

// Policy returns what the user decided, as it is now.
func (n *Node) Policy() contact.Policy { return *n.policy.Load() }

// SetPolicy decides the settings that are named, all of them or, if one can't be
// what it is to be, none. Errors: *contact.InvalidError.
func (n *Node) SetPolicy(changes map[string]string) error {
	n.setting.Lock()
	defer n.setting.Unlock()
	was := n.Policy()
	p := was
	for name, value := range changes {
		if err := p.Set(name, value); err != nil {
			return err
		}
	}
	if p == was {
		return nil
	}
	err := n.DB.Update(func(tx *store.Tx) error {
		err := changeSettings(tx, func(s *settings) {
			if s.Set == nil {
				s.Set = make(map[string]string)
			}
			for _, set := range contact.Settings() {
				if v := set.Value(p); v == set.Default {
					delete(s.Set, set.Name)
				} else {
					s.Set[set.Name] = v
				}
			}
		})
		if err != nil {
			return err
		}
		for _, set := range contact.Settings() {
			if v := set.Value(p); v != set.Value(was) {
				if err := tx.Emit(contact.Event{Type: contact.SettingChanged, At: tx.Now().UnixMilli(), State: v, Detail: set.Name}); err != nil {
					return err
				}
			}
		}
		tx.OnCommit(func() { n.policy.Store(&p) })
		return nil
	})
	if err == nil && p.Gossip != was.Gossip {
		n.Presence.SetGossip(p.Gossip)
	}
	if err == nil && p.AwayAfter != was.AwayAfter {
		n.Presence.SetAwayAfter(awayAfter(p))
	}
	return err
}

// awayAfter returns how long without activity makes the user away, 0 for never.
func awayAfter(p contact.Policy) time.Duration { return time.Duration(p.AwayAfter) * time.Minute }

// policy reads what the user decided. What this version does not know, or can't
// set, stays in the row and counts for nothing.
func (s settings) policy(log *slog.Logger) contact.Policy {
	p := contact.DefaultPolicy()
	for name, value := range s.Set {
		if err := p.Set(name, value); err != nil {
			log.Warn("settings: ignored", "setting", name, "err", err)
		}
	}
	return p
}

// hostName is the name of a device whose user gave it none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || contact.CheckText("name", name, contact.MaxNameSize) != nil || name == "" {
		return "a device"
	}
	return name
}
