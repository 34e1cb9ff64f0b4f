package web

import (
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

func (s *Server) blocked(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Blocklist().ListBlocked(r.Context(), &contactsv1.ListBlockedRequest{PageToken: r.FormValue("after")})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.screen(w, r, http.StatusOK, "blocked", "Blocked", got)
}

func (s *Server) unblock(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Contacts().UnblockContacts(r.Context(), &contactsv1.UnblockContactsRequest{Contacts: []string{r.PostFormValue("odid")}})
	s.batched(w, r, got.GetResults(), err, "/blocked")
}
