package server

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"

	"contactsd/contact"
	"contactsd/pairing"
)

// family is what Prometheus knows by one name: a number, or several that labels
// tell apart. No label names a contact.
type family struct {
	name, help string
	samples    []sample
	counter    bool // it only rises while the daemon runs; else it is of the moment
}

type sample struct {
	labels string // "" or like side="shown",outcome="paired"
	value  float64
}

func gauge(name, help string, value float64) family {
	return family{name: name, help: help, samples: []sample{{value: value}}}
}

// counter is of one number for each value of a label.
func counter(name, help string, samples ...sample) family {
	return family{name: name, help: help, samples: samples, counter: true}
}

// of returns a sample with labels, given as name and value in turn. The values are
// words of this program.
func of(n uint64, labels ...string) sample {
	var b strings.Builder
	for i := 0; i < len(labels); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%q", labels[i], labels[i+1])
	}
	return sample{b.String(), float64(n)}
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
	for _, f := range list {
		f.write(&b)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(b.Bytes())
}

func (f family) write(b *bytes.Buffer) {
	kind := "gauge"
	if f.counter {
		kind = "counter"
	}
	fmt.Fprintf(b, "# HELP contactsd_%[1]s %[2]s\n# TYPE contactsd_%[1]s %[3]s\n", f.name, f.help, kind)
	for _, s := range f.samples {
		labels := ""
		if s.labels != "" {
			labels = "{" + s.labels + "}"
		}
		fmt.Fprintf(b, "contactsd_%s%s %.15g\n", f.name, labels, s.value)
	}
}

func (s *Server) metrics() ([]family, error) {
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
	list := []family{
		gauge("contacts", "Contacts on the list.", float64(listed)),
		gauge("peers", "Devices there is a connection with.", float64(len(s.node.Network.Connected()))),
		gauge("messages_queued", "Messages that wait in the outbox.", float64(counts.Queued)),
		gauge("pairing_window_open", "1 while a code or link is shown.", open),
		gauge("pairing_guesses_short", "Wrong codes of 6 digits in the last 24 hours.", float64(short)),
		gauge("pairing_guesses_long", "Wrong codes of 9 digits in the last 24 hours.", float64(long)),
		gauge("events", "Cursor of the newest event: how many the journal ever had.", float64(cursor)),
	}
	list = append(list, s.messageMetrics()...)
	list = append(list, s.connectionMetrics()...)
	list = append(list, s.streamMetrics(), s.sessionMetrics(), s.presenceMetrics())
	list = append(list, s.gossipMetrics()...)
	list = append(list, s.stampMetrics()...)
	spam, err := s.spamMetrics()
	if err != nil {
		return nil, err
	}
	list = append(list, spam...)
	list = append(list, s.counts.family())
	return append(list, s.processMetrics()...), nil
}

func (s *Server) messageMetrics() []family {
	t := s.node.Message.Traffic()
	return []family{
		counter("messages_total", "Messages by what was done with them.",
			of(t.Queued, "step", "queued"), of(t.Delivered, "step", "delivered"), of(t.Received, "step", "received")),
		counter("deliveries_total", "Attempts to deliver what waits for a contact.", of(t.Attempts)),
		counter("deliveries_failed_total", "Attempts to deliver that got nowhere, or broke.", of(t.Failures)),
		counter("store_commits_total", "Transactions that were written to the store.", of(s.node.DB.Commits())),
	}
}

func (s *Server) connectionMetrics() []family {
	tally := s.node.Network.Tally()
	now := family{name: "connections", help: "Connections there are, by what carries them."}
	for _, transport := range slices.Sorted(maps.Keys(tally.Connections)) {
		now.samples = append(now.samples, of(uint64(tally.Connections[transport]), "transport", transport))
	}
	return []family{now, counter("dials_total", "Dials by what came of them.",
		of(tally.Dialled, "result", "ok"), of(tally.Failed, "result", "failed"))}
}

func (s *Server) streamMetrics() family {
	f := counter("streams_total", "Streams that came in, by what the gate decided.")
	for service, decisions := range s.node.Streams() {
		for d, n := range decisions {
			f.samples = append(f.samples, of(n, "service", contact.Service(service).String(), "decision", contact.Decision(d).String()))
		}
	}
	return f
}

