package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
)

func TestEveryWaitIsExplained(t *testing.T) {
	now := time.Date(2026, 3, 14, 14, 30, 0, 0, time.Local)
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 14, hour, minute, 0, 0, time.Local) }
	fresh := pending{Queued: millis(at(14, 1))}
	numbered := pending{Queued: fresh.Queued, Seq: 7}
	taken := pending{Queued: fresh.Queued, Seq: 7, Cancel: true}
	old := pending{Queued: millis(now.Add(lastDays - Keep))}
	ancient := pending{Queued: millis(now.Add(-Keep))}
	failed := standing{due: at(14, 35), attempts: 3, since: at(14, 2), trouble: "unreachable"}
	in := func(s standing, f func(*standing)) standing { f(&s); return s }
	view := func(v contact.Status, p contact.Permissions) contact.View {
		return contact.View{Status: v, Received: p}
	}
	for _, c := range []struct {
		name string
		wait wait
		want string
	}{
		// What stands between the two comes first, whatever the delivery does.
		{"unknown", wait{entry: fresh}, "no longer a contact"},
		{"removed", wait{view: view(contact.StatusRemoved, contact.AllPermissions), entry: fresh}, "no longer a contact"},
		{"blocked", wait{view: view(contact.StatusBlocked, contact.AllPermissions), entry: fresh}, "blocked by you"},
		{"reported", wait{view: view(contact.StatusReported, contact.AllPermissions), entry: fresh, ahead: 2}, "blocked by you; 2 messages before it"},
		{"left", wait{view: contact.View{Status: contact.StatusPending, Left: true}, entry: fresh}, "the contact removed you"},
		{"pending", wait{view: view(contact.StatusPending, contact.NoPermissions), entry: fresh}, "not accepted yet"},
		{"it asks", wait{view: contact.View{Status: contact.StatusPending, Incoming: true}, entry: fresh}, "no longer a contact"},
		{"narrowed", wait{view: view(contact.StatusAccepted, contact.Presence), entry: fresh, standing: failed}, "the contact does not allow messages"},

		{"nobody has looked", wait{view: accepted, entry: fresh, standing: standing{none: true}}, "about to be tried"},
		{"nobody has since a start", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.none = true })}, "unreachable since 14:02, next try 14:35"},
		{"due", wait{view: accepted, entry: fresh}, "about to be tried"},
		{"due, third of its queue", wait{view: accepted, entry: fresh, ahead: 2}, "about to be tried; 2 messages before it"},
		{"failed", wait{view: accepted, entry: fresh, standing: failed}, "unreachable since 14:02, next try 14:35"},
		{"failed, and due", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.due = now })}, "unreachable since 14:02, next try now"},
		{"failed long ago", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.since = at(14, 2).AddDate(0, 0, -2) })}, "unreachable since 2026-03-12 14:02, next try 14:35"},
		{"failed, second of its queue", wait{view: accepted, entry: fresh, ahead: 1, standing: failed}, "unreachable since 14:02, next try 14:35; 1 message before it"},
		{"failed, nobody knows how", wait{view: accepted, entry: fresh, standing: standing{attempts: 1, due: at(14, 35)}}, "interrupted, next try 14:35"},
		{"away", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.hold = holdAway })}, "nobody knows where the contact is: waiting for it to connect"},
		{"was closed, and is not", wait{view: accepted, entry: fresh, standing: standing{hold: holdClosed}}, "about to be tried"},

		{"alone in the backlog", wait{view: accepted, entry: fresh, standing: standing{phase: phaseBacklog, turns: 1}}, "waiting for its turn to be tried"},
		{"in the backlog", wait{view: accepted, entry: fresh, standing: standing{phase: phaseBacklog, turns: 12}}, "waiting for its turn to be tried, one of 12 contacts"},
		{"in the backlog again", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.phase, s.turns = phaseBacklog, 12 })}, "unreachable since 14:02, waiting for its turn to be tried, one of 12 contacts"},

		{"dialled", wait{view: accepted, entry: fresh, standing: standing{phase: phaseActive, opening: true}}, "trying to reach the contact"},
		{"dialled again", wait{view: accepted, entry: fresh, standing: in(failed, func(s *standing) { s.phase, s.opening = phaseActive, true })}, "unreachable since 14:02, trying again now"},
		{"first on an open stream", wait{view: accepted, entry: fresh, standing: standing{phase: phaseActive}}, "about to be sent"},
		{"behind others", wait{view: accepted, entry: fresh, ahead: 1204, standing: standing{phase: phaseActive}}, "behind 1204 messages on the way"},
		{"sent", wait{view: accepted, entry: numbered, ahead: 3, standing: standing{phase: phaseActive}}, "on its way, not confirmed yet"},

		{"cancelled", wait{view: accepted, entry: taken, standing: failed}, "being cancelled: it was sent already, waiting to learn whether it arrived"},
		{"cancelled on an open stream", wait{view: accepted, entry: taken, standing: standing{phase: phaseActive}}, "being cancelled: it was sent already, waiting to learn whether it arrived"},

		{"soon too old", wait{view: accepted, entry: old, standing: failed}, "unreachable since 14:02, next try 14:35; given up 2026-03-17 14:30"},
		{"soon too old, not first", wait{view: accepted, entry: old, ahead: 1, standing: failed}, "unreachable since 14:02, next try 14:35; 1 message before it; given up 2026-03-17 14:30"},
		{"too old", wait{view: accepted, entry: ancient, standing: failed}, "too old: it is about to be given up"},
	} {
		if got := c.wait.words(now); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever a lane and a relation are, there are words for it, and none says what
// can't be read.
func TestNoWaitIsWithoutWords(t *testing.T) {
	now := time.Now()
	for status := contact.Status(0); status <= contact.StatusReported+1; status++ {
		for _, permissions := range []contact.Permissions{contact.NoPermissions, contact.AllPermissions} {
			for _, incoming := range []bool{false, true} {
				for phase := phaseDue; phase <= phaseActive; phase++ {
					for h := holdNone; h <= holdAway; h++ {
						for bits := range 1 << 6 {
							is := func(bit int) bool { return bits>>bit&1 == 1 }
							w := wait{view: contact.View{Status: status, Received: permissions, Incoming: incoming}}
							w.entry.Queued = millis(now)
							w.standing = standing{phase: phase, hold: h, none: is(0), opening: is(1)}
							if is(2) {
								w.attempts, w.since = 1, now
							}
							if is(3) {
								w.entry.Seq, w.entry.Cancel = 1, is(4)
							}
							if is(5) {
								w.ahead = 1
							}
							words := w.words(now)
							if words == "" || strings.Contains(words, "0001") || strings.HasSuffix(words, " ") || strings.Contains(words, "%!") {
								t.Fatalf("%s: %q", fmt.Sprintf("%+v", w), words)
							}
						}
					}
				}
			}
		}
	}
}

func TestTroublesAreNamed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{refusal("not now"), "refused: not now"},
		{deferral("busy"), "put off: busy"},
		{fmt.Errorf("open: %w", errUnlisted), "interrupted"},
	} {
		if got := inWords(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// An outbox of several pages counts on from one to the next.
func TestTheOutboxSaysHowManyGoBefore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.stop()
		carol := newDevice(t, w, 3)
		w.alice.relate(carol, contact.View{Status: contact.StatusPending})
		for _, d := range []*device{w.bob, carol} {
			w.alice.writeAll(d, "to "+d.self.Short(), 5)
		}
		pass(time.Second)
		for limit := 1; limit <= 11; limit++ {
			ahead := make(map[contact.ODID]int)
			for q := (OutboxQuery{Limit: limit}); ; {
				page, err := w.alice.svc.Outbox(q)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page.Messages {
					n := ahead[m.Contact]
					ahead[m.Contact]++
					if says := strings.Contains(m.Waiting, count(n, "message")+" before it"); says != (n > 0) {
						t.Fatalf("pages of %d: message %d of its queue waits because %q", limit, n+1, m.Waiting)
					}
				}
				if q.After = page.Next; q.After == nil {
					break
				}
			}
			if ahead[w.bob.self] != 5 || ahead[carol.self] != 5 {
				t.Fatalf("pages of %d: %v", limit, ahead)
			}
		}
		for _, after := range [][]byte{{1}, make([]byte, queueKey), make([]byte, queueKey+9)} {
			if _, err := w.alice.svc.Outbox(OutboxQuery{After: after}); err == nil {
				t.Errorf("a cursor of %d bytes is taken", len(after))
			}
		}
	})
}

