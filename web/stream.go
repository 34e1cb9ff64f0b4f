package web

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// writeFor is how long a browser may take to take an event.
const writeFor = 10 * time.Second

// stream sends server-sent events (HTML standard, section 9.2). htmx puts one
// without a name into the page, and makes one with a name an event of the element
// that listens.
type stream struct {
	w   http.ResponseWriter
	out *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	return &stream{w, http.NewResponseController(w)}
}

// swap puts HTML where the element that listens wants it.
func (s *stream) swap(html string) error { return s.event("", html) }

func (s *stream) event(name, data string) error {
	var b bytes.Buffer
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range strings.Lines(data) {
		b.WriteString("data: " + strings.TrimRight(line, "\r\n") + "\n")
	}
	b.WriteString("\n")
	s.out.SetWriteDeadline(time.Now().Add(writeFor))
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return err
	}
	return s.out.Flush()
}
