package server

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
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

// transcript is a log that several devices write.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// seed returns the device's secret as its key file has it.
func (u *user) seed() [32]byte {
	u.t.Helper()
	path := filepath.Join(u.t.TempDir(), "device.key")
	if err := u.id.Save(path); err != nil {
		u.t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		u.t.Fatal(err)
	}
	lines := strings.Fields(string(b))
	seed, err := contact.DecodeSecret(lines[len(lines)-1])
	if err != nil {
		u.t.Fatal(err)
	}
	return seed
}

// Names, texts, codes and keys are planted, and looked for in everything that is
// there for operators to read and to pass on.
func TestNoSecretIsInLogsMetricsAndEvents(t *testing.T) {
	var log transcript
	w := newWorld(t)
	w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // its digits could look like a code
			}
			return a
		},
	}))
	ada, bob := w.user("canary-ada"), w.user("canary-bob")
	shown, err := ada.Pairing().ShowCode(ada.ctx(), &contactsv1.ShowCodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !shown.Receive() {
		t.Fatal(shown.Err())
	}
	code := shown.Msg().GetCode().Code
	wrong := "111-111"
	if code == wrong {
		wrong = "222-222"
	}
	_, refused := bob.Pairing().EnterCode(bob.ctx(), &contactsv1.EnterCodeRequest{Code: wrong})
	if refused == nil {
		t.Fatal("a wrong code was accepted")
	}
	shown.Close()
	ada.pair(bob)
	if _, err := ada.Presence().SetPresence(ada.ctx(), &contactsv1.SetPresenceRequest{State: "busy", Text: "canary-presence"}); err != nil {
		t.Fatal(err)
	}
	sent, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: "canary-bob", Text: "canary-text"})
	if err != nil {
		t.Fatal(err)
	}
	ada.until("delivered", func() bool { return ada.gauge("messages_queued") == "0" })
	var told strings.Builder
	for _, u := range []*user{ada, bob} {
		_, metrics := u.raw("GET", "/metrics", "")
		told.WriteString(metrics)
		entries, err := u.node.DB.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			told.WriteString(strings.Join([]string{string(e.Event.Type), e.Event.ID, e.Event.State, e.Event.Detail, "\n"}, " "))
		}
	}
	if !strings.Contains(told.String(), sent.Id) || !strings.Contains(log.String(), "paired") {
		t.Fatal("the message is in no event or the pairing in no log: nothing was looked at")
	}
	told.WriteString(log.String() + refused.Error())
	canaries := []string{"canary-", code, wrong}
	for _, c := range []string{code, wrong} { // as a word: ids hold digits too
		digits := regexp.MustCompile(`\b` + strings.ReplaceAll(c, "-", "") + `\b`)
		if found := digits.FindString(told.String()); found != "" {
			t.Errorf("the code %s was told", found)
		}
	}
	for _, u := range []*user{ada, bob} {
		seed := u.seed()
		canaries = append(canaries, string(seed[:]), hex.EncodeToString(seed[:]), base64.RawStdEncoding.EncodeToString(seed[:]),
			base64.RawURLEncoding.EncodeToString(seed[:]), contact.EncodeSecret(seed))
	}
	for i, canary := range canaries {
		for line := range strings.Lines(told.String()) {
			if strings.Contains(line, canary) {
				t.Errorf("canary %d is in: %s", i, line)
			}
		}
	}
}
