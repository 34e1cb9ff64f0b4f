package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
)

func noon() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

// printer is an app that writes into a buffer at noon.
func printer() (*app, *bytes.Buffer) {
	var out bytes.Buffer
	return &app{out: &out, talk: &out, now: noon}, &out
}

func ana() *contactsv1.Contact {
	return &contactsv1.Contact{
		Odid: "odid1qxy7zeaqplmbtr", Name: "Ana", Trust: "paired", Relation: "accepted",
		PermissionsGiven: []string{"messages", "status"}, Source: "pairing",
		Presence: &contactsv1.Presence{State: "busy", Text: "until \x1b[2Jsix"},
		AddedAt:  timestamppb.New(noon().Add(-49 * time.Hour)),
	}
}

func TestTableAligns(t *testing.T) {
	a, out := printer()
	err := a.table([]string{"name", "trust", "n"}, [][]cell{
		{{"東京", plain}, trustCell(ana()), {"1", plain}},
		{{"Mari\u0301a", plain}, trustCell(&contactsv1.Contact{Trust: "untrusted"}), {"22", plain}},
	})
	want := "NAME   TRUST        N\n" +
		"東京   ● paired     1\n" +
		"Mari\u0301a  ○ untrusted  22\n"
	if err != nil || out.String() != want {
		t.Errorf("got\n%s, %v\nwant\n%s", out, err, want)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colour where none is wanted")
	}
}

