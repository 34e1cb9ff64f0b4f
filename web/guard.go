package web

import (
	"context"
	"errors"
	"net"
	"net/http"
)

// policy is the Content-Security-Policy of every answer: only files of this package,
// no code or style inside of HTML, nothing from or to elsewhere, in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// loginPath is where a browser comes to with a login; anybody may send it there.
const loginPath = "/login"

// guard refuses whoever may not have the page, before anything is read. What each
// check is for, the documentation of the package says.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		err := s.admit(r)
		if err == nil {
			err = crossOrigin.Check(r)
		}
		if err != nil {
			s.log.Debug("page: refused", "method", r.Method, "err", err)
			http.Error(w, "refused: "+err.Error(), http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r))
		next.ServeHTTP(w, r)
	})
}

func harden(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with that, browsers leave the Origin out of forms as well.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// admit returns why a request is refused, nil if it is not.
func (s *Server) admit(r *http.Request) error {
	v, ok := r.Context().Value(peerKey{}).(verdict)
	switch {
	case !ok:
		return errors.New("caller unknown")
	case v.err != nil:
		return v.err
	case r.Host != s.host:
		return errors.New("this is not the address of the page")
	case !allowedDest(r.Header.Get("Sec-Fetch-Dest")):
		return errors.New("the page is shown in no frame")
	}
	site := r.Header.Get("Sec-Fetch-Site")
	foreign := site != "" && site != "same-origin" && site != "none"
	if safe(r.Method) {
		if foreign && r.URL.Path != loginPath {
			return errors.New("another site asked for this; enter the address yourself")
		}
		return nil
	}
	// A browser sends both with every act of a page; what sends neither is none.
	if foreign || r.Header.Get("Origin") != "http://"+s.host {
		return errors.New("another site asked for this")
	}
	return nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// allowedDest tells apart a request for what is to be shown inside of another page
// (Fetch Metadata, section 2.1).
func allowedDest(dest string) bool {
	switch dest {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return false
	}
	return true
}

// cookieName is one for each port: browsers send a cookie to every port of a host,
// and two daemons of one machine must not overwrite each other's.
func (s *Server) cookieName() string {
	_, port, _ := net.SplitHostPort(s.host)
	return "contacts-" + port
}

// signedIn lets sessions through, whose end ends the request, and shows others how
// to begin one.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var known *session
		if c, err := r.Cookie(s.cookieName()); err == nil {
			known = s.access.find(c.Value)
		}
		if known == nil {
			if fragment(r) {
				w.Header().Set("HX-Redirect", "/") // the whole window says what to do
			}
			s.plain(w, http.StatusUnauthorized, "locked")
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(known, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// enter begins a session for whoever brings a login.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	cookie, ok := s.access.redeem(r.PostFormValue("login"))
	if !ok {
		s.plain(w, http.StatusForbidden, "expired")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Value: cookie, Path: "/", MaxAge: int(sessionFor.Seconds()), HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// leave ends every session: who logs out means that others may sit here.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	s.access.endAll()
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	if fragment(r) {
		w.Header().Set("HX-Redirect", "/")
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
