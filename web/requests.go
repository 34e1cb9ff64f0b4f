package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// requestsView is what waits for an answer, here and elsewhere.
type requestsView struct {
	In    []*contactsv1.Request
	Total uint32 // that wait here
	Out   []*contactsv1.Request
	Fault *fault
}

func (s *Server) requestsOf(ctx context.Context) (v requestsView, err error) {
	in, err := s.client.Requests().ListRequests(ctx, &contactsv1.ListRequestsRequest{Direction: "in"})
	if err != nil {
		return v, err
	}
	out, err := s.client.Requests().ListRequests(ctx, &contactsv1.ListRequestsRequest{Direction: "out"})
	return requestsView{In: in.Requests, Total: in.Total, Out: out.GetRequests()}, err
}

func (s *Server) requests(w http.ResponseWriter, r *http.Request) { s.showRequests(w, r, nil) }

func (s *Server) showRequests(w http.ResponseWriter, r *http.Request, why *fault) {
	v, err := s.requestsOf(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	code := http.StatusOK
	if v.Fault = why; why != nil {
		code = http.StatusUnprocessableEntity
	}
	s.screen(w, r, code, "requests", "Requests", v)
}

// badge answers with how many requests wait here, with nothing if none do.
func (s *Server) badge(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Requests().ListRequests(r.Context(), &contactsv1.ListRequestsRequest{PageSize: 1})
	if err != nil {
		s.part(w, status(err), "badge", uint32(0))
		return
	}
	s.part(w, http.StatusOK, "badge", got.Total)
}

// answer answers the requests that are named, as the button that was pressed says.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return
	}
	if len(r.PostForm["id"]) == 0 {
		s.showRequests(w, r, &fault{Text: "No request is chosen.", Hint: "Tick those that you want to answer."})
		return
	}
	req := &contactsv1.AnswerRequestsRequest{Requests: r.PostForm["id"], Answer: r.PostForm.Get("answer")}
	if req.Answer == "accept" {
		req.Permissions = r.PostForm["permission"]
	}
	got, err := s.client.Requests().AnswerRequests(r.Context(), req)
	if err != nil {
		s.showRequests(w, r, faultOf(err))
		return
	}
	for _, one := range got.Results {
		if !one.Ok {
			s.showRequests(w, r, &fault{Text: one.Error})
			return
		}
	}
	s.done(w, r, "/requests")
}

func (s *Server) cancelRequest(w http.ResponseWriter, r *http.Request) {
	odid := r.PostFormValue("odid")
	var err error
	if r.PostFormValue("kind") == cardKind {
		_, err = s.client.Cards().CancelCardAsk(r.Context(), &contactsv1.CancelCardAskRequest{Contact: odid})
	} else {
		_, err = s.client.Requests().CancelRequest(r.Context(), &contactsv1.CancelRequestRequest{Contact: odid})
	}
	if err != nil {
		s.showRequests(w, r, faultOf(err))
		return
	}
	s.done(w, r, "/requests")
}

// ask asks a contact to be allowed more.
func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return
	}
	odid := r.PathValue("odid")
	_, err := s.client.Requests().AskContact(r.Context(), &contactsv1.AskContactRequest{
		Contact: odid, Permissions: r.PostForm["permission"], Wording: strings.TrimSpace(r.PostForm.Get("wording")), OneWay: r.PostForm.Get("one_way") != "",
	})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.done(w, r, "/requests")
}

// cardKind is the kind of a request for a contact card.
const cardKind = "card"

// wantsCard reports whether a contact card is asked for.
func wantsCard(r *contactsv1.Request) bool { return slices.Contains(r.Kinds, cardKind) }

// requestWord says how a request to somebody else stands.
func requestWord(state string) string {
	switch state {
	case "queued":
		return "Waits until their device can be reached"
	case "sent":
		return "They have not answered yet"
	case "working":
		return "This device does the work that theirs wants to see first"
	case "later":
		return "Their device has no room for requests now; it is asked again"
	}
	return state
}
