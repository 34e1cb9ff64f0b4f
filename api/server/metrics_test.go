package server

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
)

// gauge returns the line of a metric.
func (u *user) gauge(name string) string {
	u.t.Helper()
	status, text := u.raw("GET", "/metrics", "")
	if status != http.StatusOK {
		u.t.Fatalf("status %d: %s", status, text)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "contactsd_"+name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	u.t.Fatalf("no contactsd_%s in\n%s", name, text)
	return ""
}

func TestMetricsTellWhatThereIs(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	if got := ada.gauge("contacts") + ada.gauge("pairing_window_open") + ada.gauge("pairing_guesses_short"); got != "000" {
		t.Fatalf("contacts, window, guesses of a new device: %s", got)
	}
	ada.pair(bob)
	if contacts, peers := ada.gauge("contacts"), ada.gauge("peers"); contacts != "1" || peers != "1" {
		t.Fatalf("%s contacts, %s peers; want one of each", contacts, peers)
	}
	if err := bob.halt(); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: "bob", Text: "later"}); err != nil {
		t.Fatal(err)
	}
	if got := ada.gauge("messages_queued"); got != "1" {
		t.Fatalf("%s queued; want 1", got)
	}
	ada.gauge("goroutines")
}

// What is counted is what happened.
func TestMetricsCountWhatHappens(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	if _, err := ada.Contacts().GetContact(ada.ctx(), &contactsv1.GetContactRequest{Contact: "nobody"}); err == nil {
		t.Fatal("there is a contact called nobody")
	}
	if status, _ := ada.raw("POST", "/contacts.v1.DeviceService/GetStatus", "{"); status != http.StatusBadRequest {
		t.Fatal(status)
	}
	if status, _ := ada.raw("POST", "/contacts.v1.DeviceService/GetStatus", "{}", "Origin", "http://example.org"); status != http.StatusForbidden {
		t.Fatal(status)
	}
	for name, want := range map[string]string{
		`connections{transport="memory"}`:                         "1",
		`dials_total{result="failed"}`:                            "0",
		`streams_total{service="pairing",decision="serve"}`:       "1",
		`streams_total{service="pairing",decision="drop"}`:        "0",
		`pairing_sessions_total{side="shown",outcome="paired"}`:   "1",
		`pairing_sessions_total{side="shown",outcome="wrong"}`:    "0",
		`pairing_sessions_total{side="entered",outcome="wrong"}`:  "0",
		`presence_dropped_total{reason="forged"}`:                 "0",
		`gossip_beacons_total{step="taken"}`:                      "0",
		`api_calls_total{call="SetProfile",code="ok"}`:            "1",
		`api_calls_total{call="GetContact",code="not_found"}`:     "1",
		`api_calls_total{call="unread",code="invalid_argument"}`:  "1",
		`api_calls_total{call="unread",code="permission_denied"}`: "1",
	} {
		if got := ada.gauge(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := bob.gauge(`pairing_sessions_total{side="entered",outcome="paired"}`); got != "1" {
		t.Errorf("who entered the code counts %s pairings", got)
	}
	if got := bob.gauge(`dials_total{result="ok"}`); got != "1" {
		t.Errorf("who entered the code dialled %s times", got)
	}
}

// TestMetricsAreDocumented compares the table in docs/operations.md with what is
// served, and what is served with the text format: every sample belongs to the
// family before it.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## Metrics")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("no such section")
	}
	documented := make(map[string]bool)
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && !strings.Contains(cells[1], "contactsd_") {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				documented[name[1]] = true
			}
		}
	}
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	ada.pair(bob)
	_, served := ada.raw("GET", "/metrics", "")
	help := regexp.MustCompile(`^# HELP contactsd_(\w+) .+$`)
	kind := regexp.MustCompile(`^# TYPE contactsd_(\w+) (gauge|counter)$`)
	value := regexp.MustCompile(`^contactsd_(\w+)(\{(\w+="[\w.-]*",?)+\})? (\d[\d.e+]*)$`)
	family := ""
	for line := range strings.Lines(served) {
		line = strings.TrimSpace(line)
		if m := help.FindStringSubmatch(line); m != nil {
			if family = m[1]; !documented[family] {
				t.Errorf("docs/operations.md does not tell of %s", family)
			}
			delete(documented, family)
			continue
		}
		m, k := value.FindStringSubmatch(line), kind.FindStringSubmatch(line)
		switch {
		case m != nil && m[1] == family:
		case k != nil && k[1] == family:
			if strings.HasSuffix(family, "_total") != (k[2] == "counter") {
				t.Errorf("the name of a counter ends in _total, of nothing else: %s", line)
			}
		default:
			t.Errorf("no line of %s in the text format: %s", family, line)
		}
	}
	for name := range documented {
		t.Errorf("docs/operations.md tells of %s, which is not served", name)
	}
}
