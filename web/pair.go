package web

import (
	"context"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	contactsv1 "contactsd/api/contacts/v1"
)

// pairFor bounds how long entering a code may take: up to three devices are tried, 20
// seconds each, after a search for them.
const pairFor = 90 * time.Second

// pairView is the screen on which two devices find each other.
type pairView struct {
	First   bool // nobody is on the list yet
	Code    string
	At      string
	Fault   *fault // of the code that was entered
	ODID    string
	Source  string // where that was found: profile, or empty
	Remark  string
	Wording string
	Add     *fault // of the ODID that was entered
	Done    *contactsv1.Contact
	Slow    bool // the other device has not confirmed yet
}

func (s *Server) pair(w http.ResponseWriter, r *http.Request) {
	s.screen(w, r, http.StatusOK, "pair", "Add a contact", pairView{})
}

func (s *Server) enterCode(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pairFor)
	defer cancel()
	v := pairView{Code: strings.TrimSpace(r.PostFormValue("code")), At: strings.TrimSpace(r.PostFormValue("at"))}
	got, err := s.client.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: v.Code, At: v.At})
	v.Fault = faultOf(err)
	if err == nil {
		v.Done, v.Slow = got.Contact, !got.Confirmed
	}
	s.entered(w, r, status(err), "enter-code", v)
}

func (s *Server) addContact(w http.ResponseWriter, r *http.Request) {
	v := pairView{
		ODID: strings.TrimSpace(r.PostFormValue("odid")), Remark: strings.TrimSpace(r.PostFormValue("remark")),
		Wording: strings.TrimSpace(r.PostFormValue("wording")), At: strings.TrimSpace(r.PostFormValue("at")), Source: r.PostFormValue("source"),
	}
	got, err := s.client.Contacts().AddContact(r.Context(), &contactsv1.AddContactRequest{
		Odid: v.ODID, Remark: v.Remark, Wording: v.Wording, OneWay: r.PostFormValue("one_way") != "", At: v.At, Source: v.Source,
	})
	if err != nil {
		v.Add = faultOf(err)
		s.entered(w, r, status(err), "add-odid", v)
		return
	}
	s.done(w, r, "/c/"+got.Contact.Odid)
}

// entered answers with the form that was sent, or with all of the screen where
// there is no htmx.
func (s *Server) entered(w http.ResponseWriter, r *http.Request, status int, form string, v pairView) {
	if fragment(r) {
		s.part(w, status, form, v)
		return
	}
	s.screen(w, r, status, "pair", "Add a contact", v)
}

func (s *Server) serveOnly(w http.ResponseWriter, r *http.Request) {
	if _, err := s.client.Pairing().ServeOnly(r.Context(), &contactsv1.ServeOnlyRequest{Odid: r.PostFormValue("odid")}); err != nil {
		s.failed(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// openCode answers with where the code is shown.
func (s *Server) openCode(w http.ResponseWriter, r *http.Request) {
	s.part(w, http.StatusOK, "code-open", r.FormValue("link") != "")
}

// hideCode takes it away, and with it the stream, so that the window closes.
func (s *Server) hideCode(w http.ResponseWriter, _ *http.Request) {
	s.part(w, http.StatusOK, "show-idle", nil)
}

// codeView is what is shown to the other device's user.
type codeView struct {
	Code   *contactsv1.Code
	QR     template.HTML
	Paired *contactsv1.Contact
	Fault  *fault
}

// code streams the code, or with link a link, for as long as somebody looks: the
// pairing window closes with the stream. It ends with who paired, or with why it
// can't go on.
func (s *Server) code(w http.ResponseWriter, r *http.Request) {
	out := newStream(w)
	show := func(name string, v codeView) error {
		html, err := s.pages.write(name, v)
		if err != nil {
			return err
		}
		return out.swap(string(html))
	}
	shown, err := s.client.Pairing().ShowCode(r.Context(), &contactsv1.ShowCodeRequest{Link: r.FormValue("link") != ""})
	if err == nil {
		defer shown.Close()
		for shown.Receive() {
			m := shown.Msg()
			switch {
			case m.GetCode() != nil:
				err = show("code", codeView{Code: m.GetCode(), QR: drawQR(m.GetCode().Link)})
			case m.GetPaired() != nil:
				err = show("code-paired", codeView{Paired: m.GetPaired()})
			case m.GetWaiting() != nil:
				var html template.HTML
				if html, err = s.pages.write("waiting", m.GetWaiting()); err == nil {
					err = out.swap(string(html))
				}
			}
			if err != nil {
				return // nobody looks any more
			}
		}
		err = shown.Err()
	}
	if r.Context().Err() != nil {
		return
	}
	if err != nil {
		show("code-ended", codeView{Fault: faultOf(err)})
	}
	out.event("done", "")
}

// quiet is the light border that a scanner needs, in modules (ISO/IEC 18004, 9.1).
const quiet = 4

// drawQR draws text as a QR code, one square of the path a dark module. It is empty
// for an empty text, or one that is too long.
func drawQR(text string) template.HTML {
	if text == "" {
		return ""
	}
	code, err := qr.Encode(text, qr.L, qr.Unicode)
	if err != nil {
		return ""
	}
	size := code.Bounds().Dx()
	var b strings.Builder
	side := strconv.Itoa(size + 2*quiet)
	b.WriteString(`<svg class="qr" role="img" aria-label="QR code of the link" viewBox="0 0 ` + side + " " + side + `"><path d="`)
	for y := range size {
		for x := range size {
			if red, _, _, _ := code.At(x, y).RGBA(); red == 0 {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String())
}
