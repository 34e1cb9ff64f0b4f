package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"

	"connectrpc.com/connect"

	"contactsd/api"
	contactsv1 "contactsd/api/contacts/v1"
)

// serveEvents answers GET /v1/events?after=N with the events as server-sent
// events (HTML standard, section 9.2): id is the cursor, event the type, data
// the event as JSON. Without after, or the Last-Event-ID of a client that
// returns, it begins with the next event. An error before the first event is
// answered as in any call, a later one is sent as the event "error", whose data
// is {code, message, reason, hint}: a reader that was too slow is told with
// out_of_range that events are missing.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.untilStop(r.Context())
	defer cancel()
	out := http.NewResponseController(w)
	begun := false
	send := func(m *contactsv1.WatchEventsResponse) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprintf(w, ": events after %s\n\n", m.Cursor)
		}
		if m.Event != nil {
			if err := writeEvent(w, m.Event); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	after := cmp.Or(r.URL.Query().Get("after"), r.Header.Get("Last-Event-ID"))
	err := s.follow(ctx, after, send)
	if ctx.Err() != nil {
		s.counts.ended("GET /v1/events", nil)
		return // the client has gone, or the daemon stops: it will come back by itself
	}
	told := explainer{s}.explain("GET /v1/events", err)
	s.counts.ended("GET /v1/events", told)
	if !begun {
		connect.NewErrorWriter().Write(w, r, told)
		return
	}
	writeError(w, told)
}

// writeError sends what ended a stream, as errors of calls are told, in one line.
func writeError(w http.ResponseWriter, err error) {
	e, _ := explain(err)
	info := infoOf(e)
	data, merr := json.Marshal(struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Reason  string `json:"reason"`
		Hint    string `json:"hint"`
	}{e.Code().String(), e.Message(), info.GetReason(), info.GetHint()})
	if merr == nil {
		fmt.Fprintf(w, "event: error\ndata: %s\n\n", data)
	}
}

func writeEvent(w http.ResponseWriter, e *contactsv1.Event) error {
	data, err := api.MarshalJSON(e)
	if err != nil {
		return err
	}
	id := ""
	if e.Cursor != "" {
		id = "id: " + e.Cursor + "\n"
	}
	_, err = fmt.Fprintf(w, "%sevent: %s\ndata: %s\n\n", id, e.Type, data)
	return err
}
