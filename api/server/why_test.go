package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
	"contactsd/transport"
)

func day(hour, minute, second int) time.Time {
	return time.Date(2026, 7, 1, hour, minute, second, 0, time.Local)
}

// What is said of a contact in each situation, word by word.
func TestWhyInSentences(t *testing.T) {
	accepted := contact.View{Status: contact.StatusAccepted, Trust: contact.Paired, Given: contact.PairedDefault, Received: contact.PairedDefault}
	told := relation.Outlook{Heard: true, Told: true, Due: true}
	bob := relation.Contact{ODID: contact.ODID{1}, Name: "bob", View: accepted}
	with := func(view contact.View) relation.Contact { c := bob; c.View = view; return c }
	tcp := transport.Connection{Transport: "tcp", Address: "192.0.2.7:53122", Inbound: true, Since: day(14, 2, 0), Distance: transport.SameNetwork}
	quic := transport.Connection{Transport: "quic", Address: "192.0.2.7:4001", Since: day(14, 4, 30)}
	for _, tt := range []struct {
		name string
		r    reach
		want []string
	}{
		{"connected", reach{Contact: bob, outlook: told, route: transport.Route{Connections: []transport.Connection{tcp}}}, []string{
			"bob is connected since 14:02:00 (3 minutes), over TCP, over the local network: it dialled this device, from 192.0.2.7:53122.",
			"No message waits for it.",
		}},
		{"connected twice, the newest counts", reach{Contact: bob, outlook: told, route: transport.Route{Connections: []transport.Connection{tcp, quic}}}, []string{
			"bob is connected since 14:04:30 (30 seconds), over QUIC: this device dialled it, at 192.0.2.7:4001, and there is another connection.",
			"No message waits for it.",
		}},
		{"connected, and not on terms", reach{
			Contact: bob, route: transport.Route{Connections: []transport.Connection{quic, tcp, tcp}},
			outlook: relation.Outlook{Heard: true, Told: true, Due: true, Failed: 1, Err: errors.New("stream reset")},
		}, []string{
			"bob is connected since 14:02:00 (3 minutes), over TCP, over the local network: it dialled this device, from 192.0.2.7:53122, and there are 2 other connections.",
			"Yet the two can't tell each other what they are to each other: stream reset.",
			"No message waits for it.",
		}},
		{"connected, and no place for the request", reach{
			Contact: with(contact.View{Status: contact.StatusPending, Trust: contact.Untrusted, Given: contact.Messages}), route: transport.Route{Connections: []transport.Connection{quic}},
			outlook: relation.Outlook{Told: true, Due: true, Failed: 2, Err: fmt.Errorf("exchange: %w", relation.ErrLater)},
		}, []string{
			"bob is connected since 14:04:30 (30 seconds), over QUIC: this device dialled it, at 192.0.2.7:4001.",
			"It has no room for more requests now; yours is sent again by itself.",
			"It does not list this device; until it does, messages wait and presence is not shown.",
			"No message waits for it.",
		}},
		{"never reached, no address", reach{Contact: bob, outlook: relation.Outlook{Due: true}}, []string{
			"bob was never reached.",
			"No address of it is known: it has to come by itself or be found on the local network, unless you say where it is (contactsctl add " + bob.ODID.String() + " --at ADDRESS).",
			"No message waits for it.",
		}},
		{"just gone", reach{
			Contact: bob, seen: day(14, 4, 0), route: transport.Route{Known: []transport.Address{"a"}},
			outlook: relation.Outlook{Heard: true, Told: true, Due: true, Next: day(14, 5, 3)},
		}, []string{
			"bob is not connected; it was last heard 1 minute ago, at 14:04:00.",
			"It was not dialled since; 1 address of it is known.",
			"The next attempt is at 14:05:03, in 3 seconds.",
			"No message waits for it.",
		}},
		{"gone for long, messages wait", reach{
			Contact: bob, seen: day(-34, 5, 0), queued: 3, waiting: "unreachable since 14:02, next try 14:09",
			route:   transport.Route{Known: []transport.Address{"a", "b"}, FailedAt: day(14, 4, 2), Why: "nothing listens at 192.0.2.7:4001 (tcp)"},
			outlook: relation.Outlook{Heard: true, Told: true, Due: true, Failed: 9, Next: day(14, 19, 0)},
		}, []string{
			"bob is not connected; it was last heard 2 days ago, at 2026-06-29 14:05.",
			"Dialling it failed at 14:04:02: nothing listens at 192.0.2.7:4001 (tcp).",
			"The next attempt is at 14:19:00, in 14 minutes, after 9 that failed.",
			"3 messages wait for it, the first: unreachable since 14:02, next try 14:09.",
		}},
		{"being tried, one message", reach{
			Contact: bob, queued: 1, waiting: "trying to reach the contact", route: transport.Route{Known: []transport.Address{"a"}},
			outlook: relation.Outlook{Heard: true, Trying: true},
		}, []string{
			"bob is not connected.",
			"It was not dialled since; 1 address of it is known.",
			"An attempt is under way.",
			"1 message waits for it: trying to reach the contact.",
		}},
		{"due now", reach{Contact: bob, outlook: relation.Outlook{Heard: true, Next: day(14, 4, 0)}, route: transport.Route{FailedAt: day(14, 4, 0), Why: "no answer in time", Known: []transport.Address{"a"}}}, []string{
			"bob is not connected.",
			"Dialling it failed at 14:04:00: no answer in time.",
			"The next attempt comes now.",
			"No message waits for it.",
		}},
		{"left", reach{Contact: with(contact.View{Status: contact.StatusPending, Left: true}), outlook: relation.Outlook{Told: true}, route: transport.Route{Connections: []transport.Connection{tcp}}}, []string{
			"bob is connected since 14:02:00 (3 minutes), over TCP, over the local network: it dialled this device, from 192.0.2.7:53122.",
			"It removed this device.",
			"It does not list this device; until it does, messages wait and presence is not shown.",
			"No message waits for it.",
		}},
		{"left, and asks to part", reach{Contact: with(contact.View{Status: contact.StatusPending, Left: true, Parts: true}), outlook: relation.Outlook{Told: true}, queued: 1, waiting: "the contact removed you", route: transport.Route{Connections: []transport.Connection{tcp}}}, []string{
			"bob is connected since 14:02:00 (3 minutes), over TCP, over the local network: it dialled this device, from 192.0.2.7:53122.",
			"It removed this device and asks you to remove it as well.",
			"It does not list this device; until it does, messages wait and presence is not shown.",
			"1 message waits for it: the contact removed you.",
		}},
		{"pending, told", reach{Contact: with(contact.View{Status: contact.StatusPending}), outlook: relation.Outlook{Told: true, Due: true}, queued: 1001, waiting: "not accepted yet", route: transport.Route{Connections: []transport.Connection{tcp}}}, []string{
			"bob is connected since 14:02:00 (3 minutes), over TCP, over the local network: it dialled this device, from 192.0.2.7:53122.",
			"It does not list this device; until it does, messages wait and presence is not shown.",
			"1001 messages wait for it, the first: not accepted yet.",
		}},
		{"pending, not told", reach{Contact: with(contact.View{Status: contact.StatusPending}), outlook: relation.Outlook{Due: true}, route: transport.Route{Known: []transport.Address{"a"}}}, []string{
			"bob was never reached.",
			"It was not dialled since; 1 address of it is known.",
			"It does not know yet that this device added it; until it lists this one, messages wait and presence is not shown.",
			"No message waits for it.",
		}},
		{"narrowed on both sides", reach{
			Contact: with(contact.View{Status: contact.StatusAccepted, Given: contact.Presence, Received: contact.Messages}),
			outlook: told, route: transport.Route{Connections: []transport.Connection{quic}},
		}, []string{
			"bob is connected since 14:04:30 (30 seconds), over QUIC: this device dialled it, at 192.0.2.7:4001.",
			"It does not show you its presence.",
			"You take no messages from it.",
			"No message waits for it.",
		}},
		{"nothing granted", reach{
			Contact: with(contact.View{Status: contact.StatusAccepted}), outlook: told, route: transport.Route{Connections: []transport.Connection{quic}},
		}, []string{
			"bob is connected since 14:04:30 (30 seconds), over QUIC: this device dialled it, at 192.0.2.7:4001.",
			"It takes no messages from you and does not show you its presence.",
			"You take no messages from it and do not show it your presence.",
			"No message waits for it.",
		}},
		{"blocked, does not know", reach{
			Contact: with(contact.View{Status: contact.StatusBlocked}), queued: 2, waiting: "blocked by you",
			outlook: relation.Outlook{Heard: true, Due: true, Failed: 1, Next: day(14, 6, 0)},
			route:   transport.Route{FailedAt: day(14, 4, 0), Why: "no answer in time"},
		}, []string{
			"bob is blocked here: nothing of it is taken, and it is told nothing.",
			"It has yet to learn that it is not listed here any more, and is dialled for that alone.",
			"Dialling it failed at 14:04:00: no answer in time.",
			"The next attempt is at 14:06:00, in 1 minute.",
			"2 messages wait for it, the first: blocked by you.",
		}},
		{"blocked, connected", reach{
			Contact: with(contact.View{Status: contact.StatusBlocked}), outlook: relation.Outlook{Heard: true, Told: true},
			route: transport.Route{Connections: []transport.Connection{tcp}},
		}, []string{
			"bob is blocked here: nothing of it is taken, and it is told nothing.",
			"It is connected since 14:02:00 (3 minutes) nevertheless, as any device may be.",
		}},
		{"removed", reach{Contact: with(contact.View{Status: contact.StatusRemoved}), outlook: relation.Outlook{Heard: true, Told: true}}, []string{
			"bob was removed: it is treated as any stranger.",
		}},
		{"no contact", reach{Contact: relation.Contact{ODID: bob.ODID}}, []string{
			bob.ODID.Short() + " is no contact. Add it (contactsctl add " + bob.ODID.String() + "), or pair with it.",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.now = day(14, 5, 0)
			if got := tt.r.why(); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// The same asked of a daemon, before, during and after a contact is there.
func TestExplainContact(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	explain := func(of string) *contactsv1.ExplainContactResponse {
		t.Helper()
		r, err := ada.Contacts().ExplainContact(ada.ctx(), &contactsv1.ExplainContactRequest{Contact: of})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := explain(bob.odid); r.Relation != "none" || r.Connected || r.Odid != bob.odid || !strings.Contains(r.Why[0], "is no contact") {
		t.Errorf("of a stranger: %v", r)
	}
	ada.pair(bob)
	r := explain("bob")
	if !r.Connected || len(r.Connections) != 1 || r.Trust != "paired" || r.Relation != "accepted" || r.Queued != 0 || r.NextAttempt != nil {
		t.Fatalf("of a connected contact: %v", r)
	}
	if c := r.Connections[0]; c.Transport != "memory" || c.Direction != "in" || c.Distance != "machine" || c.Address == "" || c.Since == nil {
		t.Errorf("connection %v", c)
	}
	if err := bob.halt(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if _, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: "bob", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	tick, inTime := time.NewTicker(time.Millisecond), ada.ctx()
	defer tick.Stop()
	for r = explain("bob"); r.Connected || r.FailedAt == nil; r = explain("bob") {
		select {
		case <-tick.C:
		case <-inTime.Done():
			t.Fatalf("of one that has gone: %v", r)
		}
	}
	if r.Failure != "nobody is there" || r.Queued != 2 || r.Waiting == "" || len(r.Addresses) != 1 || len(r.Connections) != 0 {
		t.Errorf("of one that has gone: %v", r)
	}
	if _, err := ada.Contacts().BlockContacts(ada.ctx(), &contactsv1.BlockContactsRequest{Contacts: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	if r := explain("bob"); r.Relation != "blocked" || r.Trust != "untrusted" || !strings.Contains(r.Why[0], "blocked") {
		t.Errorf("of a blocked device: %v", r)
	}
	_, err := ada.Contacts().ExplainContact(ada.ctx(), &contactsv1.ExplainContactRequest{Contact: ada.odid})
	fails(t, err, "self")
	_, err = ada.Contacts().ExplainContact(ada.ctx(), &contactsv1.ExplainContactRequest{Contact: "nobody"})
	fails(t, err, "no_contact")
}
