package server

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"google.golang.org/protobuf/proto"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/identity"
)

func newID(t *testing.T) string {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// stranger is the ODID of a device that is nowhere.
func stranger(t *testing.T) string {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id.Self().String()
}

func (u *user) add(odid, remark string) {
	u.t.Helper()
	if _, err := u.Contacts().AddContact(u.ctx(), &contactsv1.AddContactRequest{Odid: odid, Remark: remark}); err != nil {
		u.t.Fatal(err)
	}
}

func TestPairWriteAndFollow(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	watch, err := bob.Events().WatchEvents(bob.ctx(), &contactsv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	if !watch.Receive() || watch.Msg().Event != nil {
		t.Fatalf("first answer %v, %v", watch.Msg(), watch.Err())
	}
	id := newID(t)
	for range 2 { // a retry changes nothing
		sent, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Id: id, Contact: "bob", Text: "see you at six"})
		if err != nil || sent.Id != id {
			t.Fatalf("%v, %v", sent, err)
		}
	}
	_, err = ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Id: id, Contact: "bob", Text: "at seven"})
	fails(t, err, "id_conflict")
	for watch.Receive() {
		if e := watch.Msg().Event; e.Type == "message.received" {
			if e.Id != id || e.Contact != ada.odid || e.Cursor == "" {
				t.Errorf("event %v", e)
			}
			break
		}
	}
	got, err := bob.Messages().ListMessages(bob.ctx(), &contactsv1.ListMessagesRequest{Contact: "ada"})
	if err != nil || len(got.Messages) != 1 || got.Messages[0].Text != "see you at six" || got.Messages[0].State != "received" {
		t.Errorf("history %v, %v", got, err)
	}
}

func TestManyMessagesAtOnce(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	ids := []string{newID(t), newID(t)}
	req := &contactsv1.SendManyRequest{Messages: []*contactsv1.SendMessageRequest{
		{Id: ids[0], Contact: "bob", Text: "one"},
		{Contact: "nobody", Text: "lost"},
		{Id: "7", Contact: "bob", Text: "without an id"},
		{Id: ids[1], Contact: bob.odid, Text: "two"},
		{Id: ids[0], Contact: "bob", Text: "another"},
		{Contact: "bob", Text: strings.Repeat("x", 64<<10+1)},
		{Contact: "bob", Text: "three"},
	}}
	r, err := ada.Messages().SendMany(ada.ctx(), req)
	if err != nil || len(r.Results) != len(req.Messages) {
		t.Fatalf("%v, %v", r, err)
	}
	for i, reason := range []string{"", "no_contact", "invalid", "", "id_conflict", "limit", ""} {
		got := r.Results[i]
		if got.Ok != (reason == "") || got.Reason != reason || got.Ok != (got.State == "queued") || got.Ok != (got.Error == "") || got.Ok && got.Id == "" {
			t.Errorf("result %d: %v, want reason %q", i, got, reason)
		}
	}
	bob.until("three messages", func() bool {
		got, err := bob.Messages().ListMessages(bob.ctx(), &contactsv1.ListMessagesRequest{Contact: "ada"})
		return err == nil && len(got.Messages) == 3 && got.Messages[2].Text == "three"
	})
	_, err = ada.Messages().SendMany(ada.ctx(), &contactsv1.SendManyRequest{Messages: make([]*contactsv1.SendMessageRequest, 1001)})
	if e := client.Explain(err); e == nil || e.Limit != "1000 items" || e.Field != "messages" {
		t.Errorf("too many: %+v", e)
	}
}

