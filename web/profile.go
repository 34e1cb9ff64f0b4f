package web

import (
	"errors"
	"io"
	"net/http"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// profileView is what this device tells of its user, or what was typed instead.
type profileView struct {
	Profile *contactsv1.Profile
	Texts   *fault // of the texts
	Picture *fault
}

func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	s.showProfile(w, r, http.StatusOK, profileView{})
}

// showProfile answers with the screen; the texts of v, if it has any, stand in for
// those that are kept.
func (s *Server) showProfile(w http.ResponseWriter, r *http.Request, code int, v profileView) {
	got, err := s.client.Profile().GetProfile(r.Context(), &contactsv1.GetProfileRequest{})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	kept := got.Profile
	if typed := v.Profile; typed != nil {
		kept.Name, kept.Bio, kept.Skills, kept.Communities = typed.Name, typed.Bio, typed.Skills, typed.Communities
	}
	v.Profile = kept
	s.screen(w, r, code, "profile", "My profile", v)
}

func (s *Server) setProfile(w http.ResponseWriter, r *http.Request) {
	p := &contactsv1.Profile{
		Name: strings.TrimSpace(r.PostFormValue("name")),
		// A form has its lines end as those of a mail (HTML standard, section 4.10.21.4).
		Bio:    strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("bio"), "\r\n", "\n")),
		Skills: wordsOf(r.PostFormValue("skills")), Communities: wordsOf(r.PostFormValue("communities")),
	}
	_, err := s.client.Profile().SetProfile(r.Context(), &contactsv1.SetProfileRequest{
		Name: &p.Name, Bio: &p.Bio, Skills: &contactsv1.Words{Words: p.Skills}, Communities: &contactsv1.Words{Words: p.Communities},
	})
	if err != nil {
		s.showProfile(w, r, status(err), profileView{Profile: p, Texts: faultOf(err)})
		return
	}
	s.done(w, r, "/profile")
}

// wordsOf reads words with commas between them.
func wordsOf(text string) (words []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// setPicture takes the picture of a form, which the page has made small already.
func (s *Server) setPicture(w http.ResponseWriter, r *http.Request) {
	refuse := func(f *fault) { s.showProfile(w, r, http.StatusUnprocessableEntity, profileView{Picture: f}) }
	f, _, err := r.FormFile("picture")
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		refuse(&fault{"That picture is too large.", "Take one of at most 64 KiB."})
		return
	case err != nil:
		refuse(&fault{"No picture is chosen.", ""})
		return
	}
	defer f.Close()
	given, err := io.ReadAll(f) // bounded as any form is
	if err != nil || len(given) == 0 {
		refuse(&fault{"That picture can’t be read.", "Take a PNG, JPEG or WebP file."})
		return
	}
	s.changePicture(w, r, given)
}

func (s *Server) removePicture(w http.ResponseWriter, r *http.Request) {
	s.changePicture(w, r, []byte{})
}

func (s *Server) changePicture(w http.ResponseWriter, r *http.Request, given []byte) {
	if _, err := s.client.Profile().SetProfile(r.Context(), &contactsv1.SetProfileRequest{Avatar: given}); err != nil {
		s.showProfile(w, r, status(err), profileView{Picture: faultOf(err)})
		return
	}
	s.done(w, r, "/profile")
}

// picture answers with the picture of this device, or of the one that the address
// names. Whatever it is, the daemon has encoded it (package profile).
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	var p *contactsv1.Profile
	if odid := r.PathValue("odid"); odid == "" {
		got, err := s.client.Profile().GetProfile(r.Context(), &contactsv1.GetProfileRequest{})
		if err != nil {
			http.Error(w, "no picture", status(err))
			return
		}
		p = got.Profile
	} else {
		got, err := s.client.Profile().GetContactProfile(r.Context(), &contactsv1.GetContactProfileRequest{Contact: odid, KeptOnly: true})
		if err != nil {
			http.Error(w, "no picture", http.StatusNotFound)
			return
		}
		p = got.Profile
	}
	if len(p.Avatar) == 0 {
		http.Error(w, "no picture", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", p.AvatarType)
	w.Write(p.Avatar)
}

// lookView is the profile of another device.
type lookView struct {
	Profile *contactsv1.Profile // nil if there is none
	Listed  bool                // it is a contact
	Fault   *fault
	Add     pairView // to add it from here
}

func (s *Server) lookedUp(r *http.Request, odid, at string) lookView {
	v := lookView{Add: pairView{ODID: odid, At: at}}
	got, err := s.client.Profile().GetContactProfile(r.Context(), &contactsv1.GetContactProfileRequest{Contact: odid, At: at})
	if err != nil {
		v.Fault = faultOf(err)
		return v
	}
	v.Profile, v.Listed, v.Add.Source = got.Profile, got.Listed, "profile"
	return v
}

// look shows a profile before its device is added.
func (s *Server) look(w http.ResponseWriter, r *http.Request) {
	v := s.lookedUp(r, strings.TrimSpace(r.FormValue("odid")), strings.TrimSpace(r.FormValue("at")))
	if v.Profile == nil {
		s.screen(w, r, http.StatusUnprocessableEntity, "look", "Profile", v)
		return
	}
	own, err := s.client.Profile().GetProfile(r.Context(), &contactsv1.GetProfileRequest{})
	if err == nil && own.Profile.Odid == v.Profile.Odid {
		s.done(w, r, "/profile")
		return
	}
	s.screen(w, r, http.StatusOK, "look", profileTitle(v.Profile), v)
}

// contactProfile answers with what a contact's device tells of its user, asked now.
func (s *Server) contactProfile(w http.ResponseWriter, r *http.Request) {
	s.part(w, http.StatusOK, "told", s.lookedUp(r, r.PathValue("odid"), ""))
}

// profileTitle is what a device calls itself, else the beginning of its ODID.
func profileTitle(p *contactsv1.Profile) string {
	return title(&contactsv1.Contact{Name: p.GetName(), Odid: p.GetOdid()})
}
