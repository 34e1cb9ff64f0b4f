package presence

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
)

func (d *device) report(r Activity) {
	d.t.Helper()
	if err := d.svc.Report(r); err != nil {
		d.t.Fatal(err)
	}
}

func TestIdlingTurnsOnlineIntoAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		pass(time.Hour)
		a.sees(b, Online, "") // nothing reports activity: nothing is assumed
		b.report(Activity{Source: "tray"})
		pass(4 * time.Minute)
		b.report(Activity{Source: "tray", Idle: 4 * time.Minute})
		a.sees(b, Online, "")
		pass(time.Minute + time.Second)
		a.sees(b, Away, "")
		if got := b.svc.Mine(); got.State != Away || got.Chosen != Online || time.Since(got.Since) > 2*time.Second {
			t.Errorf("own presence %+v", got)
		}
		b.report(Activity{Source: "tray"})
		pass(time.Second)
		if p := a.sees(b, Online, ""); time.Since(p.Since) > 2*time.Second {
			t.Errorf("online since %v ago, it came back a second ago", time.Since(p.Since))
		}

		b.set(Busy, "set by hand")
		pass(time.Hour)
		a.sees(b, Busy, "set by hand")
		b.set(Online, "") // whoever sets it is there
		pass(4 * time.Minute)
		a.sees(b, Online, "")
		pass(2 * time.Minute)
		a.sees(b, Away, "")
	})
}

func TestAnyProgramThatSeesTheUserCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		for range 20 {
			b.report(Activity{Source: "tray", Idle: time.Hour})
			b.report(Activity{Source: "page"})
			pass(time.Minute)
			a.sees(b, Online, "")
		}
		pass(5 * time.Minute)
		a.sees(b, Away, "")
		b.report(Activity{Source: "page"})
		pass(time.Second)
		a.sees(b, Online, "")
	})
}

// TestNobodyWatches: a tray that ends or is killed makes nobody away, and brings
// nobody back.
func TestNobodyWatches(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.report(Activity{Source: "tray", Holds: 3 * time.Minute})
		pass(time.Hour) // it was killed
		a.sees(b, Online, "")
		b.report(Activity{Source: "tray", Holds: 3 * time.Minute})
		pass(4 * time.Minute)
		b.svc.Leave("tray") // too late to say what was between
		pass(time.Hour)
		a.sees(b, Online, "")
		b.report(Activity{Source: "tray"})
		pass(6 * time.Minute)
		b.svc.Leave("tray")
		b.svc.Leave("none")
		pass(time.Hour)
		a.sees(b, Away, "") // nobody has seen them come back
		b.report(Activity{Source: "page"})
		pass(time.Second)
		a.sees(b, Online, "")
	})
}

func TestAwayAfterIsTheUsersChoice(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.report(Activity{Source: "tray"})
		b.svc.SetAwayAfter(0)
		pass(time.Hour)
		a.sees(b, Online, "")
		b.svc.SetAwayAfter(30 * time.Minute)
		pass(time.Second)
		a.sees(b, Away, "")
		b.svc.SetAwayAfter(2 * time.Hour)
		pass(time.Second)
		a.sees(b, Online, "")
		pass(time.Hour)
		a.sees(b, Away, "")
	})
}

func TestReportsThatCantBe(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, r := range []Activity{
		{}, {Source: strings.Repeat("x", 33)}, {Source: "a\x1b"}, {Source: "a", Idle: -1}, {Source: "a", Holds: -1},
	} {
		var a activity
		var invalid *contact.InvalidError
		var limit *contact.LimitError
		if err := a.report(now, r); !errors.As(err, &invalid) && !errors.As(err, &limit) || !a.last.IsZero() {
			t.Errorf("%+v: %v", r, err)
		}
	}
	var a activity
	for i := range maxSources {
		if err := a.report(now, Activity{Source: fmt.Sprint(i), Holds: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	var limit *contact.LimitError
	if err := a.report(now, Activity{Source: "one more"}); !errors.As(err, &limit) {
		t.Errorf("one more: %v", err)
	}
	if err := a.report(now, Activity{Source: "0"}); err != nil {
		t.Errorf("one of them: %v", err)
	}
	if err := a.report(now.Add(2*time.Minute), Activity{Source: "one more"}); err != nil {
		t.Errorf("one more, later: %v", err)
	}
}

// TestActivityAgreesWithAWatchman: beside it stands somebody who looks every second at
// who watches, and at what was seen.
func TestActivityAgreesWithAWatchman(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const after = 30 // seconds
		start := time.Unix(1_700_000_000, 0)
		at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
		var a activity
		watches := make(map[string]int) // up to which second
		last, away := -1, false         // as the watchman has it
		reported := false
		for s := range rapid.IntRange(1, 200).Draw(t, "seconds") {
			source := rapid.SampledFrom([]string{"tray", "page", "other"}).Draw(t, "source")
			for range rapid.IntRange(0, 1).Draw(t, "acts") {
				if rapid.Bool().Draw(t, "leaves") {
					a.left(source, at(s))
					if until, ok := watches[source]; ok && until > s {
						watches[source] = s
					}
					continue
				}
				r := Activity{Source: source, Idle: time.Duration(rapid.IntRange(0, 10).Draw(t, "idle")) * time.Second,
					Holds: time.Duration(rapid.IntRange(0, 40).Draw(t, "holds")) * time.Second}
				if err := a.report(at(s), r); err != nil {
					t.Fatal(err)
				}
				reported = true
				watches[source] = 1 << 30
				if r.Holds > 0 {
					watches[source] = s + int(r.Holds/time.Second)
				}
				if seen := s - int(r.Idle/time.Second); seen > last {
					last, away = seen, false
				}
			}
			if reported && s == last+after {
				for _, until := range watches {
					away = away || until >= s
				}
			}
			if since, is := a.away(at(s), after*time.Second); is != away || is && !since.Equal(at(last+after)) {
				t.Fatalf("second %d: away %v since %v, the watchman says %v", s, is, since, away)
			}
		}
	})
}
