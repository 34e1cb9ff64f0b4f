package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"sync"
)

//go:embed templates
var sources embed.FS

// pages are the templates, read when the first one is needed: most daemons start
// without anybody looking.
type pages struct {
	once sync.Once
	set  *template.Template
	v    string
}

func newPages() *pages { return &pages{} }

func (p *pages) get() *template.Template {
	p.once.Do(func() {
		p.v = version()
		p.set = template.Must(template.New("").Funcs(words()).ParseFS(sources, "templates/*.html"))
	})
	return p.set
}

// write renders one template. One that fails is a fault of this package.
func (p *pages) write(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	err := p.get().ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err
}

// frame is a whole page: the list beside one screen.
type frame struct {
	V      string // version of the static files
	Title  string
	Screen template.HTML
	Me     meView
	List   listView
	Only   onlyView
}

// fragment reports whether htmx asks for a part of the page.
func fragment(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Request-Type") != "full"
}

// screen answers with one screen: alone if htmx asks for it, else within a page.
func (s *Server) screen(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	body, err := s.pages.write(name, data)
	if err != nil {
		s.broken(w, err)
		return
	}
	if fragment(r) {
		s.part(w, status, "screen", frame{Title: title, Screen: body})
		return
	}
	f := frame{V: s.pages.v, Title: title, Screen: body}
	if f.Me, err = s.meOf(r.Context()); err != nil {
		s.plain(w, http.StatusBadGateway, "down")
		return
	}
	if f.List, err = s.listed(r.Context(), listQuery{}); err != nil {
		s.plain(w, http.StatusBadGateway, "down")
		return
	}
	if f.Only, err = s.onlyOf(r.Context(), ""); err != nil {
		s.plain(w, http.StatusBadGateway, "down")
		return
	}
	s.part(w, status, "page", f)
}

// part answers with a piece of a page.
func (s *Server) part(w http.ResponseWriter, status int, name string, data any) {
	body, err := s.pages.write(name, data)
	if err != nil {
		s.broken(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(body))
}

// plain answers with a page that needs no session and nothing of the daemon.
func (s *Server) plain(w http.ResponseWriter, status int, name string) {
	s.pages.get()
	s.part(w, status, name, frame{V: s.pages.v})
}

func (s *Server) broken(w http.ResponseWriter, err error) {
	s.log.Error("page: render", "err", err)
	http.Error(w, "the page is broken; the daemon's log says more", http.StatusInternalServerError)
}

// done answers an act that succeeded: htmx goes on to a screen, and so does a
// browser without it. To the screen on which one is, one goes without a step that
// Back would have to undo.
func (s *Server) done(w http.ResponseWriter, r *http.Request, to string) {
	if !fragment(r) {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	push := "true"
	if at, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && at.Path == to {
		push = "false"
	}
	w.Header().Set("HX-Location", fmt.Sprintf(`{"path":%q,"target":"#main","push":%q}`, to, push))
	w.WriteHeader(http.StatusNoContent)
}

// nowhere answers for a screen that there is not.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	s.screen(w, r, http.StatusNotFound, "nowhere", "Not found", nil)
}
