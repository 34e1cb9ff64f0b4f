package web

import (
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

// aboutView is what there is to know and to decide of one contact.
type aboutView struct {
	Contact *contactsv1.Contact
	Why     []string // how it is reached now
	Fault   *fault   // of the remark
	Saved   bool
}

func (s *Server) aboutOf(r *http.Request) (aboutView, error) {
	odid := r.PathValue("odid")
	got, err := s.client.Contacts().GetContact(r.Context(), &contactsv1.GetContactRequest{Contact: odid})
	if err != nil {
		return aboutView{}, err
	}
	why, err := s.client.Contacts().ExplainContact(r.Context(), &contactsv1.ExplainContactRequest{Contact: odid})
	return aboutView{Contact: got.GetContact(), Why: why.GetWhy()}, err
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

// blockedView lists who is blocked.
type blockedView struct {
	Contacts []*contactsv1.Contact
	Total    uint32
	Next     string
}

func (s *Server) blocked(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Contacts().ListContacts(r.Context(), &contactsv1.ListContactsRequest{
		All: true, Filter: "relation:blocked", PageToken: r.FormValue("after"),
	})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.screen(w, r, http.StatusOK, "blocked", "Blocked", blockedView{got.Contacts, got.Total, got.NextPageToken})
}

func (s *Server) unblock(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Contacts().UnblockContacts(r.Context(), &contactsv1.UnblockContactsRequest{Contacts: []string{r.PostFormValue("odid")}})
	s.batched(w, r, got.GetResults(), err, "/blocked")
}