func TestQueuesAreListedInPages(t *testing.T) {
	inCrowd(t, 7, func(t *testing.T, w *world, away []*device) {
		want := make(map[contact.ODID]int)
		for i, d := range away {
			want[d.self] = i + 1
			w.alice.writeAll(d, "hello", i+1)
		}
		pass(time.Minute)
		for limit := 1; limit <= 8; limit++ {
			got, last := make(map[contact.ODID]int), contact.ODID{}
			for after := []byte(nil); ; {
				page, err := w.alice.svc.Queues(after, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range page.Queues {
					if got[q.Contact] = q.Messages; bytes.Compare(q.Contact[:], last[:]) <= 0 || q.Waiting == "" || q.Expires.Sub(q.Oldest) != Keep {
						t.Fatalf("%+v after %s", q, last)
					}
					last = q.Contact
				}
				if after = page.Next; after == nil {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("pages of %d: %v, want %v", limit, got, want)
			}
		}
		if q, err := w.alice.svc.QueueOf(w.bob.self); err != nil || q.Messages != 0 || q.Waiting != "" {
			t.Errorf("of whom nothing waits: %+v, %v", q, err)
		}
		if _, err := w.alice.svc.Queues([]byte{1}, 0); err == nil {
			t.Error("a cursor of a byte is taken")
		}
	})
}
