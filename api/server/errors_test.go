package server

import (
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/identity"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/transport"
)

func identityOf(t testing.TB) contact.ODID {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id.Self()
}

func presenceNamed(state string) presence.Presence {
	s, err := presence.ParseState(state)
	if err != nil {
		panic(err)
	}
	return presence.Presence{State: s}
}

func mustInfo(t *testing.T, e *connect.Error) *contactsv1.ErrorInfo {
	t.Helper()
	info := infoOf(e)
	if info == nil {
		t.Fatalf("%v has no detail", e)
	}
	return info
}

func TestEveryErrorHasAReasonAndReads(t *testing.T) {
	for _, a := range answers() {
		e, known := explain(fmt.Errorf("doing something: %w", a.is))
		info := mustInfo(t, e)
		if !known || e.Code() != a.code || info.Reason != a.reason || info.Reason == "" || e.Message() == "" {
			t.Errorf("%v: %v, %v", a.is, e, info)
		}
	}
}

func TestErrorsNameFieldAndLimit(t *testing.T) {
	e, _ := explain(fmt.Errorf("set: %w", &contact.LimitError{Field: "remark", Got: 97, Limit: 96, Unit: "bytes"}))
	if info := mustInfo(t, e); e.Code() != connect.CodeInvalidArgument || info.Field != "remark" || info.Limit != "96 bytes" || e.Message() != "remark of 97 bytes, at most 96" {
		t.Errorf("%v, %v", e, info)
	}
	e, _ = explain(&relation.AmbiguousError{Text: "bob", Candidates: []relation.Contact{{Remark: "bob"}, {Name: "Bob"}}})
	if info := mustInfo(t, e); e.Code() != connect.CodeInvalidArgument || info.Reason != "ambiguous_contact" {
		t.Errorf("%v, %v", e, info)
	}
	_, err := contact.ParseODID("bob")
	e, _ = explain(err)
	if info := mustInfo(t, e); e.Message() != "not an ODID" || info.Hint != `an ODID begins with "odid1"` {
		t.Errorf("%v, %v", e, info)
	}
}

func TestOnlyWhatIsForTheUserIsTold(t *testing.T) {
	err := fmt.Errorf("dial odid1: %w: it can't be read; write it like 192.0.2.1:4001", transport.ErrAddress)
	e, _ := explain(err)
	if info := mustInfo(t, e); e.Message() != "not an address" || info.Hint != "it can't be read; write it like 192.0.2.1:4001" {
		t.Errorf("%v, %v", e, info)
	}
	e, _ = explain(fmt.Errorf("%w (stream reset by 192.0.2.1)", pairing.ErrNoWindow))
	if info := mustInfo(t, e); e.Message() != "the other device shows no code" || info.Hint != "run `contactsctl show-code` there" {
		t.Errorf("%v, %v", e, info)
	}
}

func TestUnforeseenErrorIsInternal(t *testing.T) {
	e, known := explain(errors.New("odd"))
	if known || e.Code() != connect.CodeInternal || mustInfo(t, e).Reason != "internal" {
		t.Errorf("%v", e)
	}
}

// FuzzPageToken: a page token of anybody's making is a place or an error.
func FuzzPageToken(f *testing.F) {
	var self contact.ODID
	f.Add("")
	f.Add("3:" + self.String())
	f.Add(pageToken(1, self))
	f.Add("99999999999999999999:odid1")
	f.Fuzz(func(t *testing.T, token string) {
		if place, _, err := parsePageToken(token); err == nil && (place < 0 || place == 0 && token != "") {
			t.Errorf("%q: %d", token, place)
		}
	})
}
