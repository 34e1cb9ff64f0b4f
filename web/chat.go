package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	contactsv1 "contactsd/api/contacts/v1"
)

// messagesAtOnce is how many messages a chat begins with, and how many more are
// shown at a time.
const messagesAtOnce = 50

// maxMessages is how many are kept up to date at once, the API's largest page.
const maxMessages = 1000

// chatView is one contact with what was written.
type chatView struct {
	Contact *contactsv1.Contact
	Log     logView
	Compose composeView
	Attach  attachView
}

// logView is a part of the history.
type logView struct {
	ODID     string
	Messages []*contactsv1.Message
	Older    string // page token of what came before, empty if that is all
}

// composeView is where one writes.
type composeView struct {
	ODID  string
	ID    string // of the message, so that sending twice sends once
	Text  string
	Fault *fault
}

func compose(odid string) (composeView, error) {
	id, err := uuid.NewV7()
	return composeView{ODID: odid, ID: id.String()}, err
}

// contact returns the one that the address names, or answers why not.
func (s *Server) contact(w http.ResponseWriter, r *http.Request) (*contactsv1.Contact, bool) {
	got, err := s.client.Contacts().GetContact(r.Context(), &contactsv1.GetContactRequest{Contact: r.PathValue("odid")})
	if err != nil {
		s.failed(w, r, err)
		return nil, false
	}
	return got.Contact, true
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	c, ok := s.contact(w, r)
	if !ok {
		return
	}
	v := chatView{Contact: c, Attach: attachView{ODID: c.Odid}}
	var err error
	if v.Log, err = s.logged(r.Context(), c.Odid, "", messagesAtOnce); err == nil {
		v.Compose, err = compose(c.Odid)
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.screen(w, r, http.StatusOK, "chat", title(c), v)
}

// head answers with what stands above a chat.
func (s *Server) head(w http.ResponseWriter, r *http.Request) {
	if c, ok := s.contact(w, r); ok {
		s.part(w, http.StatusOK, "head", c)
	}
}

func (s *Server) logged(ctx context.Context, odid, before string, n int) (logView, error) {
	r, err := s.client.Messages().ListMessages(ctx, &contactsv1.ListMessagesRequest{Contact: odid, PageSize: uint32(n), PageToken: before})
	if err != nil {
		return logView{}, err
	}
	return logView{ODID: odid, Messages: r.Messages, Older: r.NextPageToken}, nil
}

// chatLog answers with the newest messages, from the one that is the first on the
// screen, so that no gap opens towards older ones that are shown already.
func (s *Server) chatLog(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	v, err := s.logged(r.Context(), r.PathValue("odid"), "", min(max(n, 0)+messagesAtOnce, maxMessages))
	if err != nil {
		s.part(w, status(err), "log-failed", faultOf(err))
		return
	}
	first := r.FormValue("first")
	if i := slices.IndexFunc(v.Messages, func(m *contactsv1.Message) bool { return m.Id == first }); i > 0 {
		v.Messages = v.Messages[i:]
	}
	s.part(w, http.StatusOK, "log", v)
}

// olderMessages answers with those before a page token.
func (s *Server) olderMessages(w http.ResponseWriter, r *http.Request) {
	v, err := s.logged(r.Context(), r.PathValue("odid"), r.FormValue("before"), messagesAtOnce)
	if err != nil {
		s.part(w, status(err), "log-failed", faultOf(err))
		return
	}
	s.part(w, http.StatusOK, "older", v)
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	odid := r.PathValue("odid")
	v := composeView{ODID: odid, ID: r.PostFormValue("id"), Text: r.PostFormValue("text")}
	_, err := s.client.Messages().SendMessage(r.Context(), &contactsv1.SendMessageRequest{Id: v.ID, Contact: odid, Text: v.Text})
	code := status(err)
	if err != nil {
		v.Fault = faultOf(err)
	} else if v, err = compose(odid); err != nil {
		s.broken(w, err)
		return
	}
	if fragment(r) {
		s.part(w, code, "compose", v)
		return
	}
	http.Redirect(w, r, "/c/"+odid, http.StatusSeeOther)
}

// cancelMessage takes back what waits. The log learns of it as of any change.
func (s *Server) cancelMessage(w http.ResponseWriter, r *http.Request) {
	if _, err := s.client.Messages().CancelMessage(r.Context(), &contactsv1.CancelMessageRequest{Id: r.PostFormValue("id")}); err != nil {
		s.failed(w, r, err)
		return
	}
	if fragment(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, "/c/"+r.PathValue("odid"), http.StatusSeeOther)
}
