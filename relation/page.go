package relation

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Presence is what a list asks about who is there. A package that knows gives it.
type Presence interface {
	// Each calls f with every device of which anything is known since the start.
	Each(f func(peer contact.ODID, state string, seen time.Time))
	// Sightings calls f with when each device was last heard, as far as it was
	// written down.
	Sightings(f func(peer contact.ODID, seen time.Time)) error
}

// Query is what is to be listed.
type Query struct {
	All      bool // removed and blocked ones too
	Filter   Filter
	Sort     Sort
	Presence Presence // needed to filter and sort by it
	// Where the page begins: after a contact, or at a place if that contact is not in
	// the list any more. The zero ODID and 0 for the first page.
	After contact.ODID
	Place int
	Limit int // contacts of the page
}

// Page is a part of a list.
type Page struct {
	Contacts []Contact
	Last     contact.ODID // the last of the page
	Next     int          // the place of the next page, 0 if this is the last one
	Total    int          // contacts that fit, over all pages
}

// Sort is an order of contacts. The zero Sort is by title.
type Sort struct {
	key     string
	reverse bool
}

// sortKeys are what contacts can be sorted by.
func sortKeys() []string { return []string{"name", "added", "seen", "trust", "relation", "source"} }

// ParseSort reads a key, which "-" turns round: name (by title, which is as it is
// without a key), added and seen (the oldest first), trust (untrusted first), relation
// (pending, accepted, blocked, reported, removed) or source. Contacts that are alike
// are in the order of their titles. Errors: *contact.InvalidError.
func ParseSort(text string) (Sort, error) {
	key, reverse := strings.CutPrefix(text, "-")
	if key == "" && !reverse {
		key = "name"
	}
	if !slices.Contains(sortKeys(), key) {
		known := sortKeys()
		last := len(known) - 1
		return Sort{}, &contact.InvalidError{Field: "sort", Reason: fmt.Sprintf("unknown key %q: use %s or %s", clip(key), strings.Join(known[:last], ", "), known[last])}
	}
	return Sort{key, reverse}, nil
}

// known is what is known of presence, for one query.
type known map[contact.ODID]struct {
	state string
	seen  int64
}

// Page returns a page of the contacts. Errors: ErrNoGroup, for a filter by a group
// that is not there.
func (s *Service) Page(q Query) (p Page, err error) {
	now, err := q.hear()
	if err != nil {
		return Page{}, err
	}
	var peers []contact.ODID
	err = s.withLines(func(l *lines) error {
		if q.Sort.key == "seen" && !l.sighted {
			if err := l.sight(q.Presence); err != nil {
				return err
			}
		}
		fits, err := l.fit(q, now)
		if err != nil {
			return err
		}
		list := l.order(q.Sort, fits, now)
		from := l.begin(list, q)
		page := list[from:min(from+q.Limit, len(list))]
		for _, place := range page {
			peers = append(peers, l.rows[place].peer)
		}
		p.Total = len(list)
		if next := from + len(page); next < len(list) && len(page) > 0 {
			p.Next = next
		}
		return nil
	})
	if err != nil || len(peers) == 0 {
		return p, err
	}
	p.Last = peers[len(peers)-1]
	p.Contacts, err = s.getAll(peers)
	return p, err
}

// hear asks about presence, if that matters.
func (q Query) hear() (known, error) {
	if q.Sort.key != "seen" && !q.Filter.about("presence") {
		return nil, nil
	}
	if q.Presence == nil {
		return nil, errors.New("a list by presence, of which nothing is known")
	}
	now := make(known)
	q.Presence.Each(func(peer contact.ODID, state string, seen time.Time) {
		h := now[peer]
		h.state, h.seen = state, milli(seen)
		now[peer] = h
	})
	return now, nil
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli(), 0)
}

// sight takes over when contacts were last heard before the start.
func (l *lines) sight(p Presence) error {
	err := p.Sightings(func(peer contact.ODID, seen time.Time) {
		if at, found := l.find(peer); found {
			l.rows[l.byPeer[at]].seen = milli(seen)
		}
	})
	l.sighted = err == nil
	return err
}

// getAll returns the contacts as they are now.
func (s *Service) getAll(peers []contact.ODID) (list []Contact, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		g, err := loadGroups(tx)
		if err != nil {
			return err
		}
		for _, peer := range peers {
			e, err := load(tx, peer)
			if err != nil {
				return err
			}
			d, _, err := e.details(tx)
			if err != nil {
				return err
			}
			list = append(list, e.contact(d, g))
		}
		return nil
	})
	return list, err
}

// begin returns where in a list the page begins.
func (l *lines) begin(list []uint32, q Query) int {
	if at, found := l.find(q.After); found && !q.After.IsZero() {
		if i := slices.Index(list, l.byPeer[at]); i >= 0 {
			return i + 1
		}
	}
	return min(max(q.Place, 0), len(list))
}

// order returns the places of the rows that fit, in order. The rows are looked at as
// they lie in memory, and what counts is noted in a byte of each: that is several
// times faster than looking at them in the order of the list.
func (l *lines) order(by Sort, fits func(*rosterLine) bool, now known) []uint32 {
	kind := kindOf(by)
	noted := make([]uint8, len(l.rows)) // 0 if it doesn't fit, else above its kind
	for place := range l.rows {
		if n := &l.rows[place]; fits(n) {
			noted[place] = kind(n) + 1
		}
	}
	from := l.byTitle
	if by.key == "added" {
		from = l.byAdded
	}
	list := byKind(from, noted)
	if by.key == "seen" {
		list = bySeen(list, l.lastSeen(now))
	}
	if by.reverse {
		slices.Reverse(list)
	}
	return list
}

