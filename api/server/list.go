package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/presence"
	"contactsd/relation"
)

func (s contacts) ListContacts(_ context.Context, req *contactsv1.ListContactsRequest) (*contactsv1.ListContactsResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	fits, err := s.filter(req.Filter)
	if err != nil {
		return nil, err
	}
	order, err := s.order(req.Sort)
	if err != nil {
		return nil, err
	}
	list, err := s.list(req.All)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c relation.Contact) bool { return !fits(c) })
	order(list)
	from, err := resume(list, req.PageToken)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListContactsResponse{Total: uint32(len(list))}
	page := list[from:min(from+size, len(list))]
	for _, c := range page {
		r.Contacts = append(r.Contacts, s.contact(c))
	}
	if next := from + len(page); next < len(list) {
		r.NextPageToken = pageToken(next, page[len(page)-1].ODID)
	} else {
		s.paging.drop()
	}
	return r, nil
}

// paging keeps the list between two pages, so that reading all of a long list
// takes time in proportion to it. It is good as long as the journal stands
// still, since no contact changes without an event.
type paging struct {
	mu     sync.Mutex
	list   []relation.Contact // nil if none is kept
	all    bool
	cursor uint64
}

func (p *paging) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = nil
}

// list returns the contacts by title; the caller may change the slice.
func (s contacts) list(all bool) ([]relation.Contact, error) {
	cursor, err := s.node.DB.Cursor()
	if err != nil {
		return nil, err
	}
	p := &s.paging
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil || p.all != all || p.cursor != cursor {
		list, err := s.node.Relation.List(all)
		if err != nil {
			return nil, err
		}
		p.list, p.all, p.cursor = list, all, cursor
	}
	return slices.Clone(p.list), nil
}

// A page token is where the next page begins and, since contacts may be added
// and removed between two pages, the contact before that place.
func pageToken(next int, last contact.ODID) string { return strconv.Itoa(next) + ":" + last.String() }

// resume returns where in list the page of token begins: after the contact that
// it names, or, when that is gone, at the place.
func resume(list []relation.Contact, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	place, id, _ := strings.Cut(token, ":")
	next, err := strconv.Atoi(place)
	last, perr := contact.ParseODID(id)
	if err != nil || perr != nil || next < 1 {
		return 0, invalid("page_token", "not from a page of this list")
	}
	if i := slices.IndexFunc(list, func(c relation.Contact) bool { return c.ODID == last }); i >= 0 {
		return i + 1, nil
	}
	return min(next, len(list)), nil
}

// filter reads what a contact must be to be listed.
func (s contacts) filter(text string) (func(relation.Contact) bool, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if key, want, ok := strings.Cut(lower, ":"); ok {
		if known := filterValues()[key]; known != nil && !slices.Contains(known, want) {
			return nil, invalid("filter", "unknown %s %q: use %s", key, clip(want), strings.Join(known, ", "))
		}
		switch key {
		case "trust":
			return func(c relation.Contact) bool { return c.View.Trust.String() == want }, nil
		case "relation":
			return func(c relation.Contact) bool { return c.View.Status.String() == want }, nil
		case "presence":
			return func(c relation.Contact) bool { return s.node.Presence.Of(c.ODID).State.String() == want }, nil
		}
		return nil, invalid("filter", "unknown key %q: use trust, relation or presence", clip(key))
	}
	return func(c relation.Contact) bool {
		return lower == "" || strings.Contains(strings.ToLower(c.Remark), lower) ||
			strings.Contains(strings.ToLower(c.Name), lower) || strings.HasPrefix(c.ODID.String(), lower)
	}, nil
}

// filterValues returns what may stand after each key of a filter.
func filterValues() map[string][]string {
	values := map[string][]string{"trust": {contact.Untrusted.String(), contact.Paired.String()}}
	for _, s := range []contact.Status{contact.StatusAccepted, contact.StatusPending, contact.StatusBlocked, contact.StatusReported, contact.StatusRemoved} {
		values["relation"] = append(values["relation"], s.String())
	}
	for _, s := range []presence.State{presence.Unknown, presence.Online, presence.Away, presence.Busy, presence.Offline} {
		values["presence"] = append(values["presence"], s.String())
	}
	return values
}

// order returns what sorts a list that is sorted by title already.
func (s contacts) order(key string) (func([]relation.Contact), error) {
	key, reverse := strings.CutPrefix(key, "-")
	var by func([]relation.Contact)
	switch key {
	case "", "name":
		by = func([]relation.Contact) {}
	case "added":
		by = func(list []relation.Contact) {
			slices.SortStableFunc(list, func(a, b relation.Contact) int { return a.AddedAt.Compare(b.AddedAt) })
		}
	case "seen":
		by = func(list []relation.Contact) {
			seen := make(map[contact.ODID]time.Time, len(list))
			for _, c := range list {
				seen[c.ODID] = s.node.Presence.Of(c.ODID).LastSeen
			}
			slices.SortStableFunc(list, func(a, b relation.Contact) int {
				return seen[a.ODID].Compare(seen[b.ODID])
			})
		}
	default:
		return nil, invalid("sort", "unknown key %q: use name, added or seen", clip(key))
	}
	if !reverse {
		return by, nil
	}
	return func(list []relation.Contact) { by(list); slices.Reverse(list) }, nil
}
