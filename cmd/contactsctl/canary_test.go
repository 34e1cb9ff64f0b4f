package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"contactsd/contact"
	"contactsd/internal/canary"
	"contactsd/internal/devices"
	"contactsd/node"
	"contactsd/store"
)

// heard is what a daemon said.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// talker is a daemon that logs all it can, and the program that its user calls.
type talker struct {
	*devices.Device
	t   *testing.T
	bin string
	log *heard
}

func newTalker(ctx context.Context, t *testing.T, bin, name string) *talker {
	t.Helper()
	d := &talker{devices.New(filepath.Join(bin, "contactsd"), t.TempDir(), name), t, bin, new(heard)}
	d.Log = d.log
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Stop(syscall.SIGKILL) })
	return d
}

// ctl runs contactsctl and returns all it says; what is secret it is given by stdin.
func (d *talker) ctl(code int, stdin string, args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, program), append([]string{"--home", d.Home}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		d.t.Fatalf("%v: exit code %d, want %d: %v\n%s", args, got, code, err, out)
	}
	return string(out)
}

// field returns a string of a JSON object.
func field(t *testing.T, text, name string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return fmt.Sprint(v[name])
}

func (d *talker) metrics() string {
	d.t.Helper()
	socket := filepath.Join(d.Home, "contactsd.sock")
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	res, err := c.Get("http://localhost/metrics")
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

func (d *talker) read(path string) string {
	d.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// kept returns the secrets on the disk of a daemon that has ended.
func (d *talker) kept() (list []canary.Secret) {
	d.t.Helper()
	lines := strings.Fields(d.read(filepath.Join(d.Home, "device.key")))
	text := lines[len(lines)-1]
	seed, err := contact.DecodeSecret(text)
	if err != nil {
		d.t.Fatal(err)
	}
	list = append(list, canary.Bytes("key of a device", seed[:]), canary.Text("key of a device", text[:32]))
	db, err := store.Open(filepath.Join(d.Home, "contacts.db"), store.Options{ReadOnly: true}, node.Tables()...)
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	type pairing struct {
		Secret []byte `cbor:"2,keyasint"`
	}
	type presence struct {
		Key []byte `cbor:"1,keyasint"`
	}
	err = db.View(func(tx *store.Tx) error {
		for row, err := range store.NewTable[pairing]("pairing/secrets", 1).Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			list = append(list, canary.Bytes("secret of a pairing", row.Value.Secret))
		}
		own, _, err := store.NewTable[presence]("presence_key", 1).Get(tx, []byte("own"))
		if err == nil {
			list = append(list, canary.Bytes("presence key", own.Key))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// TestDaemonsTellNoSecret has two daemons, as talkative as they get, libp2p
// included, do what there is to do, and looks for all that is secret or private in
// what they log, in metrics and events, and on their command lines, and for what is
// secret in what users are answered. Package api/server does the same for secrets
// that no disk has. Whoever has the logs of both can follow a pairing and a message
// by their ids.
func TestDaemonsTellNoSecret(t *testing.T) {
	bin := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	ana, bob := newTalker(ctx, t, bin, "canary-ana"), newTalker(ctx, t, bin, "canary-bob")
	at, err := ana.Address(ctx, "/quic-v1")
	if err != nil {
		t.Fatal(err)
	}
	var answers strings.Builder
	code := field(t, ana.ctl(0, "", "show-code", "--once", "--json"), "digits")
	wrong := "907313"
	if code == wrong {
		wrong = "907314"
	}
	answers.WriteString(bob.ctl(4, wrong, "pair", "-", "--at", at))
	answers.WriteString(bob.ctl(0, code, "pair", "-", "--at", at))
	link := field(t, ana.ctl(0, "", "show-code", "--link", "--once", "--json"), "link")
	answers.WriteString(bob.ctl(0, link, "pair", "-"))
	answers.WriteString(bob.ctl(4, link, "pair", "-"))
	answers.WriteString(bob.ctl(2, link[:len(link)-3], "pair", "-"))
	ana.ctl(0, "", "set", "canary-bob", "remark=canary-remark")
	ana.ctl(0, "", "presence", "set", "busy", "canary-presence")
	message := field(t, ana.ctl(0, "the word is swordfish", "send", "canary-remark", "-", "--json"), "id")
	err = devices.Until(ctx, "the message to arrive", func() (bool, error) {
		return strings.Contains(bob.ctl(0, "", "messages", "canary-ana"), "swordfish"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ana.ctl(0, "", "card", "set", "phone=canary-phone", "email=canary-email", "address=canary-address", "notes=canary-notes")
	bob.ctl(0, "", "card", "ask", "canary-ana", "--wording", "canary-wording")
	err = devices.Until(ctx, "the request to arrive", func() (bool, error) {
		return strings.Contains(ana.ctl(0, "", "requests"), "canary-wording"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ana.ctl(0, "", "requests", "accept", "--all")
	err = devices.Until(ctx, "the card to arrive", func() (bool, error) {
		return strings.Contains(bob.ctl(0, "", "card", "show", "canary-ana"), "canary-phone"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bob.ctl(0, "", "permissions", "canary-ana", "narrow", "status")
	answers.WriteString(ana.ctl(5, "", "why", "canary-nobody"))
	var told strings.Builder
	for _, d := range []*talker{ana, bob} {
		for _, args := range [][]string{{"status"}, {"status", "--json"}, {"why", "canary-"}, {"list"}, {"outbox"}} {
			if args[0] == "why" {
				args[1] = map[*talker]string{ana: bob.ODID, bob: ana.ODID}[d]
			}
			answers.WriteString(d.ctl(0, "", args...))
		}
		told.WriteString(d.metrics() + d.ctl(0, "", "events", "--json"))
		told.WriteString(strings.ReplaceAll(d.read(fmt.Sprintf("/proc/%d/cmdline", d.PID())), "\x00", " ") + "\n")
	}
	bob.Stop(syscall.SIGKILL)
	answers.WriteString(ana.ctl(0, "swordfish, too", "send", "canary-remark", "-"))
	answers.WriteString(ana.ctl(0, "", "why", "canary-remark"))
	ana.Stop(syscall.SIGTERM)
	secrets := []canary.Secret{canary.Text("link", link[strings.Index(link, "#")+1:])}
	logs := make(map[*talker]string)
	for _, d := range []*talker{ana, bob} {
		secrets = append(secrets, d.kept()...)
		logs[d] = regexp.MustCompile(`(?m)^Its name .*$`).ReplaceAllString(d.log.String(), "") // its own, for who started it
		told.WriteString(logs[d])
	}

	staged := regexp.MustCompile(`"type":"pairing.staged".*"id":"([0-9a-f]{8})`).FindStringSubmatch(told.String())
	if staged == nil || !strings.Contains(told.String(), message) || !strings.Contains(answers.String(), "over QUIC, on this machine") {
		t.Fatalf("too little was looked at: pairing %v\n%s", staged, answers.String())
	}
	for _, log := range logs {
		if !strings.Contains(log, "msg=paired") || !strings.Contains(log, "pairing="+staged[1]) || !strings.Contains(log, "level=DEBUG") {
			t.Errorf("pairing %s can't be followed in\n%s", staged[1], log)
		}
	}
	for step, d := range map[string]*talker{"queued": ana, "sent": ana, "acknowledged": ana, "received": bob} {
		line := regexp.MustCompile(`level=DEBUG msg="message ` + step + `" .*message=` + message + "\n")
		if !line.MatchString(logs[d]) {
			t.Errorf("message %s was %s, and no log says so:\n%s", message, step, logs[d])
		}
	}
	if len(secrets) != 1+2*5 {
		t.Errorf("%d secrets were looked for: each device has a key, two pairings and a presence key", len(secrets))
	}
	for _, s := range secrets {
		for where, text := range map[string]string{"told to operators": told.String(), "answered": answers.String()} {
			if line := s.In(text); line != "" {
				t.Errorf("%s is %s: %.300q", s.Name, where, line)
			}
		}
	}
	for _, s := range []canary.Secret{canary.Text("a name or text", "canary-"), canary.Text("a message", "swordfish")} {
		if line := s.In(told.String()); line != "" {
			t.Errorf("%s is told to operators: %.300q", s.Name, line)
		}
	}
	if line := canary.Text("a message", "swordfish").In(answers.String()); line != "" {
		t.Errorf("a message is answered to who did not ask for it: %.300q", line)
	}
	for _, digits := range []string{code, wrong} {
		word := regexp.MustCompile(`\b` + digits[:3] + `-?` + digits[3:] + `\b`)
		for where, text := range map[string]string{"told to operators": told.String(), "answered": answers.String()} {
			if line := word.FindString(text); line != "" {
				t.Errorf("the code %s is %s", line, where)
			}
		}
	}
}
