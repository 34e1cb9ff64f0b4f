package server

import (
	"slices"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/contact"
	"contactsd/internal/asker"
	"contactsd/relation"
)

// asked has so many strangers ask u.
func (u *user) asked(many int) (odids []string) {
	u.t.Helper()
	if err := u.node.SetPolicy(map[string]string{"max-waiting": "10000", "stamps": "0"}); err != nil {
		u.t.Fatal(err)
	}
	for n := range uint32(many) {
		if err := asker.Ask(u.ctx(), u.node.Relation, u.id.Self(), n, contact.Messages|contact.Audio, "May I?"); err != nil {
			u.t.Fatal(err)
		}
		odid, err := asker.ODID(n)
		if err != nil {
			u.t.Fatal(err)
		}
		odids = append(odids, odid.String())
	}
	return odids
}

func (u *user) requests(req *contactsv1.ListRequestsRequest) *contactsv1.ListRequestsResponse {
	u.t.Helper()
	r, err := u.Requests().ListRequests(u.ctx(), req)
	if err != nil {
		u.t.Fatal(err)
	}
	return r
}

func (u *user) answer(req *contactsv1.AnswerRequestsRequest) []*contactsv1.Result {
	u.t.Helper()
	r, err := u.Requests().AnswerRequests(u.ctx(), req)
	if err != nil {
		u.t.Fatal(err)
	}
	return r.Results
}

func TestRequestsAreListedInPages(t *testing.T) {
	u := newWorld(t).user("ada")
	odids := u.asked(7)
	seen := make(map[string]bool)
	req := &contactsv1.ListRequestsRequest{PageSize: 3}
	for page := 0; page == 0 || req.PageToken != ""; page++ {
		r := u.requests(req)
		for _, q := range r.Requests {
			if seen[q.Odid] || !slices.Contains(odids, q.Odid) || q.Wording != "May I?" || q.State != "waiting" || q.Direction != "in" || q.Contact || !strings.HasPrefix(q.Name, "stranger ") {
				t.Errorf("%v", q)
			}
			seen[q.Odid] = true
		}
		if page == 0 { // what is answered meanwhile does not hide others
			last := r.Requests[len(r.Requests)-1].Id
			if got := u.answer(&contactsv1.AnswerRequestsRequest{Requests: []string{last}, Answer: "reject"}); !got[0].Ok {
				t.Fatal(got)
			}
		}
		req.PageToken = r.NextPageToken
	}
	if len(seen) != 7 {
		t.Errorf("%d of 7", len(seen))
	}
	s, err := u.Device().GetStatus(u.ctx(), &contactsv1.GetStatusRequest{})
	if err != nil || s.Requests != 6 {
		t.Errorf("%v, %v", s, err)
	}
}

func TestRequestsAreAnsweredEachOnItsOwn(t *testing.T) {
	u := newWorld(t).user("ada")
	odids := u.asked(4)
	got := u.answer(&contactsv1.AnswerRequestsRequest{Requests: []string{odids[0], "nobody", odids[1][:20], odids[0]}, Answer: "accept", Permissions: []string{"messages"}})
	for i, ok := range []bool{true, false, true, false} {
		if got[i].Ok != ok || ok == (got[i].Error != "") {
			t.Errorf("item %d: %v", i, got[i])
		}
	}
	c, err := u.Contacts().GetContact(u.ctx(), &contactsv1.GetContactRequest{Contact: odids[0]})
	if err != nil || c.Contact.Source != "request" || c.Contact.Name != "stranger 0" || !slices.Equal(c.Contact.PermissionsGiven, []string{"messages"}) {
		t.Errorf("%v, %v", c, err)
	}
	if got := u.answer(&contactsv1.AnswerRequestsRequest{All: true, Answer: "block"}); len(got) != 2 || !got[0].Ok || !got[1].Ok {
		t.Errorf("%v", got)
	}
	if r := u.requests(&contactsv1.ListRequestsRequest{}); len(r.Requests) != 0 || r.Total != 0 {
		t.Errorf("%v", r)
	}
}

func TestAskingAContact(t *testing.T) {
	w := newWorld(t)
	u := w.user("ada")
	bob := stranger(t)
	u.add(bob, "Bob")
	ask := &contactsv1.AskContactRequest{Contact: "bob", Permissions: []string{"audio"}, Wording: "May I call?"}
	var ids []string
	for range 2 { // again changes nothing
		r, err := u.Requests().AskContact(u.ctx(), ask)
		if err != nil || r.Request.State != "queued" || r.Request.Direction != "out" || !r.Request.Contact || r.Request.Name != "Bob" {
			t.Fatalf("%v, %v", r, err)
		}
		ids = append(ids, r.Request.Id)
	}
	out := u.requests(&contactsv1.ListRequestsRequest{Direction: "out"})
	if len(out.Requests) != 1 || ids[0] != ids[1] || out.Requests[0].Id != ids[0] {
		t.Errorf("%v, %v", ids, out)
	}
	if _, err := u.Requests().CancelRequest(u.ctx(), &contactsv1.CancelRequestRequest{Contact: "bob"}); err != nil {
		t.Fatal(err)
	}
	_, err := u.Requests().CancelRequest(u.ctx(), &contactsv1.CancelRequestRequest{Contact: "bob"})
	if client.Reason(err) != "no_request" {
		t.Errorf("once more: %v", err)
	}
}

