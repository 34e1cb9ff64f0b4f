package server

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/internal/canary"
	"contactsd/store"
)

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

// logger writes everything, as text and as JSON.
func (t *transcript) logger() *slog.Logger {
	opt := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // its digits could look like a code
		}
		return a
	}}
	return slog.New(slog.NewMultiHandler(slog.NewTextHandler(t, opt), slog.NewJSONHandler(t, opt)))
}

// draws remembers all randomness that is drawn in pieces of 16 bytes and more:
// keys of every kind, secrets of codes and links, and nonces, which nobody has a
// reason to print either.
type draws struct {
	from io.Reader
	mu   sync.Mutex
	all  [][]byte
}

// rememberDraws is called before a device is made.
func rememberDraws(t *testing.T) *draws {
	t.Setenv("GODEBUG", "cryptocustomrand=1") // else keys of elliptic curves go past it
	d := &draws{from: rand.Reader}
	rand.Reader = d
	t.Cleanup(func() { rand.Reader = d.from })
	return d
}

func (d *draws) Read(b []byte) (int, error) {
	n, err := d.from.Read(b)
	if n >= 16 {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all = append(d.all, bytes.Clone(b[:n]))
	}
	return n, err
}

func (d *draws) secrets() (list []canary.Secret) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, b := range d.all {
		list = append(list, canary.Bytes(fmt.Sprintf("randomness %d, of %d bytes", i, len(b)), b))
	}
	return list
}

func (d *draws) has(b []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		if bytes.Equal(one, b) {
			return true
		}
	}
	return false
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

// Records as packages pairing and presence draw them.
type (
	pairSecret struct {
		Secret []byte `cbor:"2,keyasint"`
	}
	presenceKey struct {
		Key []byte `cbor:"1,keyasint"`
	}
)