func (s *Server) sessionMetrics() family {
	f := counter("pairing_sessions_total", "Pairing sessions by how they ended: at a code shown here, and at one entered here.")
	n := s.node.Pairing.Sessions()
	for o := range n.Shown {
		f.samples = append(f.samples, of(n.Shown[o], "side", "shown", "outcome", pairing.Outcome(o).String()))
	}
	for o := range n.Entered {
		f.samples = append(f.samples, of(n.Entered[o], "side", "entered", "outcome", pairing.Outcome(o).String()))
	}
	return f
}

func (s *Server) presenceMetrics() family {
	d := s.node.Presence.Dropped()
	return counter("presence_dropped_total", "Presence beacons that were not taken.",
		of(d.Forged, "reason", "forged"), of(d.Malformed, "reason", "malformed"), of(d.Oversized, "reason", "oversized"),
		of(d.Stale, "reason", "stale"), of(d.Replayed, "reason", "replayed"), of(d.NotPermitted, "reason", "not_permitted"),
		of(d.Unasked, "reason", "unasked"), of(d.TooMany, "reason", "too_many"))
}

func (s *Server) gossipMetrics() []family {
	n, links := s.node.Presence.Gossip()
	return []family{
		gauge("gossip_links", "Connected contacts that presence is passed on with.", float64(links)),
		counter("gossip_beacons_total", "Presence beacons that came through others, and that were passed on.",
			of(n.Taken, "step", "taken"), of(n.Known, "step", "known"), of(n.Passed, "step", "passed")),
	}
}

func (s *Server) stampMetrics() []family {
	n := s.node.Relation.Stamps()
	return []family{
		counter("stamps_made_total", "Stamps that were made for this device's requests.", of(n.Made)),
		counter("stamp_hashes_total", "Hashes that making them took: the work that was spent.", of(n.Hashes)),
		counter("stamps_examined_total", "Stamps of strangers that were examined.", of(n.Good, "result", "good"), of(n.Bad, "result", "bad")),
		counter("stamped_requests_total", "Requests of strangers that owe stamps, by what they were told.",
			of(n.Paid, "told", "receipt"), of(n.Challenged, "told", "challenge"), of(n.Later, "told", "later")),
	}
}

func (s *Server) spamMetrics() ([]family, error) {
	held, err := s.node.Relation.Held()
	if err != nil {
		return nil, err
	}
	l, err := s.node.Spam.Lock()
	if err != nil {
		return nil, err
	}
	locked := 0.0
	if !l.Until.IsZero() {
		locked = 1
	}
	n := s.node.Spam.Counts()
	return []family{
		gauge("requests_quarantined", "Requests that are kept apart.", float64(held)),
		gauge("asks_locked", "1 while requests of this device are locked.", locked),
		counter("reports_total", "Reports of contacts by what became of them, and own ones that contacts were told.",
			of(n.Taken, "result", "taken"), of(n.Refused, "result", "refused"), of(n.Late, "result", "late"), of(n.Told, "result", "told")),
	}, nil
}

func (s *Server) processMetrics() []family {
	list := []family{
		{name: "build_info", help: "1, of this version.", samples: []sample{{fmt.Sprintf("version=%q", s.version), 1}}},
		gauge("start_time_seconds", "When the daemon started, in Unix seconds.", float64(s.started.UnixMilli())/1000),
		gauge("goroutines", "Goroutines of the daemon.", float64(runtime.NumGoroutine())),
	}
	if n, ok := s.storeBytes(); ok {
		list = append(list, gauge("store_bytes", "Size of the store's file.", float64(n)))
	}
	if resident, ok := residentBytes(); ok {
		list = append(list, gauge("resident_bytes", "Memory of the process that is resident.", resident))
	}
	return list
}

// storeBytes returns the size of the store's file, false if it is not known.
func (s *Server) storeBytes() (int64, bool) {
	if s.store == "" {
		return 0, false
	}
	info, err := os.Stat(s.store)
	if err != nil {
		return 0, false
	}
	return info.Size(), true
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
