package sim

import (
	"fmt"
	"slices"
	"strings"

	"contactsd/contact"
)

// standing is what a device may hold of another one, as its user would say it.
type standing struct {
	listed  bool // on the contact list; kept over a block
	blocked bool
	pair    int  // the pairing that stands behind it, 0 for none
	gone    bool // removed: a tombstone is left
}

func (s standing) String() string {
	var words []string
	if s.blocked {
		words = append(words, "blocked")
	}
	switch {
	case s.pair > 0:
		words = append(words, fmt.Sprintf("listed by pairing %d", s.pair))
	case s.listed:
		words = append(words, "listed")
	case s.gone:
		words = append(words, "removed")
	default:
		words = append(words, "not listed")
	}
	return strings.Join(words, ", ")
}

// shown is what of it can be seen from outside.
func (s standing) shown() standing {
	return standing{listed: s.listed && !s.blocked, blocked: s.blocked, gone: s.gone && !s.blocked}
}

// belief is all that one user may hold of another. It is more than one standing
// where the user can't know: after an act that a crash cut off, while a pairing is
// under way or staged, when the other asked to part, after an old copy came back.
type belief struct {
	now     []standing
	staged  []int     // pairings that may end here by themselves
	running []session // pairings of which this user has not heard the end
	parting bool      // the contact may go: the other asked both to part, or it was removed in a life that is lost
	owed    int       // a pairing that is staged here if the other has committed it
	past    []moment

	// The most that the other may do here: what the user gave it and did not take back.
	gave   contact.Permissions
	lent   contact.Permissions // of that, what was given with a request alone
	giving bool                // something may be given just now
	// What the other asked for while this user may have accepted any request.
	welcome contact.Permissions
}

// moment is what a belief was.
type moment struct {
	now     []standing
	staged  []int
	parting bool
	gave    contact.Permissions
}

func newBelief() *belief {
	b := &belief{now: []standing{{}}}
	b.remember()
	return b
}

// act is what the user did: change turns one standing into the next, and returns
// false if the device would have refused. If sure is false it may not have happened.
func (b *belief) act(sure bool, change func(standing) (standing, bool)) {
	b.owed = 0
	var next []standing
	for _, s := range b.now {
		if n, ok := change(s); ok {
			next = append(next, n)
		}
		if !sure {
			next = append(next, s)
		}
	}
	b.become(next)
}

// become replaces what may be, and adds what may come of itself: nothing does to
// one who is blocked.
func (b *belief) become(next []standing) {
	open := slices.ContainsFunc(next, func(s standing) bool { return !s.blocked })
	if open {
		for _, p := range b.staged {
			next = append(next, standing{listed: true, pair: p})
		}
		for _, r := range b.running {
			next = append(next, standing{listed: true, pair: r.pair})
		}
	}
	if open && b.parting {
		next = append(next, standing{gone: true})
	}
	if b.welcome != contact.NoPermissions && slices.Contains(next, standing{}) {
		next = append(next, standing{listed: true})
	}
	b.now = unique(next)
	b.remember()
}

func (b *belief) remember() {
	b.past = append(b.past, moment{slices.Clone(b.now), slices.Clone(b.staged), b.parting, b.gave})
}

// session is a pairing under way.
type session struct {
	pair  int
	began int // len(past) then
}

// pairs says that pairing p begins.
func (b *belief) pairs(p int) {
	b.lent = contact.NoPermissions
	b.running = append(b.running, session{pair: p})
	b.become(b.now)
	b.running[len(b.running)-1].began = len(b.past)
}

// paired says how pairing p ended for this user: sure says that it is committed.
// What was staged with the other is dropped then.
func (b *belief) paired(p int, sure bool) {
	i := slices.IndexFunc(b.running, func(s session) bool { return s.pair == p })
	alone := b.running[i].began == len(b.past) // the user did nothing else meanwhile
	if sure {
		b.give(contact.PairedDefault)
	}
	b.running = slices.Delete(b.running, i, i+1)
	switch {
	case sure && alone:
		b.staged, b.parting = nil, false
		b.become([]standing{{listed: true, pair: p}})
	case sure:
		b.become(b.now)
	default:
		b.staged = append(b.staged, p)
		b.become(b.now)
		if alone {
			b.owed = p
		}
	}
}