func TestPresenceIsWatched(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	watch, err := bob.Presence().WatchPresence(bob.ctx(), &contactsv1.WatchPresenceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	if !watch.Receive() || watch.Msg().Contact != ada.odid {
		t.Fatalf("first %v, %v", watch.Msg(), watch.Err())
	}
	if _, err := ada.Presence().SetPresence(ada.ctx(), &contactsv1.SetPresenceRequest{State: "busy", Text: "until six"}); err != nil {
		t.Fatal(err)
	}
	for watch.Receive() {
		if p := watch.Msg().Presence; p.State == "busy" {
			if p.Text != "until six" || p.Since == nil || p.LastSeen == nil {
				t.Errorf("presence %v", p)
			}
			break
		}
	}
	if err := watch.Err(); err != nil {
		t.Error(err)
	}
	mine, err := ada.Presence().SetPresence(ada.ctx(), &contactsv1.SetPresenceRequest{State: "invisible"})
	if err != nil || mine.Presence.State != "invisible" {
		t.Errorf("own %v, %v", mine, err)
	}
}

func TestContactLifeCycle(t *testing.T) {
	u := newWorld(t).user("ada")
	peer := stranger(t)
	for range 2 { // adding again changes nothing
		r, err := u.Contacts().AddContact(u.ctx(), &contactsv1.AddContactRequest{Odid: peer, Remark: "Bob"})
		if err != nil {
			t.Fatal(err)
		}
		c := r.Contact
		if c.Trust != "untrusted" || c.Relation != "pending" || c.Source != "odid" || c.AddedAt == nil ||
			!slices.Equal(c.PermissionsGiven, []string{"messages"}) || c.Presence.State != "unknown" {
			t.Errorf("added %v", c)
		}
	}
	remark := "Robert"
	if r, err := u.Contacts().SetContact(u.ctx(), &contactsv1.SetContactRequest{Contact: "bob", Remark: &remark}); err != nil || r.Contact.Remark != remark {
		t.Errorf("set: %v, %v", r, err)
	}
	p, err := u.Contacts().NarrowPermissions(u.ctx(), &contactsv1.NarrowPermissionsRequest{Contact: "robert", Permissions: []string{"messages"}})
	if err != nil || len(p.Permissions.PermissionsGiven) != 0 {
		t.Errorf("narrow: %v, %v", p, err)
	}
	_, err = u.Messages().SendMessage(u.ctx(), &contactsv1.SendMessageRequest{Contact: "robert", Text: "wait for it"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := u.Messages().ListOutbox(u.ctx(), &contactsv1.ListOutboxRequest{})
	if err != nil || len(out.Messages) != 1 || out.Messages[0].Waiting == "" {
		t.Fatalf("outbox %v, %v", out, err)
	}
	queues, err := u.Messages().ListQueues(u.ctx(), &contactsv1.ListQueuesRequest{})
	if err != nil || len(queues.Queues) != 1 || queues.Queues[0].Messages != 1 || queues.Queues[0].Waiting != out.Messages[0].Waiting {
		t.Errorf("queues %v, %v", queues, err)
	}
	one, err := u.Messages().ListQueues(u.ctx(), &contactsv1.ListQueuesRequest{Contact: "robert"})
	if err != nil || !proto.Equal(one, queues) {
		t.Errorf("queue of one %v, %v; want %v", one, err, queues)
	}
	cancelled, err := u.Messages().CancelMessage(u.ctx(), &contactsv1.CancelMessageRequest{Id: out.Messages[0].Id})
	if err != nil || cancelled.Message.State != "cancelled" {
		t.Errorf("cancel: %v, %v", cancelled, err)
	}
	many, err := u.Messages().CancelMessages(u.ctx(), &contactsv1.CancelMessagesRequest{Ids: []string{"x", out.Messages[0].Id, "01a20060-0000-7000-8000-000000000000"}})
	if err != nil || len(many.Results) != 3 {
		t.Fatalf("cancel many: %v, %v", many, err)
	}
	for i, want := range []string{"invalid", "too_late", "no_message"} {
		if r := many.Results[i]; r.Ok || r.Reason != want || r.Error == "" {
			t.Errorf("cancel many, %d: %v, want %s", i, r, want)
		}
	}
	removed, err := u.Contacts().RemoveContacts(u.ctx(), &contactsv1.RemoveContactsRequest{Contacts: []string{"nobody", "robert"}})
	if err != nil || len(removed.Results) != 2 || removed.Results[0].Ok || removed.Results[0].Error == "" || !removed.Results[1].Ok {
		t.Errorf("remove: %v, %v", removed, err)
	}
	for all, want := range map[bool]int{false: 0, true: 1} {
		if r, err := u.Contacts().ListContacts(u.ctx(), &contactsv1.ListContactsRequest{All: all}); err != nil || len(r.Contacts) != want {
			t.Errorf("all %v: %v, %v", all, r, err)
		}
	}
}

func TestListIsPagedSortedAndFiltered(t *testing.T) {
	u := newWorld(t).user("ada")
	const n = 25
	for i := range n {
		u.add(stranger(t), fmt.Sprintf("Contact %02d", i*7%n))
	}
	titles := func(req *contactsv1.ListContactsRequest) (all []string) {
		t.Helper()
		for pages := 0; ; pages++ {
			r, err := u.Contacts().ListContacts(u.ctx(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Contacts {
				all = append(all, c.Remark)
			}
			if req.PageToken = r.NextPageToken; req.PageToken == "" || pages > n {
				return all
			}
		}
	}
	byName := titles(&contactsv1.ListContactsRequest{PageSize: 7})
	if len(byName) != n || !slices.IsSorted(byName) {
		t.Errorf("by name: %v", byName)
	}
	byAdded := titles(&contactsv1.ListContactsRequest{PageSize: 4, Sort: "-added"})
	if len(byAdded) != n || byAdded[n-1] != "Contact 00" || slices.IsSorted(byAdded) {
		t.Errorf("by time added: %v", byAdded)
	}
	if got := titles(&contactsv1.ListContactsRequest{Filter: `"TACT 1"`}); len(got) != 10 {
		t.Errorf("filter: %v", got)
	}
	if got := titles(&contactsv1.ListContactsRequest{Filter: "trust:paired"}); len(got) != 0 {
		t.Errorf("filter by trust: %v", got)
	}
	first, err := u.Contacts().ListContacts(u.ctx(), &contactsv1.ListContactsRequest{PageSize: 5})
	if err != nil || first.Total != n {
		t.Fatal(first, err)
	}
	// The contact at which the page ended goes away: the next page skips nobody.
	if _, err := u.Contacts().RemoveContacts(u.ctx(), &contactsv1.RemoveContactsRequest{Contacts: []string{"Contact 04"}}); err != nil {
		t.Fatal(err)
	}
	u.add(stranger(t), "Contact 000")
	second, err := u.Contacts().ListContacts(u.ctx(), &contactsv1.ListContactsRequest{PageSize: 5, PageToken: first.NextPageToken})
	if err != nil || second.Contacts[0].Remark != "Contact 05" {
		t.Errorf("second page begins with %v, %v", second.GetContacts()[0].Remark, err)
	}
	for _, req := range []*contactsv1.ListContactsRequest{{Sort: "size"}, {Filter: "color:red"}, {PageToken: "7"}, {PageToken: "-1:" + u.odid}} {
		_, err := u.Contacts().ListContacts(u.ctx(), req)
		fails(t, err, "invalid")
	}
}

func TestEventsGoOnFromACursor(t *testing.T) {
	u := newWorld(t).user("ada")
	for i := range 5 {
		u.add(stranger(t), fmt.Sprint("contact ", i))
	}
	all, err := u.Events().ListEvents(u.ctx(), &contactsv1.ListEventsRequest{After: "0"})
	if err != nil || len(all.Events) < 5 {
		t.Fatalf("%v, %v", all, err)
	}
	tail, err := u.Events().ListEvents(u.ctx(), &contactsv1.ListEventsRequest{After: all.Events[1].Cursor, PageSize: 2})
	if err != nil || len(tail.Events) != 2 || tail.Events[0].Cursor != all.Events[2].Cursor || tail.Cursor != all.Events[3].Cursor {
		t.Errorf("%v, %v", tail, err)
	}
	newest, err := u.Events().ListEvents(u.ctx(), &contactsv1.ListEventsRequest{PageSize: 2})
	if err != nil || len(newest.Events) != 2 || newest.Cursor != all.Cursor {
		t.Errorf("%v, %v", newest, err)
	}
	_, err = u.Events().ListEvents(u.ctx(), &contactsv1.ListEventsRequest{After: "9999"})
	fails(t, err, "cursor")
	_, err = u.Events().ListEvents(u.ctx(), &contactsv1.ListEventsRequest{After: "yesterday"})
	fails(t, err, "invalid")
	watch, err := u.Events().WatchEvents(u.ctx(), &contactsv1.WatchEventsRequest{After: "9999"})
	if err == nil {
		watch.Receive()
		err = watch.Err()
	}
	fails(t, err, "cursor")
	if code := client.Explain(err).Code.String(); code != "out_of_range" {
		t.Errorf("code %s", code)
	}
}

// sse opens the stream of server-sent events and returns its lines.
func (u *user) sse(ctx context.Context, query string, header ...string) (*http.Response, *bufio.Scanner) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/v1/events"+query, nil)
	if err != nil {
		u.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := u.overSocket().Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { res.Body.Close() })
	return res, bufio.NewScanner(res.Body)
}

func nextID(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			return id
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return ""
}

func TestServerSentEventsResume(t *testing.T) {
	u := newWorld(t).user("ada")
	u.add(stranger(t), "one")
	u.add(stranger(t), "two")
	res, lines := u.sse(u.ctx(), "?after=0")
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	first, second := nextID(t, lines), nextID(t, lines)
	_, again := u.sse(u.ctx(), "", "Last-Event-ID", first)
	if got := nextID(t, again); got != second {
		t.Errorf("goes on with %s, want %s", got, second)
	}
	_, live := u.sse(u.ctx(), "")
	live.Scan() // the comment that says that the stream stands
	u.add(stranger(t), "three")
	if newest := nextID(t, live); newest <= second {
		t.Errorf("live event %s", newest)
	}
	if status, body := u.raw("GET", "/v1/events?after=9999", ""); status != 400 || !strings.Contains(body, "out_of_range") {
		t.Errorf("cursor ahead: %d %s", status, body)
	}
	if status, _ := u.raw("POST", "/v1/events", ""); status != 405 {
		t.Errorf("POST: %d", status)
	}
}

func TestSlowWatcherGetsTheLatestPresenceOfEach(t *testing.T) {
	w := newWorld(t)
	u := w.user("ada")
	l, cancel := u.server.watchPresence()
	defer cancel()
	a, b := identityOf(t), identityOf(t)
	for range 1000 {
		l.put(a, presenceNamed("online"))
		l.put(b, presenceNamed("online"))
		l.put(a, presenceNamed("busy"))
	}
	got := l.take()
	if len(got) != 2 || got[0].peer != a || got[0].presence.State.String() != "busy" || got[1].peer != b {
		t.Errorf("got %v", got)
	}
	if len(l.take()) != 0 {
		t.Error("a change is told twice")
	}
}
