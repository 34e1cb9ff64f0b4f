package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// How many contacts a page begins with, and how many more come as one scrolls.
const (
	rowsAtOnce = 60
	rowsMore   = 500
)

// maxRows is how many are kept up to date at once, the API's largest page.
const maxRows = 1000

// listQuery says which part of the list.
type listQuery struct {
	filter string
	only   string // a term of the filter that was chosen, not typed
	after  string // page token
	rows   int    // 0 for rowsAtOnce, or rowsMore after a token
}

// listView is a part of the list.
type listView struct {
	Contacts []*contactsv1.Contact
	Filter   string
	Only     string
	Next     string // page token, empty at the end
	Total    uint32 // that fit the filter
	More     bool   // it goes on from another part
}

func (s *Server) listed(ctx context.Context, q listQuery) (listView, error) {
	if q.rows == 0 && q.after == "" {
		q.rows = rowsAtOnce
	} else if q.rows == 0 {
		q.rows = rowsMore
	}
	r, err := s.client.Contacts().ListContacts(ctx, &contactsv1.ListContactsRequest{
		Filter: strings.TrimSpace(q.only + " " + q.filter), PageSize: uint32(q.rows), PageToken: q.after,
	})
	if err != nil {
		return listView{}, err
	}
	return listView{Contacts: r.Contacts, Filter: q.filter, Only: q.only, Next: r.NextPageToken, Total: r.Total, More: q.after != ""}, nil
}

// list answers with rows: the first ones, as many as are there already, or those
// after the ones that are.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := listQuery{filter: r.FormValue("q"), only: r.FormValue("only"), after: r.FormValue("after")}
	if n, err := strconv.Atoi(r.FormValue("n")); err == nil && q.after == "" {
		q.rows = min(max(n, rowsAtOnce), maxRows)
	}
	v, err := s.listed(r.Context(), q)
	if err != nil {
		s.part(w, status(err), "list-failed", faultOf(err))
		return
	}
	s.part(w, http.StatusOK, "list", v)
}

// home is the first screen: without contacts it says how to get one.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	v, err := s.listed(r.Context(), listQuery{rows: 1})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if v.Total == 0 {
		s.screen(w, r, http.StatusOK, "pair", "Contacts", pairView{First: true})
		return
	}
	s.screen(w, r, http.StatusOK, "home", "Contacts", v)
}

func (s *Server) setPresence(w http.ResponseWriter, r *http.Request) {
	req := &contactsv1.SetPresenceRequest{State: r.PostFormValue("state"), Text: r.PostFormValue("text")}
	if _, err := s.client.Presence().SetPresence(r.Context(), req); err != nil {
		s.failed(w, r, err)
		return
	}
	s.done(w, r, "/settings")
}