// stored returns the secrets in a device's store: of its pairings, and its presence key.
func (u *user) stored() (pairings [][]byte, presence []byte) {
	u.t.Helper()
	err := u.node.DB.View(func(tx *store.Tx) error {
		for row, err := range store.NewTable[pairSecret]("pairing/secrets", 1).Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			pairings = append(pairings, row.Value.Secret)
		}
		k, _, err := store.NewTable[presenceKey]("presence_key", 1).Get(tx, []byte("own"))
		presence = k.Key
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return pairings, presence
}

// shown opens a window and returns the stream and what is shown first.
func (u *user) shown(req *contactsv1.ShowCodeRequest) (*connect.ServerStreamForClient[contactsv1.ShowCodeResponse], *contactsv1.Code) {
	u.t.Helper()
	stream, err := u.Pairing().ShowCode(u.ctx(), req)
	if err != nil {
		u.t.Fatal(err)
	}
	if !stream.Receive() {
		u.t.Fatal(stream.Err())
	}
	return stream, stream.Msg().GetCode()
}

// Recognisable values are planted wherever there is something to hide, and looked
// for in all that is there for operators to read and to pass on, and secrets in
// what the API answers as well. What the API answers its user holds names, of
// course, and errors repeat what was asked for.
func TestNoSecretIsTold(t *testing.T) {
	drawn := rememberDraws(t)
	var log, told, answers transcript // told is for operators, answers is for the user
	w := newWorld(t)
	w.log = log.logger()
	ada, bob, eve := w.user("canary-ada"), w.user("canary-bob"), w.user("canary-eve")
	users := []*user{ada, bob, eve}
	failed := func(err error) {
		t.Helper()
		if err == nil {
			t.Error("what must fail did not")
		}
		fmt.Fprintln(&answers, err)
	}
	enter := func(u *user, code string) error {
		_, err := u.Pairing().EnterCode(u.ctx(), &contactsv1.EnterCodeRequest{Code: code, At: ada.odid})
		return err
	}

	stream, code := ada.shown(&contactsv1.ShowCodeRequest{})
	wrong := "111-111"
	if code.Code == wrong {
		wrong = "222-222"
	}
	failed(enter(bob, wrong))
	failed(enter(bob, code.Code+"7"))
	failed(enter(bob, "x"+code.Code))
	if err := enter(bob, code.Code); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	stream, link := ada.shown(&contactsv1.ShowCodeRequest{Link: true})
	_, linkSecret, _ := strings.Cut(link.Link, "#")
	failed(enter(eve, link.Link[:len(link.Link)-3]))
	failed(enter(eve, strings.Replace(link.Link, "?", "%", 1)))
	if err := enter(eve, link.Link); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	stream, again := ada.shown(&contactsv1.ShowCodeRequest{Link: true})
	failed(enter(bob, link.Link)) // used up
	stream.Close()

	remark := "canary-remark"
	call := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	call(ada.Contacts().SetContact(ada.ctx(), &contactsv1.SetContactRequest{Contact: "canary-bob", Remark: &remark}))
	call(ada.Presence().SetPresence(ada.ctx(), &contactsv1.SetPresenceRequest{State: "busy", Text: "canary-presence"}))
	sent, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: remark, Text: "swordfish, said ada"})
	call(sent, err)
	ada.until("delivered", func() bool { return ada.gauge("messages_queued") == "0" })
	if err := eve.halt(); err != nil {
		t.Fatal(err)
	}
	call(ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: "canary-eve", Text: "swordfish, that waits"}))
	call(bob.Contacts().NarrowPermissions(bob.ctx(), &contactsv1.NarrowPermissionsRequest{Contact: "canary-ada", Permissions: []string{"messages"}}))

	// What can't be done, and what can't be read.
	_, err = ada.Contacts().GetContact(ada.ctx(), &contactsv1.GetContactRequest{Contact: "canary-nobody"})
	failed(err)
	_, err = ada.Contacts().AddContact(ada.ctx(), &contactsv1.AddContactRequest{Odid: contact.EncodeSecret(ada.seed())})
	failed(err)
	_, err = ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: remark, Id: "canary-id", Text: "swordfish"})
	failed(err)
	_, err = ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: remark, Text: strings.Repeat("swordfish", 10_000)})
	failed(err)
	_, err = ada.Presence().SetPresence(ada.ctx(), &contactsv1.SetPresenceRequest{State: "away", Text: "canary\x1b"})
	failed(err)
	for _, body := range []string{`{"contact":"canary-remark","text":"swordfish","canary-field":1}`, `swordfish canary-`, `{"text":"swordfish canary-`} {
		if status, answer := ada.raw("POST", "/contacts.v1.MessagesService/SendMessage", body); status != http.StatusBadRequest {
			t.Errorf("%d %s", status, answer)
		}
	}

	for _, u := range users[:2] {
		_, metrics := u.raw("GET", "/metrics", "")
		fmt.Fprintln(&told, metrics)
		entries, err := u.node.DB.Events(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fmt.Fprintf(&told, "%s %s %s %s\n", e.Event.Type, e.Event.ID, e.Event.State, e.Event.Detail)
		}
		for _, name := range []string{"GetStatus", "GetProfile"} {
			_, answer := u.raw("POST", "/contacts.v1.DeviceService/"+name, "{}")
			fmt.Fprintln(&answers, answer)
		}
		for _, peer := range users {
			if peer == u {
				continue
			}
			for _, name := range []string{"ExplainContact", "GetContact"} {
				_, answer := u.raw("POST", "/contacts.v1.ContactsService/"+name, fmt.Sprintf(`{"contact":%q}`, peer.odid))
				fmt.Fprintln(&answers, answer)
			}
		}
	}
	secrets := append(drawn.secrets(),
		canary.Text("link", linkSecret), canary.Text("link that was not used", again.Link[strings.Index(again.Link, "#")+1:]))
	for _, u := range users {
		seed := u.seed()
		if !drawn.has(seed[:]) {
			t.Error("the key of a device is not among what was drawn: the tap is beside the pipe")
		}
		secrets = append(secrets, canary.Text("key", contact.EncodeSecret(seed)[:32]))
	}
	pairings, presence := ada.stored()
	if len(pairings) != 2 || !drawn.has(presence) {
		t.Errorf("%d secrets of pairings, want 2; presence key drawn: %v", len(pairings), drawn.has(presence))
	}
	for _, b := range pairings {
		secrets = append(secrets, canary.Bytes("secret of a pairing", b))
	}
	for _, u := range users[:2] { // last words are looked at as well
		if err := u.halt(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(&told, log.String())
	for _, must := range []string{sent.Id, `msg=paired`, `"msg":"paired"`, "pairing: session ended", `outcome=wrong`} {
		if !strings.Contains(told.String(), must) {
			t.Fatalf("no %q in what was told: too little was looked at", must)
		}
	}
	for _, must := range []string{"canary-eve", "is connected since", "1 message waits for it", "private key"} {
		if !strings.Contains(answers.String(), must) {
			t.Errorf("no %q in what was answered: too little was looked at", must)
		}
	}
	for _, s := range secrets {
		for where, text := range map[string]string{"told to operators": told.String(), "answered": answers.String()} {
			if line := s.In(text); line != "" {
				t.Errorf("%s is %s: %.300q", s.Name, where, line)
			}
		}
	}
	for _, s := range []canary.Secret{canary.Text("a name or text", "canary"), canary.Text("a message", "swordfish")} {
		if line := s.In(told.String()); line != "" {
			t.Errorf("%s is told to operators: %.300q", s.Name, line)
		}
	}
	if line := canary.Text("a message", "swordfish").In(answers.String()); line != "" {
		t.Errorf("a message is in an error: %.300q", line)
	}
	for _, c := range []string{code.Code, wrong} {
		digits := regexp.MustCompile(`\b(` + strings.ReplaceAll(c, "-", "") + `|` + c + `)\b`) // as a word: ids hold digits too
		for where, text := range map[string]string{"told to operators": told.String(), "answered": answers.String()} {
			if found := digits.FindString(text); found != "" {
				t.Errorf("the code %s is %s", found, where)
			}
		}
	}
}
