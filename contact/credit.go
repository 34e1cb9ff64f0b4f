package contact

import (
	"fmt"
	"time"
)

// Credits are a unit of effort: what a device may do in a day towards devices that
// it has not paired with. No money moves, and none can be bought. They bound what
// a program on this device that has gone wild can send; what a stranger's ask costs
// its maker in work is a matter of stamps (Difficulty).

// Act is what credits are charged for.
type Act uint8

const (
	ActAsk    Act = 1 + iota // asking a device that does not list this one
	ActWiden                 // asking one that does for more
	ActNarrow                // withdrawing permissions
	ActRemove                // taking a contact off the list
	ActBlock
)

var actNames = [...]string{"none", "ask", "widen", "narrow", "remove", "block"}

func (a Act) String() string {
	if !a.Known() {
		return "unknown"
	}
	return actNames[a]
}

// Known reports whether a is one of the acts.
func (a Act) Known() bool { return a >= ActAsk && int(a) < len(actNames) }

// Acts returns all acts, in the order in which they are shown.
func Acts() []Act { return []Act{ActAsk, ActWiden, ActNarrow, ActRemove, ActBlock} }

// Prices, in credits: to add, to update and to delete.
const (
	priceAdd    = 3
	priceUpdate = 2
	priceDelete = 1
)

// Price returns what the act costs, in credits.
func (a Act) Price() int {
	switch a {
	case ActAsk:
		return priceAdd
	case ActWiden, ActNarrow:
		return priceUpdate
	case ActRemove, ActBlock:
		return priceDelete
	}
	return 0
}

// Waits reports whether the act is refused without the credits. Withdrawing
// consent never is: it costs what is there, at most the price.
func (a Act) Waits() bool { return a == ActAsk || a == ActWiden }

// Standing is how well a device is known, by how many it has paired with.
type Standing uint8

const (
	StandingNew Standing = iota
	StandingKnown
	StandingEstablished
	StandingRooted
)

// standings says what each standing takes and gives.
var standings = [...]struct {
	name    string
	paired  int // contacts, at least
	daily   int // credits
	contact int // untrusted contacts, at most
}{
	{"new", 0, 30, 250},
	{"known", 1, 90, 1000},
	{"established", 5, 300, 3000},
	{"rooted", 20, 1000, 10_000},
}

func (s Standing) String() string { return standings[s].name }

// StandingOf returns the standing of a device with so many paired contacts.
func StandingOf(paired int) Standing {
	s := StandingNew
	for next := s + 1; int(next) < len(standings) && paired >= standings[next].paired; next++ {
		s = next
	}
	return s
}

// Daily returns how many credits there are in a day.
func (s Standing) Daily() int { return standings[s].daily }

// Next returns with how many paired contacts a better standing begins; ok is false
// if there is none.
func (s Standing) Next() (paired int, ok bool) {
	if int(s)+1 >= len(standings) {
		return 0, false
	}
	return standings[s+1].paired, true
}

// UntrustedCap returns how many contacts may be untrusted: what the user set, or
// what the standing allows. Paired ones are never counted.
func (p Policy) UntrustedCap(s Standing) int {
	if p.MaxUntrusted > 0 {
		return p.MaxUntrusted
	}
	return standings[s].contact
}

// creditDay is how long spent credits stay spent.
const creditDay = 24 * time.Hour

// Purse is what was spent of a day's credits. A day begins with the first that is
// spent and all are there again when it is over. A clock that jumps by a day or
// more, either way, begins a new one, so that no jump leaves a device waiting.
type Purse struct {
	Since int64 // Unix milliseconds of when the day began
	Spent int   // within it
}

// at returns the purse as it is at a time.
func (p Purse) at(now time.Time) Purse {
	if now.Sub(time.UnixMilli(p.Since)).Abs() >= creditDay {
		return Purse{}
	}
	return p
}

// Left returns how many of daily credits are there.
func (p Purse) Left(daily int, now time.Time) int { return max(daily-p.at(now).Spent, 0) }

// Refill returns when all credits are there again; zero if they are.
func (p Purse) Refill(now time.Time) time.Time {
	if p = p.at(now); p.Spent == 0 {
		return time.Time{}
	}
	return time.UnixMilli(p.Since).Add(creditDay)
}

// Charge pays for an act out of daily credits, and returns what it cost: the price,
// or of an act that is never refused what is left of it. It returns a *CreditError
// if the act has to wait.
func (p Purse) Charge(a Act, daily int, now time.Time) (_ Purse, cost int, err error) {
	left, price := p.Left(daily, now), a.Price()
	switch {
	case left >= price:
		cost = price
	case a.Waits():
		return p, 0, &CreditError{Act: a, Price: price, Left: left, Daily: daily, Refill: p.Refill(now)}
	default:
		cost = left
	}
	if p = p.at(now); p.Spent == 0 {
		p.Since = now.UnixMilli()
	}
	p.Spent += cost
	return p, cost, nil
}

// CreditError says that an act has to wait for the refill, and until when.
type CreditError struct {
	Act                Act
	Price, Left, Daily int
	Refill             time.Time
}

func (e *CreditError) Error() string {
	return fmt.Sprintf("this costs %d credits, and %d of today's %d are left: all are there again at %s",
		e.Price, e.Left, e.Daily, e.Refill.UTC().Format("2006-01-02 15:04 MST"))
}
