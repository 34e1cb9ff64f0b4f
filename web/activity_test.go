package web

import (
	"net/http"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/transport/memnet"
)

func TestWhoUsesThePageIsThere(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	if _, err := ana.api.Presence().ReportActivity(t.Context(), &contactsv1.ReportActivityRequest{Source: "tray", IdleSeconds: 3600}); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		r, err := ana.api.Presence().GetPresence(t.Context(), &contactsv1.GetPresenceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Presence.State
	}
	if got := state(); got != "away" {
		t.Fatalf("idle for an hour and %s", got)
	}
	if status, html := ana.acts("/activity", ""); status != http.StatusNoContent {
		t.Errorf("status %d: %s", status, html)
	}
	if got := state(); got != "online" {
		t.Errorf("on the page, and %s", got)
	}
}
