package server

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
)

// metric is one number as Prometheus reads it: all of them are of the moment.
// None has a label that names a contact.
type metric struct {
	name, help string
	value      float64
}

// serveMetrics answers GET /metrics in Prometheus's text format, version 0.0.4.
func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	list, err := s.metrics()
	if err != nil {
		s.log.Error("api: metrics", "err", err)
		http.Error(w, "the daemon can't read its store: its log says why", http.StatusInternalServerError)
		return
	}
	var b bytes.Buffer
	for _, m := range list {
		fmt.Fprintf(&b, "# HELP contactsd_%[1]s %[2]s\n# TYPE contactsd_%[1]s gauge\ncontactsd_%[1]s %[3]g\n", m.name, m.help, m.value)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(b.Bytes())
}

func (s *Server) metrics() ([]metric, error) {
	listed, err := s.node.Relation.Count()
	if err != nil {
		return nil, err
	}
	counts, err := s.node.Message.Counts()
	if err != nil {
		return nil, err
	}
	short, long, err := s.node.Pairing.Guesses()
	if err != nil {
		return nil, err
	}
	cursor, err := s.node.DB.Cursor()
	if err != nil {
		return nil, err
	}
	open := 0.0
	if s.node.Pairing.WindowOpen() {
		open = 1
	}
	list := []metric{
		{"contacts", "Contacts on the list.", float64(listed)},
		{"peers", "Devices there is a connection with.", float64(len(s.node.Network.Connected()))},
		{"messages_queued", "Messages that wait in the outbox.", float64(counts.Queued)},
		{"pairing_window_open", "1 while a code or link is shown.", open},
		{"pairing_guesses_short", "Wrong codes of 6 digits in the last 24 hours.", float64(short)},
		{"pairing_guesses_long", "Wrong codes of 9 digits in the last 24 hours.", float64(long)},
		{"events", "Cursor of the newest event: how many the journal ever had.", float64(cursor)},
		{"goroutines", "Goroutines of the daemon.", float64(runtime.NumGoroutine())},
	}
	if resident, ok := residentBytes(); ok {
		list = append(list, metric{"resident_bytes", "Memory of the process that is resident.", resident})
	}
	return list, nil
}

// residentBytes is the second number of /proc/self/statm (proc(5)), in bytes. It
// returns false on a system that has none.
func residentBytes() (float64, bool) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0, false
	}
	return resident * float64(os.Getpagesize()), true
}
