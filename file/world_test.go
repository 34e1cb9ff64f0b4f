package file

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// world is two devices that list each other, on a network in one bubble. What their
// outboxes do is done by the world at once.
type world struct {
	t        *testing.T
	net      *memnet.Network
	ana, bob *device
}

// device is a node with files alone.
type device struct {
	t      *testing.T
	w      *world
	self   contact.ODID
	store  string
	folder string // for what is received

	db   *store.DB
	svc  *Service
	net  *memnet.Device
	stop func()

	mu       sync.Mutex
	unlisted bool
	policy   contact.Policy
	wrap     func(transport.Stream) transport.Stream // of streams it opens, nil for none
}

func inWorld(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(memnet.Options{Latency: time.Millisecond})}
		w.ana, w.bob = newDevice(w, 1), newDevice(w, 2)
		w.ana.start()
		w.bob.start()
		story(t, w)
	})
}

func newDevice(w *world, seed byte) *device {
	id, err := identity.FromSeed([32]byte{seed})
	if err != nil {
		w.t.Fatal(err)
	}
	return &device{t: w.t, w: w, self: id.Self(), store: filepath.Join(w.t.TempDir(), "store"), folder: w.t.TempDir(), policy: contact.DefaultPolicy()}
}

func (d *device) peer() *device {
	if d == d.w.ana {
		return d.w.bob
	}
	return d.w.ana
}

func (d *device) relation(*store.Tx, contact.ODID) (contact.View, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unlisted {
		return contact.View{Status: contact.StatusRemoved}, true, nil
	}
	return contact.View{Status: contact.StatusAccepted, Trust: contact.Paired, Given: contact.Messages}, true, nil
}

// decides changes the user's policy.
func (d *device) decides(f func(*contact.Policy)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.policy)
}

func (d *device) decided() contact.Policy {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.policy
}

// Open is memnet's, with what a story has between.
func (d *device) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	st, err := d.net.Open(ctx, peer, p)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || d.wrap == nil {
		return st, err
	}
	return d.wrap(st), nil
}

type network struct {
	*memnet.Device
	d *device
}

func (n network) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	return n.d.Open(ctx, peer, p)
}

func (d *device) start() {
	d.t.Helper()
	var err error
	if d.db, err = store.Open(d.store, store.Options{NoSync: true}, Tables()...); err != nil {
		d.t.Fatal(err)
	}
	d.net = d.w.net.Device(d.self)
	d.net.SetMayDial(func(contact.ODID) bool { return true })
	d.svc, err = New(Config{
		DB: d.db, Network: network{d.net, d}, Relation: d.relation, Folder: d.folder,
		Policy: d.decided,
		Send:   d.deliver,
		Revoke: func(ID) error { return nil },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) { d.svc.Handle(ctx, st, contact.Serve) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{d.net.Run, d.svc.Run} {
		running.Go(func() { run(ctx) })
	}
	d.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := d.db.Close(); err != nil {
			d.t.Error(err)
		}
	})
	d.t.Cleanup(func() { d.stop() })
}

// deliver takes an offer to the other device, as messages do once.
func (d *device) deliver(_ contact.ODID, id ID, body []byte) error {
	to := d.peer()
	return to.db.Update(func(tx *store.Tx) error { return to.svc.Received(tx, d.self, id, body) })
}

// restarts ends a device as kill -9 does, and starts it again.
func (d *device) restarts() {
	d.t.Helper()
	d.stop()
	d.start()
}

// wait lets so much time pass.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// content is so many bytes that are always the same.
func content(size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func (w *world) write(name string, data []byte) (path string) {
	w.t.Helper()
	path = filepath.Join(w.t.TempDir(), name)
	writeFile(w.t, path, data)
	return path
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sends offers what is at path and returns when the offer has arrived.
func (d *device) sends(path string) ID {
	d.t.Helper()
	id, err := NewID()
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.svc.Send(d.peer().self, id, path); err != nil {
		d.t.Fatal(err)
	}
	wait(time.Second)
	return id
}

func (d *device) accepts(id ID) {
	d.t.Helper()
	if _, err := d.svc.Accept(id, ""); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) wants(id ID, state State) Transfer {
	d.t.Helper()
	got, err := d.svc.Get(id)
	if err != nil {
		d.t.Fatal(err)
	}
	if got.State != state {
		d.t.Fatalf("%s (%s, %s), want %s", got.State, got.Note, got.Waiting, state)
	}
	return got
}

// holds says that a device's folder has these files and no others, by their paths.
func (d *device) holds(want map[string][]byte) {
	d.t.Helper()
	got := make(map[string]string)
	err := filepath.WalkDir(d.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(d.folder, path)
		got[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for name, data := range want {
		if text, ok := got[name]; !ok || !bytes.Equal(data, []byte(text)) {
			d.t.Errorf("%s: %d bytes that are not the %d that are due", name, len(text), len(data))
		}
		delete(got, name)
	}
	for name := range got {
		d.t.Errorf("%s is there", name)
	}
}

// empty says that nothing is left in a device's folder, hidden folders neither.
func (d *device) empty() {
	d.t.Helper()
	list, err := os.ReadDir(d.folder)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range list {
		d.t.Errorf("%s is left", e.Name())
	}
}

func names(n int) string { return fmt.Sprintf("d%d/%s", n%7, strings.Repeat("n", 1+n%5)+fmt.Sprint(n)) }

// record is a transfer as a device has it on its disk.
func (d *device) record(id ID) (r record) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		r, err = get(tx, id)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}
