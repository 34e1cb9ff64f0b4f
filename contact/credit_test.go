package contact

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestStandings(t *testing.T) {
	for _, tt := range []struct {
		paired     int
		name       string
		daily, cap int
		next       int
	}{
		{0, "new", 30, 250, 1},
		{1, "known", 90, 1000, 5},
		{4, "known", 90, 1000, 5},
		{5, "established", 300, 3000, 20},
		{19, "established", 300, 3000, 20},
		{20, "rooted", 1000, 10_000, 0},
		{1 << 20, "rooted", 1000, 10_000, 0},
	} {
		s := StandingOf(tt.paired)
		next, _ := s.Next()
		if s.String() != tt.name || s.Daily() != tt.daily || next != tt.next {
			t.Errorf("%d paired: %v, %d a day, next with %d", tt.paired, s, s.Daily(), next)
		}
		if got := DefaultPolicy().UntrustedCap(s); got != tt.cap {
			t.Errorf("%v: at most %d untrusted contacts, want %d", s, got, tt.cap)
		}
		if got := (Policy{MaxUntrusted: 7}).UntrustedCap(s); got != 7 {
			t.Errorf("%v: at most %d, the user set 7", s, got)
		}
	}
}

func TestPrices(t *testing.T) {
	for _, tt := range []struct {
		act   Act
		price int
		waits bool
	}{
		{ActAsk, 3, true}, {ActWiden, 2, true}, {ActNarrow, 2, false}, {ActRemove, 1, false}, {ActBlock, 1, false}, {0, 0, false}, {99, 0, false},
	} {
		if tt.act.Price() != tt.price || tt.act.Waits() != tt.waits || tt.act.Known() != (tt.price > 0) {
			t.Errorf("%v costs %d, waits %v, known %v", tt.act, tt.act.Price(), tt.act.Waits(), tt.act.Known())
		}
	}
	for _, a := range Acts() {
		if !a.Known() || a.String() == "unknown" || a.String() == "none" {
			t.Errorf("%d is %v", a, a)
		}
	}
}

// TestRunOut spends what is there: an ask then waits and says until when, and what
// withdraws consent goes through.
func TestRunOut(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	var p Purse
	for i := range 10 {
		var err error
		if p, _, err = p.Charge(ActAsk, 32, now.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	later := now.Add(10 * time.Hour)
	_, _, err := p.Charge(ActAsk, 32, later)
	var short *CreditError
	if !errors.As(err, &short) || short.Price != 3 || short.Left != 2 || !short.Refill.Equal(now.Add(24*time.Hour)) {
		t.Fatalf("%+v", err)
	}
	if !strings.Contains(err.Error(), "2 of today's 32 are left") || !strings.Contains(err.Error(), "2023-11-15 22:13 UTC") {
		t.Errorf("%v", err)
	}
	for _, want := range []int{1, 1, 0, 0} {
		var cost int
		if p, cost, err = p.Charge(ActRemove, 32, later); err != nil || cost != want {
			t.Errorf("a removal costs %d, %v; want %d", cost, err, want)
		}
	}
	if left := p.Left(32, now.Add(24*time.Hour-time.Millisecond)); left != 0 {
		t.Errorf("%d left before the day is over", left)
	}
	if left, at := p.Left(32, now.Add(24*time.Hour)), p.Refill(now.Add(24*time.Hour)); left != 32 || !at.IsZero() {
		t.Errorf("%d left when the day is over, the next at %v", left, at)
	}
}

// TestPurse lets a clock go forward and jump by up to some days either way.
// Whatever it does: no more than a day's credits are spent in a day that it shows,
// nothing that withdraws consent is refused, a refusal names a time that comes, and
// after a jump by a day all are there.
func TestPurse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "now"))
		daily := StandingOf(rapid.IntRange(0, 25).Draw(t, "paired")).Daily()
		var p Purse
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			now = now.Add(time.Duration(rapid.Int64Range(-2*int64(creditDay), 2*int64(creditDay)).Draw(t, "jump")))
			a := rapid.SampledFrom(Acts()).Draw(t, "act")
			left := p.Left(daily, now)
			next, cost, err := p.Charge(a, daily, now)
			var short *CreditError
			switch {
			case errors.As(err, &short):
				if !a.Waits() || left >= a.Price() || next != p || cost != 0 {
					t.Fatalf("%v refused with %d left", a, left)
				}
				if wait := short.Refill.Sub(now); wait <= 0 || wait > 2*creditDay {
					t.Fatalf("to wait for %v", wait)
				}
			case err != nil:
				t.Fatal(err)
			case cost != min(left, a.Price()) || next.Left(daily, now) != left-cost:
				t.Fatalf("%v cost %d of %d, then %d are left", a, cost, left, next.Left(daily, now))
			case next.Spent < 0 || next.Spent > daily:
				t.Fatalf("%d spent", next.Spent)
			default:
				p = next
			}
			for _, jump := range []time.Duration{creditDay, -creditDay} {
				if got := p.Left(daily, time.UnixMilli(p.Since).Add(jump)); got != daily {
					t.Fatalf("%d left after a jump by %v", got, jump)
				}
			}
		}
	})
}
