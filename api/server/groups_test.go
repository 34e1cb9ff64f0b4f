package server

import (
	"slices"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

func (u *user) set(req *contactsv1.SetContactRequest) (*contactsv1.Contact, error) {
	u.t.Helper()
	r, err := u.Contacts().SetContact(u.ctx(), req)
	return r.GetContact(), err
}

func TestFieldsOfAContact(t *testing.T) {
	u := newWorld(t).user("ada")
	peer := stranger(t)
	u.add(peer, "Bob")
	for _, name := range []string{"work", "chess"} {
		if r, err := u.Groups().CreateGroup(u.ctx(), &contactsv1.CreateGroupRequest{Group: name}); err != nil || !r.Created {
			t.Fatal(r, err)
		}
	}
	text := func(key, value string) *contactsv1.Field {
		return &contactsv1.Field{Key: key, Value: &contactsv1.Field_Text{Text: value}}
	}
	app := "Mail"
	for range 2 { // again changes nothing
		c, err := u.set(&contactsv1.SetContactRequest{Contact: "bob", App: &app, Groups: &contactsv1.GroupNames{Names: []string{"CHESS", "work"}}, Fields: []*contactsv1.Field{
			text("phone", "030"), {Key: "data", Value: &contactsv1.Field_Data{Data: []byte{0, 255}}}, {Key: "n", Value: &contactsv1.Field_Number{Number: 1<<64 - 1}},
		}})
		if err != nil || c.Remark != "Bob" || c.App != app || !slices.Equal(c.Groups, []string{"work", "chess"}) || len(c.Fields) != 3 ||
			c.Fields[0].Key != "data" || c.Fields[1].GetNumber() != 1<<64-1 || c.Fields[2].GetText() != "030" {
			t.Fatalf("%v, %v", c, err)
		}
	}
	c, err := u.set(&contactsv1.SetContactRequest{Contact: peer, Groups: &contactsv1.GroupNames{}, Fields: []*contactsv1.Field{{Key: "n"}, text("data", "")}})
	if err != nil || len(c.Groups) != 0 || len(c.Fields) != 1 || c.App != app {
		t.Errorf("%v, %v", c, err)
	}
	for name, test := range map[string]struct {
		req           *contactsv1.SetContactRequest
		reason, limit string
	}{
		"long":    {&contactsv1.SetContactRequest{Fields: []*contactsv1.Field{text("k", strings.Repeat("x", 501))}}, "limit", "500 bytes"},
		"key":     {&contactsv1.SetContactRequest{Fields: []*contactsv1.Field{text("k k", "x")}}, "invalid", ""},
		"no key":  {&contactsv1.SetContactRequest{Fields: []*contactsv1.Field{nil}}, "invalid", ""},
		"twice":   {&contactsv1.SetContactRequest{Fields: []*contactsv1.Field{text("k", "x"), text("k", "y")}}, "invalid", ""},
		"group":   {&contactsv1.SetContactRequest{Groups: &contactsv1.GroupNames{Names: []string{"nobody"}}}, "no_group", ""},
		"nothing": {&contactsv1.SetContactRequest{}, "", ""},
	} {
		test.req.Contact = peer
		_, err := u.set(test.req)
		if got := client.Reason(err); got != test.reason {
			t.Errorf("%s: reason %q (%v), want %q", name, got, err, test.reason)
		}
		if test.limit != "" && client.Explain(err).Limit != test.limit {
			t.Errorf("%s: limit %q", name, client.Explain(err).Limit)
		}
	}
}

func TestManyAreAddedAndGroupedEachOnItsOwn(t *testing.T) {
	u := newWorld(t).user("ada")
	one, two := stranger(t), stranger(t)
	req := &contactsv1.AddContactsRequest{Contacts: []*contactsv1.AddContactRequest{
		{Odid: one, Remark: "one"}, {Odid: u.odid}, {Odid: "odid1q"}, {Odid: two, At: "127.0.0.1:1"}, nil, {Odid: two, Remark: "two", Source: "import", App: "book"},
	}}
	good := func(results []*contactsv1.Result, want ...bool) {
		t.Helper()
		for i, r := range results {
			if len(results) != len(want) || r.Ok != want[i] || r.Ok != (r.Error == "") {
				t.Errorf("result %d of %d: %v", i, len(results), r)
			}
		}
	}
	for range 2 {
		r, err := u.Contacts().AddContacts(u.ctx(), req)
		if err != nil || r.Results[5].Item != two {
			t.Fatal(r, err)
		}
		good(r.Results, true, false, false, false, false, true)
	}
	_, err := u.Contacts().AddContacts(u.ctx(), &contactsv1.AddContactsRequest{Contacts: make([]*contactsv1.AddContactRequest, 1001)})
	fails(t, err, "limit")
	if _, err := u.Groups().CreateGroup(u.ctx(), &contactsv1.CreateGroupRequest{Group: "g"}); err != nil {
		t.Fatal(err)
	}
	entered, err := u.Groups().EnterGroup(u.ctx(), &contactsv1.EnterGroupRequest{Group: "g", Contacts: []string{"one", "nobody", two, stranger(t)}})
	if err != nil {
		t.Fatal(err)
	}
	good(entered.Results, true, false, true, false)
	list, err := u.Groups().ListGroups(u.ctx(), &contactsv1.ListGroupsRequest{})
	if err != nil || len(list.Groups) != 1 || list.Groups[0].Contacts != 2 || list.Groups[0].CreatedAt == nil {
		t.Errorf("%v, %v", list, err)
	}
	left, err := u.Groups().LeaveGroup(u.ctx(), &contactsv1.LeaveGroupRequest{Group: "g", Contacts: []string{"one", "one"}})
	if err != nil {
		t.Fatal(err)
	}
	good(left.Results, true, true)
	if _, err := u.Groups().RenameGroup(u.ctx(), &contactsv1.RenameGroupRequest{Group: "g", To: "h"}); err != nil {
		t.Error(err)
	}
	_, err = u.Groups().DeleteGroup(u.ctx(), &contactsv1.DeleteGroupRequest{Group: "g"})
	fails(t, err, "no_group")
}