// kindOf returns what contacts are sorted by first, of which there are few kinds.
func kindOf(by Sort) func(*rosterLine) uint8 {
	switch by.key {
	case "trust":
		return func(n *rosterLine) uint8 { return uint8(n.trust) }
	case "relation":
		return func(n *rosterLine) uint8 { return uint8(n.status) }
	case "source":
		ranks := sourceRanks()
		return func(n *rosterLine) uint8 { return ranks[n.source] }
	}
	return func(*rosterLine) uint8 { return 0 }
}

// sourceRanks returns where each source stands in the order of their words, none first.
func sourceRanks() []uint8 {
	all := Sources()
	sorted := slices.Sorted(slices.Values(all))
	ranks := make([]uint8, 1, len(all)+1)
	for _, source := range all {
		ranks = append(ranks, uint8(slices.Index(sorted, source)+1))
	}
	return ranks
}

// byKind sorts those places in from that are noted by what is noted, and leaves those
// alike as they are: it counts them.
func byKind(from []uint32, noted []uint8) []uint32 {
	var begins [256]int
	for _, place := range from {
		begins[noted[place]]++
	}
	begins[0] = 0
	total := 0
	for k, n := range begins {
		begins[k] = total
		total += n
	}
	sorted := make([]uint32, total)
	for _, place := range from {
		if k := noted[place]; k != 0 {
			sorted[begins[k]] = place
			begins[k]++
		}
	}
	return sorted
}

// lastSeen returns when the contact in each place was last heard.
func (l *lines) lastSeen(now known) []int64 {
	seen := make([]int64, len(l.rows))
	for place := range l.rows {
		seen[place] = l.rows[place].seen
	}
	for peer, h := range now {
		if at, found := l.find(peer); found {
			seen[l.byPeer[at]] = h.seen
		}
	}
	return seen
}

// bySeen sorts by when they were last heard, and leaves those alike as they are: the
// place in list is in the low bits of what is sorted.
func bySeen(list []uint32, seen []int64) []uint32 {
	low := bits.Len(uint(len(list)))
	keys := make([]uint64, len(list))
	for i, place := range list {
		keys[i] = uint64(min(seen[place], 1<<(63-low)-1))<<low | uint64(i)
	}
	slices.Sort(keys)
	sorted := make([]uint32, len(list))
	for i, key := range keys {
		sorted[i] = list[key&(1<<low-1)]
	}
	return sorted
}

// fit returns what tells whether a row is in the list.
func (l *lines) fit(q Query, now known) (func(*rosterLine) bool, error) {
	var all []func(*rosterLine) bool
	if !q.All {
		all = append(all, func(n *rosterLine) bool { return n.listed })
	}
	for _, t := range q.Filter.terms {
		f, err := l.fitTerm(t, now)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return func(n *rosterLine) bool {
		for _, f := range all {
			if !f(n) {
				return false
			}
		}
		return true
	}, nil
}

func (l *lines) fitTerm(t filterTerm, now known) (func(*rosterLine) bool, error) {
	switch t.key {
	case "trust":
		return func(n *rosterLine) bool { return n.trust.String() == t.value }, nil
	case "relation":
		return func(n *rosterLine) bool { return n.status.String() == t.value }, nil
	case "presence":
		return func(n *rosterLine) bool {
			h, ok := now[n.peer]
			return ok && h.state == t.value || !ok && t.value == "unknown"
		}, nil
	case "source":
		source := uint8(slices.Index(Sources(), Source(t.value)) + 1)
		return func(n *rosterLine) bool { return n.source == source }, nil
	case "app":
		app := folded(t.value)
		return func(n *rosterLine) bool { return n.app == app }, nil
	case "permission":
		want, err := contact.ParsePermissions(t.value)
		return func(n *rosterLine) bool { return n.given.Has(want) }, err
	case "field":
		hash := l.fieldHash(t.value)
		if t.exact {
			hash = l.valueHash(t.value, t.field)
		}
		return func(n *rosterLine) bool { return slices.Contains(n.fields, hash) }, nil
	case "group":
		o, err := l.known.find(t.value)
		bit := l.bits([]groupID{o.ID})
		return func(n *rosterLine) bool { return n.groups&bit != 0 }, err
	}
	return fitText(t.value), nil
}

// fitText finds a part of a remark or name, or the start of an ODID.
func fitText(text string) func(*rosterLine) bool {
	const prefix = "odid1"
	text = folded(text)
	first, last, ok := contact.ODIDRange(text)
	switch {
	case strings.HasPrefix(prefix, text): // so begins every ODID
		return func(*rosterLine) bool { return true }
	case !ok:
		return func(n *rosterLine) bool { return strings.Contains(n.text, text) }
	}
	return func(n *rosterLine) bool {
		if strings.Contains(n.text, text) {
			return true
		}
		return slices.Compare(n.peer[:], first[:]) >= 0 && slices.Compare(n.peer[:], last[:]) <= 0 && strings.HasPrefix(n.peer.String(), text)
	}
}
