package web

import (
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

// settingsView is this device and how it behaves.
type settingsView struct {
	Status   *contactsv1.GetStatusResponse
	Settings []*contactsv1.Setting
	Fault    *fault
}

func (s *Server) settingsOf(r *http.Request) (v settingsView, err error) {
	if v.Status, err = s.client.Device().GetStatus(r.Context(), &contactsv1.GetStatusRequest{}); err != nil {
		return v, err
	}
	got, err := s.client.Device().GetSettings(r.Context(), &contactsv1.GetSettingsRequest{})
	v.Settings = got.GetSettings()
	return v, err
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	s.showSettings(w, r, nil)
}

func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, why error) {
	v, err := s.settingsOf(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v.Fault = faultOf(why)
	s.screen(w, r, status(why), "settings", "Settings", v)
}

// setSetting changes the one that the form names.
func (s *Server) setSetting(w http.ResponseWriter, r *http.Request) {
	_, err := s.client.Device().SetSettings(r.Context(), &contactsv1.SetSettingsRequest{
		Settings: map[string]string{r.PostFormValue("name"): r.PostFormValue("value")},
	})
	if err != nil {
		s.showSettings(w, r, err)
		return
	}
	s.done(w, r, "/settings")
}
