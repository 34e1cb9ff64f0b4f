package web

import (
	"context"
	"net/http"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// onlyView is what can be chosen to shorten the list. Each choice is a term of the
// filter that ListContacts takes.
type onlyView struct {
	Groups []*contactsv1.Group
	Chosen string
}

func (s *Server) onlyOf(ctx context.Context, chosen string) (onlyView, error) {
	got, err := s.client.Groups().ListGroups(ctx, &contactsv1.ListGroupsRequest{})
	return onlyView{got.GetGroups(), chosen}, err
}

// only answers with the choices as they are now.
func (s *Server) only(w http.ResponseWriter, r *http.Request) {
	v, err := s.onlyOf(r.Context(), r.FormValue("only"))
	if err != nil {
		http.Error(w, "the daemon does not answer", status(err))
		return
	}
	s.part(w, http.StatusOK, "only", v)
}

// groupTerm is the term of a filter that fits those in a group.
func groupTerm(name string) string {
	return `group:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
