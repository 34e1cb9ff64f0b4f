package server

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

func TestSocketIsPrivateAndReplacesADeadOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contactsd.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays after a clean stop: %v", err)
	}
}

func TestSocketNeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contactsd.sock")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); err == nil {
		t.Error("no error")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestOnlyTheSameUserAndRootMayCall(t *testing.T) {
	for _, test := range []struct {
		caller, self uint32
		ok           bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}} {
		if err := allowUser(test.caller, test.self); (err == nil) != test.ok {
			t.Errorf("%d at the daemon of %d: %v", test.caller, test.self, err)
		}
	}
	inner, outer := net.Pipe()
	defer inner.Close()
	defer outer.Close()
	if checkCredentials(inner) == nil {
		t.Error("a connection without credentials passes")
	}
}

func TestWebPagesAreRefused(t *testing.T) {
	u := newWorld(t).user("ada")
	const call = "/contacts.v1.DeviceService/GetStatus"
	for _, test := range []struct {
		name   string
		header []string
		status int
	}{
		{"plain", nil, 200},
		{"localhost with port", []string{"Host", "localhost:80"}, 200},
		{"origin", []string{"Origin", "http://localhost"}, 403},
		{"null origin", []string{"Origin", "null"}, 403},
		{"rebound host", []string{"Host", "evil.example"}, 403},
		{"host that begins well", []string{"Host", "localhost.evil.example"}, 403},
	} {
		if status, body := u.raw("POST", call, "{}", test.header...); status != test.status {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
		if status, _ := u.raw("GET", "/v1/events?after=999999", "", test.header...); test.status == 403 && status != 403 {
			t.Errorf("%s: events answer %d", test.name, status)
		}
	}
}

func TestJSONIsThatOfTheCommandLine(t *testing.T) {
	u := newWorld(t).user("ada")
	status, body := u.raw("POST", "/contacts.v1.ContactsService/ListContacts", "{}")
	if want := `{"contacts":[],"next_page_token":"","total":0}`; status != 200 || body != want {
		t.Errorf("%d %s\nwant %s", status, body, want)
	}
	status, body = u.raw("POST", "/contacts.v1.ContactsService/GetContact", `{"contact":"nobody"}`)
	if status != 404 || !strings.Contains(body, `"code":"not_found"`) || !strings.Contains(body, `"reason":"no_contact"`) {
		t.Errorf("%d %s", status, body)
	}
	status, body = u.raw("POST", "/contacts.v1.ContactsService/GetContact", `{"contcat":"nobody"}`)
	if status != 400 {
		t.Errorf("mistyped field: %d %s", status, body)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	u := newWorld(t).user("ada")
	body := `{"odid":"` + strings.Repeat("x", maxRequest) + `"}`
	if status, answer := u.raw("POST", "/contacts.v1.ContactsService/AddContact", body); status != 429 && status != 413 {
		t.Errorf("%d %s", status, answer)
	}
	_, err := u.Contacts().RemoveContacts(u.ctx(), &contactsv1.RemoveContactsRequest{Contacts: make([]string, maxBatch+1)})
	if e := client.Explain(err); e == nil || e.Limit != "1000 items" || e.Field != "contacts" {
		t.Errorf("batch: %+v", e)
	}
	_, err = u.Contacts().ListContacts(u.ctx(), &contactsv1.ListContactsRequest{PageSize: maxPage + 1})
	if e := client.Explain(err); e == nil || e.Limit != "1000 items" || e.Field != "page_size" {
		t.Errorf("page: %+v", e)
	}
}

func TestStopEndsOpenStreamsAtOnce(t *testing.T) {
	u := newWorld(t).user("ada")
	ctx := u.ctx()
	watch, err := u.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	code, err := u.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer code.Close()
	if !watch.Receive() || !code.Receive() {
		t.Fatal(watch.Err(), code.Err())
	}
	began := time.Now()
	if err := u.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if watch.Receive() || code.Receive() {
		t.Error("a stream goes on")
	}
	fails(t, watch.Err(), client.ReasonStopping)
	fails(t, code.Err(), client.ReasonStopping)
	_, err = u.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	fails(t, err, client.ReasonUnreachable)
}

func TestStopCancelsALongCall(t *testing.T) {
	u := newWorld(t).user("ada")
	entered := make(chan error, 1)
	go func() {
		// Nobody shows a code, so this looks around for 5 s.
		_, err := u.Pairing().EnterCode(u.ctx(), &contactsv1.EnterCodeRequest{Code: "482-193"})
		entered <- err
	}()
	for u.server.calls.TryLock() { // until the call is under way
		u.server.calls.Unlock()
		runtime.Gosched()
	}
	began := time.Now()
	if err := u.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if err := <-entered; err == nil {
		t.Error("the call succeeded")
	}
}

func TestRunFailsWithoutADirectory(t *testing.T) {
	u := newWorld(t).user("ada")
	s, err := New(Config{Node: u.node, Socket: filepath.Join(t.TempDir(), "absent", "contactsd.sock")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err == nil {
		t.Error("no error")
	}
	if _, err := New(Config{Node: u.node, Socket: "/" + strings.Repeat("x", 200)}); err == nil {
		t.Error("a socket path that is too long is taken")
	}
}