func TestColourOnlyOnRequest(t *testing.T) {
	a, out := printer()
	a.color = true
	if err := a.table(nil, [][]cell{{trustCell(ana()), {"x", plain}}}); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[32m● paired\x1b[0m  x\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
	t.Setenv("NO_COLOR", "1")
	if wantsColor(out) {
		t.Error("colour in spite of NO_COLOR")
	}
}

func TestContactForPeople(t *testing.T) {
	a, out := printer()
	if err := a.contact(ana()); err != nil {
		t.Fatal(err)
	}
	want := `name      Ana
ODID      odid1qxy7zeaqplmbtr
trust     ● paired
relation  accepted
may here  messages, status
you may   none
presence  busy (until \u001b[2Jsix)
source    pairing
added     2 days ago
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestContactForPrograms(t *testing.T) {
	a, out := printer()
	a.json = true
	if err := a.contact(ana()); err != nil {
		t.Fatal(err)
	}
	want := `{"odid":"odid1qxy7zeaqplmbtr","name":"Ana","remark":"","trust":"paired","relation":"accepted",` +
		`"permissions_given":["messages","status"],"permissions_received":[],` +
		`"presence":{"state":"busy","text":"until \u001b[2Jsix","since":null,"last_seen":null,"relayed":false},` +
		`"source":"pairing","added_at":"2026-06-29T11:00:00Z","left":false,"asks_to_part":false,"groups":[],"fields":[],"app":"","wording":""}` + "\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	out.Reset()
	if err := array(a, []*contactsv1.Contact(nil)); err != nil || out.String() != "[]\n" {
		t.Errorf("no contacts: %q, %v", out, err)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", -30 * time.Second: "just now", 9 * time.Second: "just now", 10 * time.Second: "10 seconds ago",
		time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago", time.Hour: "1 hour ago",
		47 * time.Hour: "1 day ago", 29 * 24 * time.Hour: "29 days ago",
	} {
		if got := ago(timestamppb.New(noon().Add(-d)), noon()); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	old := timestamppb.New(noon().Add(-60 * 24 * time.Hour))
	if got := ago(old, noon()); got != old.AsTime().Local().Format(time.DateOnly) {
		t.Errorf("long ago: %q", got)
	}
	if got := ago(nil, noon()); got != "" {
		t.Errorf("never: %q", got)
	}
}

func TestPresenceSaysWhenLastSeen(t *testing.T) {
	seen := timestamppb.New(noon().Add(-2 * time.Hour))
	for _, test := range []struct {
		p    *contactsv1.Presence
		want string
	}{
		{nil, "unknown"},
		{&contactsv1.Presence{State: "unknown", LastSeen: seen}, "unknown, seen 2 hours ago"},
		{&contactsv1.Presence{State: "online", LastSeen: seen}, "online"},
		{&contactsv1.Presence{State: "online", LastSeen: seen, Relayed: true}, "online, heard 2 hours ago"},
		{&contactsv1.Presence{State: "offline", LastSeen: seen, Relayed: true}, "offline, seen 2 hours ago"},
		{&contactsv1.Presence{State: "offline", LastSeen: seen}, "offline, seen 2 hours ago"},
	} {
		if got := presenceText(test.p, noon()); got != test.want {
			t.Errorf("%v: %q, want %q", test.p, got, test.want)
		}
	}
}

func TestCountdownRedrawsOneLine(t *testing.T) {
	a, out := printer()
	c := &screen{a: a}
	c.draw()
	if out.Len() != 0 {
		t.Errorf("drawn before there is a code: %q", out)
	}
	c.code = &contactsv1.Code{Code: "482-193", ExpiresAt: timestamppb.New(noon().Add(27*time.Second + 200*time.Millisecond))}
	c.draw()
	if want := "\r\x1b[K  482-193   27 s left"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
	out.Reset()
	a.now = func() time.Time { return noon().Add(time.Hour) }
	c.draw()
	if !strings.HasSuffix(out.String(), "0 s left") {
		t.Errorf("after its end: %q", out)
	}
}

func TestMessageOfSeveralLinesIsIndented(t *testing.T) {
	a, out := printer()
	names := &titles{known: map[string]string{"odid1a": "Ana"}}
	m := &contactsv1.Message{Contact: "odid1a", Direction: "out", Text: "one\ntwo", State: "queued", Waiting: "unreachable", SentAt: timestamppb.New(noon())}
	if err := a.message(m, names); err != nil {
		t.Fatal(err)
	}
	want := noon().Local().Format(time.DateTime) + "  you: one\n    two  [queued: unreachable]\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestJSONIsOneLine(t *testing.T) {
	a, out := printer()
	a.json = true
	if err := a.event(&contactsv1.Event{Cursor: "7", Type: "message.received", Detail: "a\nb"}, nil); err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if strings.Count(out.String(), "\n") != 1 || json.Unmarshal(out.Bytes(), &v) != nil || v["cursor"] != "7" {
		t.Errorf("got %q", out)
	}
}

func TestWhyCodesAreLonger(t *testing.T) {
	again := timestamppb.New(noon())
	for want, c := range map[string]*contactsv1.Code{
		"": {Accepts: "six_digits"},
		"Codes have nine digits now: too many wrong ones were entered since this window was opened.":                                                           {Accepts: "nine_digits", Why: "window_limit"},
		"Codes have nine digits now: too many wrong ones were entered in 24 hours. Six digits again from " + noon().Local().Format("2006-01-02 15:04") + ".":   {Accepts: "nine_digits", Why: "day_limit", SixDigitsAt: again},
		"Links alone are accepted now: too many wrong ones were entered in 24 hours. Six digits again from " + noon().Local().Format("2006-01-02 15:04") + ".": {Accepts: "link", Why: "day_limit", SixDigitsAt: again},
	} {
		if got := reason(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWaitingDevicesAreNumbered(t *testing.T) {
	a, _ := printer()
	var talk strings.Builder
	a.talk = &talk
	s := &screen{a: a}
	if err := s.update(&contactsv1.ShowCodeResponse{Update: &contactsv1.ShowCodeResponse_Waiting{Waiting: &contactsv1.Waiting{Devices: []*contactsv1.WaitingDevice{
		{Odid: "odid1aaaa", WrongCodes: 3}, {Odid: "odid1bbbb", Name: "Bob\x1b[2J", Only: true},
	}}}}); err != nil {
		t.Fatal(err)
	}
	want := "Devices that try to pair:\n  1  odid1aaaa  wrong codes: 3\n  2  odid1bbbb  Bob\\u001b[2J  served alone\n"
	if talk.String() != want {
		t.Errorf("%q, want %q", talk.String(), want)
	}
	talk.Reset()
	for _, line := range []string{"3", "0", "x", "-1"} {
		s.choose(t.Context(), line) // asks nobody: there is no client
	}
	if n := strings.Count(talk.String(), "there are 2 devices in the list"); n != 4 {
		t.Errorf("%q", talk.String())
	}
}