// drop forgets what is staged and what was given.
func (b *belief) drop() {
	b.staged, b.parting = nil, false
	b.gave, b.lent, b.welcome = contact.NoPermissions, contact.NoPermissions, contact.NoPermissions
}

// give notes what the user gave.
func (b *belief) give(p contact.Permissions) {
	b.gave |= p
	b.lent &^= p
}

// take notes what the user took back.
func (b *belief) take(p contact.Permissions) {
	b.gave &^= p
	b.lent &^= p
	b.welcome &^= p
}

// lend notes what the user gave with a request.
func (b *belief) lend(p contact.Permissions) {
	b.lent |= p &^ b.most()
	b.gave |= p
}

// most is the most that the other may do here.
func (b *belief) most() contact.Permissions {
	most := b.gave | b.welcome
	if len(b.running) > 0 || len(b.staged) > 0 { // it may end at any time
		most |= contact.PairedDefault
	}
	return most
}

// restored says that what was held at a moment, or anything since, may come back.
func (b *belief) restored(since int) {
	b.owed = 0
	b.lent = contact.NoPermissions
	next := slices.Clone(b.now)
	for _, m := range b.past[since:] {
		next = append(next, m.now...)
		for _, s := range m.now {
			// What was withdrawn since, a block included, does not come back: the device
			// learns of it when it meets the other.
			b.parting = b.parting || s.blocked || !s.listed
		}
		b.staged = append(b.staged, m.staged...)
		b.parting = b.parting || m.parting
		b.gave |= m.gave
	}
	b.staged = unique(b.staged)
	b.become(next)
}

// mark names the present moment, for restored.
func (b *belief) mark() int { return len(b.past) - 1 }

// held reports whether what fits may have been at a moment, or at any time since.
func (b *belief) held(since int, fits func(standing) bool) bool {
	return slices.ContainsFunc(b.past[since:], func(m moment) bool { return slices.ContainsFunc(m.now, fits) })
}

// surely reports whether all that may be fits.
func (b *belief) surely(fits func(standing) bool) bool {
	return !slices.ContainsFunc(b.now, func(s standing) bool { return !fits(s) })
}

// allows reports whether a device may show this.
func (b *belief) allows(seen standing) bool {
	return slices.ContainsFunc(b.now, func(s standing) bool { return s.shown() == seen })
}

// listed reports whether the other may be on the list now.
func (b *belief) listed() bool {
	return len(b.running) > 0 || slices.ContainsFunc(b.now, func(s standing) bool { return s.shown().listed })
}

// lets reports whether the other may be on the list now and have a permission.
func (b *belief) lets(p contact.Permissions) bool { return b.listed() && b.most().Has(p) }

func (b *belief) String() string {
	words := make([]string, len(b.now))
	for i, s := range b.now {
		words[i] = s.String()
	}
	return strings.Join(words, " or ")
}

func unique[T comparable](list []T) []T {
	var out []T
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// trusted reports whether two users must, or must not, trust each other once their
// devices have met.
func trusted(a, b *belief) (must, mustNot bool) {
	must, mustNot = true, true
	for _, s := range a.now {
		for _, t := range b.now {
			both := s.pair > 0 && s.pair == t.pair && !s.blocked && !t.blocked
			must = must && both
			mustNot = mustNot && !both
		}
	}
	return must || a.owes(b) || b.owes(a), mustNot
}

// owes reports whether a pairing that the other has committed must end here, too.
func (b *belief) owes(other *belief) bool {
	return b.owed > 0 && len(other.now) == 1 && other.now[0] == standing{listed: true, pair: b.owed}
}

// letter is a message as its user knows it.
type letter struct {
	id, text  string
	number    int  // among those of one user to another, in the order accepted
	sure      bool // accepted by a device that did not crash before it said so
	forgotten bool // by a sender that was restored from an older copy
	cancelled bool // its user asked for it
}

// post is the letters of one user to another.
type post struct {
	letters []*letter
	byID    map[string]*letter
}

func newPost() *post { return &post{byID: make(map[string]*letter)} }

func (p *post) add(id, text string, sure bool) {
	l := &letter{id: id, text: text, number: len(p.letters), sure: sure}
	p.letters = append(p.letters, l)
	p.byID[id] = l
}

// forget says that the sender holds nothing of what came after a moment.
func (p *post) forget(since int) {
	for _, l := range p.letters[since:] {
		l.forgotten = true
	}
}