func TestStateOfARequest(t *testing.T) {
	for _, test := range []struct {
		r                relation.Request
		direction, state string
	}{
		{relation.Request{Incoming: true, Told: true}, "in", "waiting"},
		{relation.Request{}, "out", "queued"},
		{relation.Request{Told: true}, "out", "sent"},
		{relation.Request{Told: true, Later: true}, "out", "later"},
		{relation.Request{Later: true}, "out", "later"},
	} {
		if got := requestOf(test.r); got.Direction != test.direction || got.State != test.state {
			t.Errorf("%+v is %s, %s", test.r, got.Direction, got.State)
		}
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	u := newWorld(t).user("ada")
	u.add(stranger(t), "Bob")
	long := strings.Repeat("x", 101)
	ask := func(contact, wording string, permissions ...string) error {
		_, err := u.Requests().AskContact(u.ctx(), &contactsv1.AskContactRequest{Contact: contact, Wording: wording, Permissions: permissions})
		return err
	}
	answer := func(req *contactsv1.AnswerRequestsRequest) error {
		_, err := u.Requests().AnswerRequests(u.ctx(), req)
		return err
	}
	list := func(req *contactsv1.ListRequestsRequest) error {
		_, err := u.Requests().ListRequests(u.ctx(), req)
		return err
	}
	add := func(wording string, permissions ...string) error {
		_, err := u.Contacts().AddContact(u.ctx(), &contactsv1.AddContactRequest{Odid: stranger(t), Wording: wording, Ask: permissions})
		return err
	}
	for name, test := range map[string]struct {
		err           error
		reason, field string
	}{
		"ask without a wording":      {ask("bob", "", "audio"), "invalid", "wording"},
		"ask with a long wording":    {ask("bob", long, "audio"), "limit", "wording"},
		"ask with many bytes":        {ask("bob", strings.Repeat("😀", 65), "audio"), "limit", "wording"},
		"ask with a control":         {ask("bob", "a\x1bb", "audio"), "invalid", "wording"},
		"ask for nothing":            {ask("bob", "May I?"), "invalid", "permissions"},
		"ask for what there is not":  {ask("bob", "May I?", "flying"), "invalid", "permissions"},
		"ask nobody":                 {ask("nobody", "May I?", "audio"), "no_contact", "contact"},
		"add with a long wording":    {add(long), "limit", "wording"},
		"add without a wording":      {add("", "audio"), "invalid", "wording"},
		"add for what there is not":  {add("May I?", "flying"), "invalid", "ask"},
		"answer unknown":             {answer(&contactsv1.AnswerRequestsRequest{All: true, Answer: "maybe"}), "invalid", "answer"},
		"answer all and some":        {answer(&contactsv1.AnswerRequestsRequest{All: true, Requests: []string{"x"}, Answer: "accept"}), "invalid", "all"},
		"reject with permissions":    {answer(&contactsv1.AnswerRequestsRequest{All: true, Answer: "reject", Permissions: []string{"audio"}}), "invalid", "permissions"},
		"accept with none":           {answer(&contactsv1.AnswerRequestsRequest{All: true, Answer: "accept", Permissions: []string{","}}), "invalid", "permissions"},
		"answer too many":            {answer(&contactsv1.AnswerRequestsRequest{Requests: make([]string, 1001), Answer: "accept"}), "limit", "requests"},
		"list of another direction":  {list(&contactsv1.ListRequestsRequest{Direction: "up"}), "invalid", "direction"},
		"list with a bad page token": {list(&contactsv1.ListRequestsRequest{PageToken: "0:x"}), "invalid", "page_token"},
	} {
		if got := client.Explain(test.err); got.Reason != test.reason || got.Field != test.field {
			t.Errorf("%s: %q of %q (%v), want %q of %q", name, got.Reason, got.Field, test.err, test.reason, test.field)
		}
	}
}

// TestEachEventOfABulkAnswerIsSeenOnce: a client that reads the events of a bulk
// answer, goes away in the middle and comes back with its cursor misses none, and
// sees none twice.
func TestEachEventOfABulkAnswerIsSeenOnce(t *testing.T) {
	u := newWorld(t).user("ada")
	odids := u.asked(1100)
	if err := u.node.SetPolicy(map[string]string{"max-untrusted": "2000"}); err != nil {
		t.Fatal(err)
	}
	before, err := u.node.DB.Cursor()
	if err != nil {
		t.Fatal(err)
	}
	if got := u.answer(&contactsv1.AnswerRequestsRequest{All: true, Answer: "accept"}); len(got) != len(odids) {
		t.Fatalf("%d answered", len(got))
	}
	newest, err := u.node.DB.Cursor()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	cursor, reads := cursorText(before), 0
	for stop := 1; cursor != cursorText(newest); stop++ {
		stream, err := u.Events().WatchEvents(u.ctx(), &contactsv1.WatchEventsRequest{After: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 300+stop && cursor != cursorText(newest) && stream.Receive(); n++ {
			m := stream.Msg()
			cursor = m.Cursor
			if m.Event != nil {
				seen[m.Event.Type+" "+m.Event.Contact]++
			}
		}
		stream.Close()
		if reads++; reads == 2 {
			u.restart()
		}
	}
	for _, odid := range odids {
		for _, kind := range []string{"contact.added ", "request.accepted "} {
			if n := seen[kind+odid]; n != 1 {
				t.Fatalf("%s%s was seen %d times", kind, odid, n)
			}
		}
	}
	if reads < 3 {
		t.Errorf("read in %d parts", reads)
	}
}
