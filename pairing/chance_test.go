package pairing

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// attacker is all devices of the world at once, who know everything but the codes
// and get every round that there is, at a user who shows codes day and night.
type attacker struct {
	t      *testing.T
	now    time.Time
	opened time.Time
	guess  guessRecord
	win    *window

	rounds   map[int]int // by digits
	hits     int
	heads    int         // guesses whose first two digits were right
	when     []time.Time // of rounds of 6 digits
	whenLong []time.Time
	perWin   int // rounds of 6 digits in the window
	mostWin  int
	chance   float64 // summed, of what was guessed
}

// reopen begins a new window, as a user does who closes one and shows another.
func (a *attacker) reopen() {
	a.opened = a.now
	a.win = &window{opened: a.now, table: newCodeTable(shortCode, 0), changed: make(chan struct{})}
	a.guess.recent(a.now)
	a.win.restrict(a.guess.allows(), a.now)
	a.perWin = 0
}

// round plays one round as Service does: a code on display, its debit, the guess,
// and what follows from a wrong one.
func (a *attacker) round() bool {
	a.guess.recent(a.now)
	a.win.restrict(a.guess.allows(), a.now)
	if a.win.accepts == LinksOnly {
		return false
	}
	at := a.now.Sub(a.opened)
	c, err := a.win.table.show(at)
	if err != nil {
		a.t.Fatal(err)
	}
	candidates := a.win.table.candidates(at)
	digits := len(c.digits)
	if digits == shortCode && a.win.rounds >= windowRounds {
		return false
	}
	if _, err := a.guess.take(digits, a.now); err != nil {
		return false
	}
	if digits == shortCode {
		a.win.rounds++
		a.perWin++
		a.mostWin = max(a.mostWin, a.perWin)
		a.when = append(a.when, a.now)
		a.chance += 2148.0 / (1 << 31)
	} else {
		a.whenLong = append(a.whenLong, a.now)
		a.chance += 3.0 / (1 << 31)
	}
	a.rounds[digits]++
	try := likeliest(digits)
	target := candidates[a.rounds[digits]%len(candidates)].digits
	if try == target {
		a.hits++
	}
	if try[:2] == target[:2] {
		a.heads++
	}
	a.win.restrict(a.guess.allows(), a.now)
	return true
}

// likeliest draws from those codes that 31 bits cut to so many digits give most.
func likeliest(digits int) string {
	var b [8]byte
	rand.Read(b[:])
	top := uint64(1<<31) % map[int]uint64{shortCode: 1e6, longCode: 1e9}[digits]
	return fmt.Sprintf("%0*d", digits, binary.BigEndian.Uint64(b[:])%top)
}

// most returns how many of the times lie within any 24 h.
func most(times []time.Time) (n int) {
	first := 0
	for i, at := range times {
		for !times[first].After(at.Add(-dayLength)) {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// 100,000 rounds of an attacker who tries twice a second, at a user who shows codes
// all the time and opens a new window every two hours: no window, no day gives more
// rounds than docs/security.md says, so the chance stays within the sums there, and
// guesses hit as often as chance has it and no oftener.
func TestAttackersChanceOver100000Rounds(t *testing.T) {
	const want = 100_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := &attacker{t: t, now: start, rounds: make(map[int]int)}
	a.reopen()
	for a.rounds[shortCode]+a.rounds[longCode] < want {
		if a.now.Sub(a.opened) > 2*time.Hour {
			a.reopen()
		}
		if a.round() {
			a.now = a.now.Add(time.Second)
			continue
		}
		// Nothing to be had: go to the next window, or the next guess of the day.
		next := a.opened.Add(2*time.Hour + time.Second)
		if left := a.guess.allows(); !left.codes.IsZero() {
			next = earlier(next, left.codes)
		}
		a.now = later(next, a.now.Add(time.Second))
	}
	days := a.now.Sub(start).Hours() / 24
	t.Logf("%.0f days, %d rounds of 6 digits, %d of 9; at most %d a window, %d and %d in 24 h; chance %.2e a day", days, a.rounds[shortCode], a.rounds[longCode], a.mostWin, most(a.when), most(a.whenLong), a.chance/days)
	if a.mostWin > windowRounds {
		t.Errorf("%d rounds of 6 digits in one window", a.mostWin)
	}
	if n := most(a.when); n > dayRounds {
		t.Errorf("%d rounds of 6 digits in 24 h", n)
	}
	if n := most(a.whenLong); n > dayRoundsLong {
		t.Errorf("%d rounds of 9 digits in 24 h", n)
	}
	// The sums of docs/security.md; the first day is counted whole.
	if perDay := a.chance / (days + 1); perDay > 6.0e-5*1.001+4.2e-7*1.001 {
		t.Errorf("a chance of %.2e a day", perDay)
	}
	// It got what there was to be had, so the bounds were put to the test.
	if a.mostWin < windowRounds || most(a.when) < dayRounds || most(a.whenLong) < dayRoundsLong {
		t.Errorf("the attacker was slow: %d a window, %d and %d in 24 h", a.mostWin, most(a.when), most(a.whenLong))
	}
	// 17,000 rounds at 1e-6 and 83,000 at 1.4e-9: 4 hits are 1 run in 10^8.
	if a.hits > 3 {
		t.Errorf("%d hits in %d rounds", a.hits, want)
	}
	// Far more often chance has the first two digits right: of 9 with 3 times 10^7 in
	// 2^31, which are the likeliest, of 6 with 1 in 100. Beyond 6 standard deviations
	// something helps the attacker, or the attacker's guesses are none.
	mean := float64(a.rounds[longCode])*3e7/(1<<31) + float64(a.rounds[shortCode])/100
	if off := float64(a.heads) - mean; math.Abs(off) > 6*math.Sqrt(mean) {
		t.Errorf("the first two digits were right %d times, %.0f are due", a.heads, mean)
	}
}

// The digits of codes are as likely as RFC 4226 makes them, so no guess is better
// than the bound: every digit of 100,000 codes is within 6 standard deviations.
func TestCodesAreUniform(t *testing.T) {
	const codes = 100_000
	for _, digits := range []int{shortCode, longCode} {
		table := newCodeTable(digits, 0)
		counts := make([][10]int, digits)
		for i := range codes {
			c := show(t, table, time.Duration(i)*codePeriod)
			for at, r := range c.digits {
				counts[at][r-'0']++
			}
			if i%100 == 99 {
				table.renew(time.Duration(i+1) * codePeriod)
			}
		}
		for at, of := range counts {
			for d, n := range of {
				p := 0.1
				if at == 0 && digits == longCode {
					// 2^31 is 2.147e9: the first 147,483,648 values come a third time.
					p = 2e8 / (1 << 31)
					if d == 0 {
						p = 3e8 / (1 << 31)
					}
					if d == 1 {
						p = (2e8 + 47_483_648.0) / (1 << 31)
					}
				}
				mean, dev := codes*p, 6*math.Sqrt(codes*p*(1-p))
				if diff := float64(n) - mean; diff > dev || diff < -dev {
					t.Errorf("digit %d of %d is %d in %d codes, %.0f are due", at, digits, d, n, mean)
				}
			}
		}
		if slices.Contains(counts[0][:], 0) {
			t.Errorf("%v", counts[0])
		}
	}
}
