package web

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/api/server"
	"contactsd/client"
	"contactsd/identity"
	"contactsd/node"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport/memnet"
)

// lived is the page of a device that runs, on a network in memory.
type lived struct {
	lone
	api    *client.Client
	odid   string
	cookie string
}

func newLived(t *testing.T, net *memnet.Network) *lived {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "contacts.db"), store.Options{NoSync: true}, node.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	dev := net.Device(id.Self())
	n, err := node.New(node.Config{DB: db, Identity: id, Transport: dev, Neighbourhood: dev, Work: quick{}})
	if err != nil {
		t.Fatal(err)
	}
	dev.SetMayDial(n.Relation.MayDial)
	dev.SetWhere(n.Relation.Where)
	socket := filepath.Join(dir, "d.sock")
	api, err := server.New(server.Config{Node: n, Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	l := &lived{api: &client.Client{Socket: socket}, odid: id.Self().String()}
	l.t, l.log = t, new(logged)
	if l.Server, err = New(Config{Client: &client.Client{Socket: socket}, Listen: "127.0.0.1:0", Dir: dir, Spool: filepath.Join(dir, "outgoing")}); err != nil {
		t.Fatal(err)
	}
	stops := []func(){background(t, n.Run), background(t, api.Run), background(t, l.Run)}
	t.Cleanup(func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
		l.api.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	<-api.Ready()
	l.cookie = l.session()
	return l
}

// background runs f until the function returned is called.
func background(t *testing.T, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// page returns what a browser that is logged in gets.
func (l *lived) page(path string, header ...string) (status int, html string) {
	l.t.Helper()
	return l.read(l.asks("GET", path, "", append(header, "Cookie", l.cookie)...))
}

// acts sends a form.
func (l *lived) acts(path, form string, header ...string) (status int, html string) {
	l.t.Helper()
	return l.read(l.asks("POST", path, form, append(header, "Cookie", l.cookie)...))
}

func (l *lived) read(res *http.Response) (status int, html string) {
	l.t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// pair makes two devices trusted contacts, through the API.
func (l *lived) pair(other *lived) {
	l.t.Helper()
	shown, err := l.api.Pairing().ShowCode(l.t.Context(), &contactsv1.ShowCodeRequest{})
	if err != nil {
		l.t.Fatal(err)
	}
	defer shown.Close()
	if !shown.Receive() {
		l.t.Fatal(shown.Err())
	}
	if _, err := other.api.Pairing().EnterCode(l.t.Context(), &contactsv1.EnterCodeRequest{Code: shown.Msg().GetCode().Code}); err != nil {
		l.t.Fatal(err)
	}
	for shown.Receive() {
		if shown.Msg().GetPaired() != nil {
			return
		}
	}
	l.t.Fatal(shown.Err())
}

// quick is work for stamps that costs nothing.
type quick struct{}

func (quick) Sum(text []byte) stamp.Sum { return sha256.Sum256(text) }
