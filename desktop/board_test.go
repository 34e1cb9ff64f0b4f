package desktop

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	contactsv1 "contactsd/api/contacts/v1"
)

func request(id int) notice {
	return requestNotice(&contactsv1.Request{Id: fmt.Sprint(id), Odid: "odid1qxy7abcdefgh"}, true)
}

// take takes the next notice at a time, and puts it on the screen under an id.
func take(t *testing.T, b *board, now time.Time, id uint32) (n notice, replaces uint32) {
	t.Helper()
	n, replaces, ok, _ := b.next(now)
	if !ok {
		t.Fatal("nothing is shown")
	}
	b.on(cmp.Or(replaces, id), n)
	return n, replaces
}

func TestMessagesOfOneContactAreOneNotice(t *testing.T) {
	b, now := newBoard(), time.Unix(0, 0)
	b.put(messageNotice("a", "Ana", true))
	b.put(messageNotice("a", "Ana", true))
	b.put(messageNotice("b", "Bob", true))
	if n, _ := take(t, b, now, 1); n.count != 2 {
		t.Errorf("%d messages, want 2", n.count)
	}
	take(t, b, now, 2)
	b.put(messageNotice("a", "Ana", true))
	if n, replaces := take(t, b, now, 9); n.count != 3 || replaces != 1 {
		t.Errorf("%d messages in the place of %d, want 3 in that of 1", n.count, replaces)
	}
	b.off(1) // the user has seen it
	b.put(messageNotice("a", "Ana", true))
	if n, replaces := take(t, b, now, 3); n.count != 1 || replaces != 0 {
		t.Errorf("%d messages in the place of %d, want 1 anew", n.count, replaces)
	}
}

func TestManyNoticesAreOne(t *testing.T) {
	b, now := newBoard(), time.Unix(0, 0)
	for i := range 97 {
		b.put(request(i))
	}
	for range 3 {
		b.put(messageNotice("a", "Ana", true))
	}
	n, _ := take(t, b, now, 1)
	if out := n.shown(true); out.Body != "97 requests, 3 messages" || len(out.Actions) != 1 {
		t.Errorf("shown %+v", out)
	}
	if _, _, ok, later := b.next(now); ok || later != 0 {
		t.Error("more is shown than that")
	}
	for i := range 5 {
		b.put(request(100 + i))
	}
	if n, replaces := take(t, b, now, 2); replaces != 1 || n.shown(true).Body != "102 requests, 3 messages" {
		t.Errorf("then %q in the place of %d", n.shown(true).Body, replaces)
	}
}

// TestFlood: whatever comes, at most 10 notices are shown in any minute, and what the
// user waits for is not held back.
func TestFlood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, now := newBoard(), time.Unix(1_700_000_000, 0)
		var shown []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				b.put(request(rapid.IntRange(0, 50).Draw(t, "id")))
			case 1:
				b.put(messageNotice(fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "who")), "x", true))
			case 2:
				now = now.Add(time.Duration(rapid.IntRange(0, 30_000).Draw(t, "ms")) * time.Millisecond)
			case 3:
				b.put(codeShown(&contactsv1.Code{Code: "482-193"}))
				if n, _, ok, _ := b.next(now); !ok || n.kind != aCode {
					t.Fatal("the code is held back")
				}
			case 4:
				if n, _, ok, later := b.next(now); ok {
					shown = append(shown, now)
					b.on(uint32(len(shown)), n)
				} else if len(b.wait) > 0 && later <= 0 {
					t.Fatal("something waits, and nobody says for how long")
				}
			}
		}
		for i, at := range shown {
			in := 0
			for _, other := range shown[i:] {
				if other.Sub(at) < time.Minute {
					in++
				}
			}
			if in > 10 {
				t.Fatalf("%d notices in a minute", in)
			}
		}
	})
}

// TestNothingIsForgotten: each request is shown, counted, or taken back.
func TestNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, now := newBoard(), time.Unix(1_700_000_000, 0)
		put := rapid.IntRange(0, 30).Draw(t, "requests")
		told := 0
		for i := range put {
			b.put(request(i))
			if rapid.Bool().Draw(t, "show") {
				if n, _, ok, _ := b.next(now); ok {
					told += max(1, n.counts[aRequest])
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "s")) * time.Second)
		}
		for {
			n, _, ok, later := b.next(now)
			if !ok && later == 0 {
				break
			}
			if ok {
				told += max(1, n.counts[aRequest])
			}
			now = now.Add(later)
		}
		if told != put {
			t.Fatalf("told %d of %d", told, put)
		}
	})
}

func TestWhatIsDoneElsewhereGoes(t *testing.T) {
	b, now := newBoard(), time.Unix(0, 0)
	b.put(request(1))
	take(t, b, now, 7)
	b.put(request(2))
	if ids := b.over(requestKey("1")); !slices.Equal(ids, []uint32{7}) {
		t.Errorf("taken back %v", ids)
	}
	if ids := b.over(requestKey("2")); ids != nil {
		t.Errorf("taken back %v", ids)
	}
	if _, _, ok, later := b.next(now); ok || later != 0 {
		t.Error("it is shown all the same")
	}
	if _, ok := b.off(7); ok {
		t.Error("it is known still")
	}
}

func TestWhatTheUserAskedForGoesFirst(t *testing.T) {
	b, now := newBoard(), time.Unix(0, 0)
	for i := range 20 {
		b.put(request(i))
		b.next(now)
	}
	b.put(request(21))
	b.put(resultShown("Failed", "gone"))
	if n, _ := take(t, b, now, 1); n.kind != aResult {
		t.Errorf("first came %q", n.summary)
	}
}
