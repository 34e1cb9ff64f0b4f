package web

import (
	"net/http"
	"slices"

	contactsv1 "contactsd/api/contacts/v1"
)

// aboutView is what there is to know and to decide of one contact.
type aboutView struct {
	Contact *contactsv1.Contact
	Why     []string            // how it is reached now
	Groups  []*contactsv1.Group // all there are
	Fault   *fault              // of the remark
	Saved   bool
}

// In reports whether the contact is in a group.
func (v aboutView) In(group string) bool { return slices.Contains(v.Contact.GetGroups(), group) }

func (s *Server) aboutOf(r *http.Request) (aboutView, error) {
	odid := r.PathValue("odid")
	got, err := s.client.Contacts().GetContact(r.Context(), &contactsv1.GetContactRequest{Contact: odid})
	if err != nil {
		return aboutView{}, err
	}
	why, err := s.client.Contacts().ExplainContact(r.Context(), &contactsv1.ExplainContactRequest{Contact: odid})
	if err != nil {
		return aboutView{}, err
	}
	groups, err := s.client.Groups().ListGroups(r.Context(), &contactsv1.ListGroupsRequest{})
	return aboutView{Contact: got.Contact, Why: why.Why, Groups: groups.GetGroups()}, err
}

func (s *Server) about(w http.ResponseWriter, r *http.Request) {
	v, err := s.aboutOf(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.screen(w, r, http.StatusOK, "about", "About "+title(v.Contact), v)
}

// state answers with the part of it that changes by itself.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	v, err := s.aboutOf(r)
	if err != nil {
		s.part(w, status(err), "log-failed", faultOf(err))
		return
	}
	s.part(w, http.StatusOK, "state", v)
}

func (s *Server) setRemark(w http.ResponseWriter, r *http.Request) {
	remark := r.PostFormValue("remark")
	got, err := s.client.Contacts().SetContact(r.Context(), &contactsv1.SetContactRequest{Contact: r.PathValue("odid"), Remark: &remark})
	v := aboutView{Contact: got.GetContact(), Saved: err == nil, Fault: faultOf(err)}
	if err != nil {
		v.Contact = &contactsv1.Contact{Odid: r.PathValue("odid"), Remark: remark}
	}
	if fragment(r) {
		s.part(w, status(err), "remark", v)
		return
	}
	http.Redirect(w, r, "/c/"+r.PathValue("odid")+"/about", http.StatusSeeOther)
}

// narrow withdraws one permission, at once. There is no way to give one back here: who
// wants it asks for it.
func (s *Server) narrow(w http.ResponseWriter, r *http.Request) {
	odid := r.PathValue("odid")
	_, err := s.client.Contacts().NarrowPermissions(r.Context(), &contactsv1.NarrowPermissionsRequest{
		Contact: odid, Permissions: []string{r.PostFormValue("permission")},
	})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.done(w, r, "/c/"+odid+"/about")
}

func (s *Server) block(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Contacts().BlockContacts(r.Context(), &contactsv1.BlockContactsRequest{Contacts: []string{r.PathValue("odid")}})
	s.batched(w, r, got.GetResults(), err, "/blocked")
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Contacts().RemoveContacts(r.Context(), &contactsv1.RemoveContactsRequest{
		Contacts: []string{r.PathValue("odid")}, Both: r.PostFormValue("both") != "",
	})
	s.batched(w, r, got.GetResults(), err, "/")
}

// batched answers an act on one item.
func (s *Server) batched(w http.ResponseWriter, r *http.Request, results []*contactsv1.Result, err error, to string) {
	if err != nil {
		s.failed(w, r, err)
		return
	}
	for _, one := range results {
		if !one.Ok {
			s.screen(w, r, http.StatusUnprocessableEntity, "failed", "Something went wrong", &fault{Text: one.Error})
			return
		}
	}
	s.done(w, r, to)
}
