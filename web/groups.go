package web

import (
	"net/http"
	"slices"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// groupsView is the screen of all groups.
type groupsView struct {
	Groups []*contactsv1.Group
	Fault  *fault
}

func (s *Server) groups(w http.ResponseWriter, r *http.Request) { s.showGroups(w, r, nil) }

func (s *Server) showGroups(w http.ResponseWriter, r *http.Request, why error) {
	got, err := s.client.Groups().ListGroups(r.Context(), &contactsv1.ListGroupsRequest{})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.screen(w, r, status(why), "groups", "Groups", groupsView{got.Groups, faultOf(why)})
}

func (s *Server) createGroup(w http.ResponseWriter, r *http.Request) {
	_, err := s.client.Groups().CreateGroup(r.Context(), &contactsv1.CreateGroupRequest{Group: strings.TrimSpace(r.PostFormValue("group"))})
	s.regrouped(w, r, err)
}

func (s *Server) renameGroup(w http.ResponseWriter, r *http.Request) {
	_, err := s.client.Groups().RenameGroup(r.Context(), &contactsv1.RenameGroupRequest{
		Group: r.PostFormValue("group"), To: strings.TrimSpace(r.PostFormValue("to")),
	})
	s.regrouped(w, r, err)
}

func (s *Server) deleteGroup(w http.ResponseWriter, r *http.Request) {
	_, err := s.client.Groups().DeleteGroup(r.Context(), &contactsv1.DeleteGroupRequest{Group: r.PostFormValue("group")})
	s.regrouped(w, r, err)
}

func (s *Server) regrouped(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.showGroups(w, r, err)
		return
	}
	s.done(w, r, "/groups")
}

// setGroups puts a contact into the groups that are ticked, and no others.
func (s *Server) setGroups(w http.ResponseWriter, r *http.Request) {
	odid := r.PathValue("odid")
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return
	}
	_, err := s.client.Contacts().SetContact(r.Context(), &contactsv1.SetContactRequest{
		Contact: odid, Groups: &contactsv1.GroupNames{Names: slices.Clone(r.PostForm["group"])},
	})
	s.noted(w, r, err)
}

// setField notes something of a contact as text, or takes a note away.
func (s *Server) setField(w http.ResponseWriter, r *http.Request) {
	f := &contactsv1.Field{Key: strings.TrimSpace(r.PostFormValue("key"))}
	if r.PostFormValue("delete") == "" {
		f.Value = &contactsv1.Field_Text{Text: strings.TrimSpace(r.PostFormValue("value"))}
	}
	_, err := s.client.Contacts().SetContact(r.Context(), &contactsv1.SetContactRequest{Contact: r.PathValue("odid"), Fields: []*contactsv1.Field{f}})
	s.noted(w, r, err)
}

func (s *Server) noted(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.done(w, r, "/c/"+r.PathValue("odid")+"/about")
}
