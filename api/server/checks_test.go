package server

import (
	"fmt"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
)

// A check is a batch: each item for itself, in order, by name or by ODID.
func TestChecksAreABatch(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	stranger := w.user("carl").odid
	check := func(req *contactsv1.CheckContactsRequest) string {
		t.Helper()
		r, err := ada.Checks().CheckContacts(ada.ctx(), req)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for i, c := range r.Results {
			if c.Item != req.Contacts[i] || c.Ok != (c.Error == "") || c.Ok != (c.Odid != "") {
				t.Errorf("%q: %v", req.Contacts[i], c)
			}
			if known := c.Source != "unknown" && c.Ok; known != (c.AsOf != nil) {
				t.Errorf("%q: as of %v", req.Contacts[i], c.AsOf)
			}
			words = append(words, fmt.Sprintf("%s %s", c.Result, c.Source))
		}
		return strings.Join(words, ", ")
	}
	all := []string{"bob", "nobody", bob.odid, stranger, ada.odid, "odid1nonsense"}
	for _, tt := range []struct {
		req  *contactsv1.CheckContactsRequest
		want string
	}{
		{&contactsv1.CheckContactsRequest{}, ""},
		{&contactsv1.CheckContactsRequest{Contacts: all}, "a_with_b own,  , a_with_b own, no_relation own,  ,  "},
		{&contactsv1.CheckContactsRequest{Contacts: all, Both: true, Live: true}, "both_way live,  , both_way live, unknown unknown,  ,  "},
		{&contactsv1.CheckContactsRequest{Contacts: all, Block: true}, "no own,  , no own, no own,  ,  "},
		{&contactsv1.CheckContactsRequest{Contacts: all, Block: true, Both: true}, "unknown unknown,  , unknown unknown, unknown unknown,  ,  "},
	} {
		if got := check(tt.req); got != tt.want {
			t.Errorf("%v:\n got %s\nwant %s", tt.req, got, tt.want)
		}
	}
	_, err := ada.Checks().CheckContacts(ada.ctx(), &contactsv1.CheckContactsRequest{Contacts: make([]string, maxBatch+1)})
	fails(t, err, "limit")
	_, err = ada.Checks().CheckContacts(ada.ctx(), &contactsv1.CheckContactsRequest{Contacts: []string{"bob"}, Live: true})
	fails(t, err, "invalid")
}
