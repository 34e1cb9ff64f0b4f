package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestRepeatingACallIsDecided: docs/api.md says of each call of the schema what
// happens when it is sent again.
func TestRepeatingACallIsDecided(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Repeating a call")
	if !found {
		t.Fatal("no such section")
	}
	told := make(map[string]bool)
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 4 {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				told[name[1]] = true
			}
		}
	}
	for _, m := range methods(t) {
		if !told[string(m.Name())] {
			t.Errorf("docs/api.md does not say what repeating %s does", m.Name())
		}
		delete(told, string(m.Name()))
	}
	for name := range told {
		t.Errorf("docs/api.md tells of a call %s, which there is not", name)
	}
}

// TestRepeatedCallsChangeNothing sends every call twice, and a third time after a
// restart: what the journal tells of the first it does not tell again.
func TestRepeatedCallsChangeNothing(t *testing.T) {
	u := newWorld(t).user("ada")
	bob := stranger(t)
	u.add(bob, "bob")
	usual := map[string]string{
		"odid": stranger(t), "contact": bob, "contacts": stranger(t), "remark": "remark", "name": "ada l", "text": "text",
		"id": newID(t), "state": "busy", "permissions": "messages", "code": "482-193",
		"group": "group", "key": "key", "source": "profile", "app": "mail",
	}
	answer := func(m protoreflect.MethodDescriptor, body []byte) *httptest.ResponseRecorder {
		if m.Name() == "EnterCode" { // looks around for 5 s
			return u.server.answerOf(t.Context(), m, "proto", body)
		}
		return u.server.wholeAnswerOf(u.ctx(), m, "proto", body)
	}
	changed := 0
	for _, m := range methods(t) {
		if m.IsStreamingServer() {
			continue
		}
		msg := request(t, m)
		fill(msg, usual)
		body, err := proto.Marshal(msg.Interface())
		if err != nil {
			t.Fatal(err)
		}
		cursor := func() uint64 {
			n, err := u.node.DB.Cursor()
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := cursor()
		first := answer(m, body)
		after := cursor()
		if after > before {
			changed++
		}
		second := answer(m, body)
		u.restart()
		third := answer(m, body)
		if got := cursor(); got != after {
			t.Errorf("%s: repeating it made %d events", m.Name(), got-after)
		}
		again := first.Code == http.StatusOK && m.Name() != "CancelMessage" && m.Name() != "DeleteGroup"
		if again && (second.Code != http.StatusOK || third.Code != http.StatusOK) {
			t.Errorf("%s: %d, then %d and %d: %s", m.Name(), first.Code, second.Code, third.Code, second.Body)
		}
	}
	if changed < 7 {
		t.Errorf("%d calls changed something; too few to tell", changed)
	}
}
