package contact

import (
	"bytes"
	"slices"
	"time"
)

// Link is a connection with a contact, as the budget of connections sees it.
type Link struct {
	Peer  ODID
	Trust Trust
	Since time.Time // when it was made
	Used  time.Time // when a message or an act of the user last went over it, zero if never
	Busy  bool      // something is under way
}

// What a budget goes by.
const (
	linkSettles = 30 * time.Second // a new connection is left alone, so that what it was made for gets said
	linkInUse   = time.Minute      // one that was used is, too
	linkRecent  = time.Hour        // used within this time counts before trust
)

// Spare returns the connections to end so that at most budget are kept: the ones
// used within the hour, the last one first, then paired contacts, and of equals
// the oldest. So who comes when all places are taken does not put anybody out who
// is no less, and nobody takes turns. What is new or in use is not ended yet,
// and for the time there are more.
func Spare(links []Link, budget int, now time.Time) (end []ODID) {
	over := len(links) - budget
	if over <= 0 {
		return nil
	}
	sorted := slices.Clone(links)
	slices.SortFunc(sorted, func(a, b Link) int { return less(a, b, now) })
	for _, l := range sorted[:over] {
		if !l.Busy && now.Sub(l.Since) >= linkSettles && (l.Used.IsZero() || now.Sub(l.Used) >= linkInUse) {
			end = append(end, l.Peer)
		}
	}
	return end
}

// less orders connections, those to be ended first at the front.
func less(a, b Link, now time.Time) int {
	recent := func(l Link) time.Time {
		if l.Used.IsZero() || now.Sub(l.Used) >= linkRecent {
			return time.Time{}
		}
		return l.Used
	}
	if c := recent(a).Compare(recent(b)); c != 0 {
		return c
	}
	if c := int(a.Trust) - int(b.Trust); c != 0 {
		return c
	}
	if c := b.Since.Compare(a.Since); c != 0 {
		return c
	}
	return bytes.Compare(a.Peer[:], b.Peer[:])
}
