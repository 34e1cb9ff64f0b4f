package web

import (
	"context"
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

// meView is this device as the list shows it.
type meView struct {
	*contactsv1.GetStatusResponse
	Profile *contactsv1.Profile
}

func (s *Server) meOf(ctx context.Context) (v meView, err error) {
	if v.GetStatusResponse, err = s.client.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{}); err != nil {
		return v, err
	}
	got, err := s.client.Profile().GetProfile(ctx, &contactsv1.GetProfileRequest{})
	v.Profile = got.GetProfile()
	return v, err
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	v, err := s.meOf(r.Context())
	if err != nil {
		s.part(w, status(err), "list-failed", faultOf(err))
		return
	}
	s.part(w, http.StatusOK, "me", v)
}
