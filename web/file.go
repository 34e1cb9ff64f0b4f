package web

import (
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"time"
)

// Login is what lets a browser in: good once, until it expires.
type Login struct {
	URL     string // the page's address with the login in it; empty if File is set
	File    string // path of a file that leads there
	Expires time.Time
}

// filePattern names the files that lead to a login, in the folder of the socket.
const filePattern = "contacts-page-*.html"

// leads is such a file. A browser follows it without a script.
var leads = template.Must(template.New("file").Parse(
	`<!doctype html><meta charset="utf-8"><title>Contacts</title><meta name="referrer" content="no-referrer">` +
		`<meta http-equiv="refresh" content="0; url={{.}}"><p><a href="{{.}}">Open Contacts</a></p>` + "\n"))

// Login makes a login, in a file of mode 0600 if asked to, so that a browser can be
// given a path, which is no secret. The file is deleted when the login was used or is
// over.
func (s *Server) Login(file bool) (Login, error) {
	if !file {
		secret, expires := s.access.issue(func() {})
		return Login{URL: s.loginURL(secret), Expires: expires}, nil
	}
	f, err := os.CreateTemp(s.dir, filePattern) // mode 0600
	if err != nil {
		return Login{}, fmt.Errorf("page: %w", err)
	}
	secret, expires := s.access.issue(func() { os.Remove(f.Name()) })
	err = leads.Execute(f, s.loginURL(secret))
	if err := errors.Join(err, f.Close()); err != nil {
		s.access.take(digestOf(secret))
		return Login{}, fmt.Errorf("page: %w", err)
	}
	return Login{File: f.Name(), Expires: expires}, nil
}

func (s *Server) loginURL(secret string) string { return s.URL() + "login#" + secret }

// clearFiles deletes all of them. The folder belongs to one daemon.
func (s *Server) clearFiles() {
	left, _ := filepath.Glob(filepath.Join(s.dir, filePattern))
	for _, f := range left {
		os.Remove(f)
	}
}
