package web

import (
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

// pageSource is the page's word for itself where it reports that somebody is there.
const pageSource = "page"

// activity notes that somebody does something on the page, which says so once a minute
// at most. It watches from then on, and what it does not hear of, nobody did.
func (s *Server) activity(w http.ResponseWriter, r *http.Request) {
	if _, err := s.client.Presence().ReportActivity(r.Context(), &contactsv1.ReportActivityRequest{Source: pageSource}); err != nil {
		s.failed(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
