package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	contactsv1 "contactsd/api/contacts/v1"
)

// unread is what a caller is told of a request that connect could not read, so
// that no call began.
func unread(code connect.Code) *contactsv1.ErrorInfo {
	switch code {
	case connect.CodeInvalidArgument:
		return &contactsv1.ErrorInfo{Reason: "bad_request", Hint: "compare it with the schema"}
	case connect.CodeResourceExhausted:
		return &contactsv1.ErrorInfo{Reason: "too_large", Hint: "send less at once"}
	case connect.CodeUnimplemented:
		return &contactsv1.ErrorInfo{Reason: "unsupported", Hint: "send it uncompressed, as JSON or protobuf"}
	case connect.CodeCanceled:
		return &contactsv1.ErrorInfo{Reason: "canceled"}
	case connect.CodeDeadlineExceeded:
		return &contactsv1.ErrorInfo{Reason: "timeout", Hint: "try again with a longer --timeout"}
	}
	return nil
}

// reasoned gives an error the detail that all have, if connect made it itself.
func reasoned(e *connect.Error) *connect.Error {
	info := unread(e.Code())
	if len(e.Details()) > 0 || info == nil {
		return e
	}
	return told(e.Code(), e.Message(), info)
}

// giveReasons is reasoned for unary calls: connect reads their requests, and
// answers those that it can't read, before any interceptor is asked, or counts.
func (s *Server) giveReasons(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &errorHolder{ResponseWriter: w, counts: &s.counts}
		next.ServeHTTP(h, r)
		h.release()
	})
}

// errorHolder passes on what is written to it, but keeps an error of the Connect
// protocol, which is one JSON object, until it is released.
type errorHolder struct {
	http.ResponseWriter
	counts *callCounts
	status int // of what is held, else 0
	body   bytes.Buffer
}

func (h *errorHolder) WriteHeader(status int) {
	if status >= http.StatusBadRequest && strings.HasPrefix(h.Header().Get("Content-Type"), "application/json") {
		h.status = status
		return
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *errorHolder) Write(b []byte) (int, error) {
	if h.status != 0 {
		return h.body.Write(b)
	}
	return h.ResponseWriter.Write(b)
}

// Flush implements http.Flusher, which streams need.
func (h *errorHolder) Flush() {
	if f, ok := h.ResponseWriter.(http.Flusher); ok && h.status == 0 {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (h *errorHolder) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *errorHolder) release() {
	if h.status == 0 {
		return
	}
	body, added := withReason(h.body.Bytes())
	if added != "" {
		h.counts.count(callKey{callUnread, added})
	}
	h.Header().Set("Content-Length", strconv.Itoa(len(body)))
	h.ResponseWriter.WriteHeader(h.status)
	h.ResponseWriter.Write(body)
}

// withReason adds a detail to an error that has none, in the JSON of the Connect
// protocol: {"code", "message", "details": [{"type", "value" in base64, "debug"}]}.
// It returns the code of one that it added to, else "".
func withReason(body []byte) (with []byte, added string) {
	var e struct {
		Code    connect.Code     `json:"code"`
		Message string           `json:"message,omitempty"`
		Details []map[string]any `json:"details,omitempty"`
	}
	if json.Unmarshal(body, &e) != nil || len(e.Details) > 0 {
		return body, ""
	}
	info := unread(e.Code)
	if info == nil {
		return body, ""
	}
	value, err := proto.Marshal(info)
	if err != nil {
		return body, ""
	}
	debug := map[string]string{"reason": info.Reason}
	if info.Hint != "" {
		debug["hint"] = info.Hint
	}
	e.Details = []map[string]any{{
		"type":  string(info.ProtoReflect().Descriptor().FullName()),
		"value": base64.RawStdEncoding.EncodeToString(value),
		"debug": debug,
	}}
	e.Message = clipTo(e.Message, maxErrorText)
	with, err = json.Marshal(e)
	if err != nil {
		return body, ""
	}
	return with, e.Code.String()
}
