package server

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
)

func TestReportedActivityMakesAwayAndBack(t *testing.T) {
	ada := newWorld(t).user("ada")
	for _, step := range []struct {
		req  *contactsv1.ReportActivityRequest
		want string
	}{
		{&contactsv1.ReportActivityRequest{Source: "tray", IdleSeconds: 299, HoldsSeconds: 600}, "online"},
		{&contactsv1.ReportActivityRequest{Source: "tray"}, "online"},
		{&contactsv1.ReportActivityRequest{Source: "none", Leaves: true}, "online"},
	} {
		r, err := ada.Presence().ReportActivity(ada.ctx(), step.req)
		if err != nil || r.Presence.State != step.want {
			t.Errorf("%v: %v, %v", step.req, r, err)
		}
	}
	for _, req := range []*contactsv1.ReportActivityRequest{{}, {Source: strings.Repeat("x", 33)}, {Source: "a\x1b"}} {
		if _, err := ada.Presence().ReportActivity(ada.ctx(), req); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", req, err)
		}
	}
}

func TestWhoReportsIdlenessFirstIsAway(t *testing.T) {
	ada := newWorld(t).user("ada")
	r, err := ada.Presence().ReportActivity(ada.ctx(), &contactsv1.ReportActivityRequest{Source: "tray", IdleSeconds: 301})
	if err != nil || r.Presence.State != "away" {
		t.Errorf("idle for 301 s: %v, %v", r, err)
	}
	if r, err = ada.Presence().ReportActivity(ada.ctx(), &contactsv1.ReportActivityRequest{Source: "page"}); err != nil || r.Presence.State != "online" {
		t.Errorf("back: %v, %v", r, err)
	}
}
