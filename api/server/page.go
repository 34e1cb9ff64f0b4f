package server

import (
	"context"
	"errors"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
)

// Login is what lets a browser into the Contacts page once.
type Login struct {
	URL     string // with the login in it; empty if File is set
	File    string // leads a browser there
	Expires time.Time
}

// errPageOff answers whoever wants the page of a daemon that has none.
var errPageOff = errors.New("the page is off")

type page struct{ *Server }

func (s page) OpenPage(_ context.Context, req *contactsv1.OpenPageRequest) (*contactsv1.OpenPageResponse, error) {
	if s.openPage == nil {
		return nil, errPageOff
	}
	l, err := s.openPage(req.File)
	if err != nil {
		return nil, err
	}
	return &contactsv1.OpenPageResponse{Url: l.URL, File: l.File, ExpiresAt: stamp(l.Expires)}, nil
}
