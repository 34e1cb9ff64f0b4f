package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/node"
	"contactsd/presence"
	"contactsd/relation"
)

func (s contacts) ListContacts(_ context.Context, req *contactsv1.ListContactsRequest) (*contactsv1.ListContactsResponse, error) {
	q, err := s.query(req)
	if err != nil {
		return nil, err
	}
	page, err := s.node.Relation.Page(q)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListContactsResponse{Total: uint32(page.Total)}
	for _, c := range page.Contacts {
		r.Contacts = append(r.Contacts, s.contact(c))
	}
	if page.Next > 0 {
		r.NextPageToken = pageToken(page.Next, page.Last)
	}
	return r, nil
}

// query reads what is to be listed.
func (s contacts) query(req *contactsv1.ListContactsRequest) (q relation.Query, err error) {
	q = relation.Query{All: req.All, Presence: presenceList{s.node}}
	if q.Limit, err = pageSize(req.PageSize); err != nil {
		return q, err
	}
	if q.Filter, err = relation.ParseFilter(req.Filter); err != nil {
		return q, err
	}
	if q.Sort, err = relation.ParseSort(req.Sort); err != nil {
		return q, err
	}
	q.Place, q.After, err = parsePageToken(req.PageToken)
	return q, err
}

// presenceList tells lists of contacts who is there.
type presenceList struct{ node *node.Node }

func (p presenceList) Each(f func(peer contact.ODID, state string, seen time.Time)) {
	p.node.Presence.Each(func(peer contact.ODID, p presence.Presence) { f(peer, p.State.String(), p.LastSeen) })
}

func (p presenceList) Sightings(f func(peer contact.ODID, seen time.Time)) error {
	return p.node.Presence.Sightings(f)
}

// A page token is where the next page begins and, since contacts may be added
// and removed between two pages, the contact before that place.
func pageToken(next int, last contact.ODID) string { return strconv.Itoa(next) + ":" + last.String() }

// parsePageToken reads a page token; the empty one is that of the first page.
func parsePageToken(token string) (place int, last contact.ODID, err error) {
	if token == "" {
		return 0, last, nil
	}
	number, id, _ := strings.Cut(token, ":")
	place, err = strconv.Atoi(number)
	last, perr := contact.ParseODID(id)
	if err != nil || perr != nil || place < 1 {
		return 0, last, invalid("page_token", "not from a page of this list")
	}
	return place, last, nil
}
