package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/identity"
	"contactsd/node"
	stamps "contactsd/stamp"
	"contactsd/store"
	"contactsd/transport/memnet"
)

// world is a network in memory on which devices with an API live.
type world struct {
	t   testing.TB
	net *memnet.Network
	log *slog.Logger // of all devices, may be nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{t: t, net: memnet.New(memnet.Options{})}
}

// user is a device with its API, called through the client.
type user struct {
	*client.Client
	t      testing.TB
	net    *memnet.Network
	id     *identity.Identity
	dir    string
	opt    store.Options
	log    *slog.Logger
	odid   string
	server *Server
	node   *node.Node
	stop   func() error // stops the API alone and returns Run's error
	halt   func() error // stops all of it
}

// user starts a device. It is stopped with the test.
func (w *world) user(name string) *user {
	w.t.Helper()
	return w.userWith(name, store.Options{NoSync: true})
}

func (w *world) userWith(name string, opt store.Options) *user {
	w.t.Helper()
	id, err := identity.Generate()
	if err != nil {
		w.t.Fatal(err)
	}
	u := &user{t: w.t, net: w.net, id: id, dir: w.t.TempDir(), opt: opt, log: w.log, odid: id.Self().String()}
	u.Client = &client.Client{Socket: filepath.Join(u.dir, "contactsd.sock")}
	u.start()
	w.t.Cleanup(func() {
		u.Close()
		if err := u.halt(); err != nil {
			w.t.Errorf("%s: stop: %v", name, err)
		}
	})
	if _, err := u.Profile().SetProfile(u.ctx(), &contactsv1.SetProfileRequest{Name: &name}); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// start runs the device on the store that there is.
func (u *user) start() {
	u.t.Helper()
	db, err := store.Open(filepath.Join(u.dir, "contacts.db"), u.opt, node.Tables()...)
	if err != nil {
		u.t.Fatal(err)
	}
	dev := u.net.Device(u.id.Self())
	n, err := node.New(node.Config{DB: db, Identity: u.id, Transport: dev, Neighbourhood: dev, Work: quick{}, Log: u.log})
	if err != nil {
		u.t.Fatal(err)
	}
	dev.SetMayDial(n.Relation.MayDial)
	dev.SetWhere(n.Relation.Where)
	s, err := New(Config{Node: n, Socket: u.Socket, Store: filepath.Join(u.dir, "contacts.db"), Version: "test", Log: u.log})
	if err != nil {
		u.t.Fatal(err)
	}
	u.server, u.node = s, n
	nodeStop := background(n.Run)
	u.stop = background(s.Run)
	u.halt = sync.OnceValue(func() error { return errors.Join(u.stop(), nodeStop(), db.Close()) })
	<-s.Ready()
}

// restart ends the device and starts it again.
func (u *user) restart() {
	u.t.Helper()
	if err := u.halt(); err != nil {
		u.t.Fatal(err)
	}
	u.start()
}

// background runs f; the function returned ends it and returns its error, any
// number of times.
func background(f func(context.Context) error) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f(ctx)
	}()
	return func() error {
		cancel()
		<-done
		return err
	}
}

// ctx bounds a test that hangs.
func (u *user) ctx() context.Context {
	ctx, cancel := context.WithTimeout(u.t.Context(), 20*time.Second)
	u.t.Cleanup(cancel)
	return ctx
}

// until waits for what must happen; each event is a reason to look again.
func (u *user) until(what string, happened func() bool) {
	u.t.Helper()
	ctx := u.ctx()
	for {
		emitted := u.node.DB.Emitted()
		if happened() {
			return
		}
		select {
		case <-emitted:
		case <-ctx.Done():
			u.t.Fatalf("%s: not in time", what)
		}
	}
}

// pair pairs u, who shows the code, with v.
func (u *user) pair(v *user) {
	u.t.Helper()
	shown, err := u.Pairing().ShowCode(u.ctx(), &contactsv1.ShowCodeRequest{})
	if err != nil {
		u.t.Fatal(err)
	}
	defer shown.Close()
	if !shown.Receive() {
		u.t.Fatal(shown.Err())
	}
	r, err := v.Pairing().EnterCode(v.ctx(), &contactsv1.EnterCodeRequest{Code: shown.Msg().GetCode().Code})
	if err != nil || !r.Confirmed || r.Contact.Odid != u.odid || r.Contact.Trust != "paired" {
		u.t.Fatalf("enter: %v, %v", r, err)
	}
	for shown.Receive() {
		if c := shown.Msg().GetPaired(); c != nil {
			if c.Odid != v.odid || c.Trust != "paired" {
				u.t.Fatalf("shown: %v", c)
			}
			return
		}
	}
	u.t.Fatalf("the one who showed the code is not told: %v", shown.Err())
}

// raw sends a request as any HTTP client would.
func (u *user) raw(method, path, body string, header ...string) (status int, answer string) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.ctx(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := u.overSocket().Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (u *user) overSocket() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", u.server.socket)
		},
	}}
}

// fails checks the reason and code of an error.
func fails(t *testing.T, err error, reason string) {
	t.Helper()
	if got := client.Reason(err); got != reason {
		t.Errorf("reason %q, want %q (%v)", got, reason, err)
	}
}

// quick is work for stamps that costs nothing.
type quick struct{}

func (quick) Sum(text []byte) stamps.Sum { return sha256.Sum256(text) }
