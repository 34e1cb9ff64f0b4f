package node

import (
	"log/slog"
	"testing"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// TestSettingsOfVersionOne: gossip turned off before settings had names stays off.
func TestSettingsOfVersionOne(t *testing.T) {
	type old struct {
		Name     string    `cbor:"1,keyasint,omitempty"`
		Listen   listening `cbor:"2,keyasint"`
		NoGossip bool      `cbor:"3,keyasint,omitempty"`
	}
	for _, off := range []bool{false, true} {
		was := old{Name: "laptop", Listen: listening{Asked: []string{"/ip4/127.0.0.1/tcp/0"}, Bound: []string{"/ip4/127.0.0.1/tcp/4001"}}, NoGossip: off}
		value, err := codec.Marshal(was)
		if err != nil {
			t.Fatal(err)
		}
		key, value, err := gossipByName(settingsKey, value)
		if err != nil || string(key) != string(settingsKey) {
			t.Fatal(key, err)
		}
		var s settings
		if err := codec.Unmarshal(value, &s); err != nil {
			t.Fatal(err)
		}
		if s.Name != was.Name || len(s.Listen.Bound) != 1 || s.Listen.Bound[0] != was.Listen.Bound[0] {
			t.Errorf("%+v became %+v", was, s)
		}
		want := contact.DefaultPolicy()
		want.Gossip = !off
		if got := s.policy(slog.New(slog.DiscardHandler)); got != want {
			t.Errorf("policy %+v, want %+v", got, want)
		}
	}
}

// TestSettingsOfANewerVersion count for nothing and are kept.
func TestSettingsOfANewerVersion(t *testing.T) {
	s := settings{Set: map[string]string{"requests": "by-vouching", "telepathy": "on", "profile": "nobody"}}
	want := contact.DefaultPolicy()
	want.Profile = contact.Nobody
	if got := s.policy(slog.New(slog.DiscardHandler)); got != want {
		t.Errorf("policy %+v, want %+v", got, want)
	}
}
