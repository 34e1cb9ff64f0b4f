package message

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

var accepted = contact.View{
	Status: contact.StatusAccepted, Trust: contact.Paired,
	Given: contact.AllPermissions, Received: contact.AllPermissions,
}

// tester is what stories report to: a test, or one run of a property.
type tester interface {
	Helper()
	Error(...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// world is two devices that accept each other, on a network in one bubble.
type world struct {
	t          tester
	home       testing.TB // of files and of what outlives a story
	net        *memnet.Network
	sync       bool // stores sync their disks
	alice, bob *device
}

// inWorld runs a story in a bubble: time is fake, disks are real.
func inWorld(t *testing.T, story func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.alice.start()
		w.bob.start()
		story(t, w)
	})
}

func newWorld(t testing.TB) *world { return newWorldFor(t, t) }

func newWorldFor(t tester, home testing.TB) *world {
	w := &world{t: t, home: home, net: newNetwork(time.Millisecond)}
	w.alice, w.bob = newDevice(t, w, 1), newDevice(t, w, 2)
	w.alice.relate(w.bob, accepted)
	w.bob.relate(w.alice, accepted)
	return w
}

func newNetwork(latency time.Duration) *memnet.Network {
	return memnet.New(memnet.Options{Latency: latency})
}

// device is a node with messages alone; its relations are what the test says.
type device struct {
	t    tester
	w    *world
	self contact.ODID
	path string

	db  *store.DB
	svc *Service
	net *memnet.Device
	tap *tap

	dialable                 func(contact.ODID) bool // nil: everybody
	stopService, stopNetwork func()
	up                       bool

	full atomic.Bool // nothing can be stored
	lost atomic.Bool // a story of lost addresses: nobody is known to be anywhere

	mu    sync.Mutex
	views map[contact.ODID]contact.View
}

func newDevice(t tester, w *world, seed byte) *device { return newDeviceOf(t, w, int(seed)) }

// newDeviceOf is newDevice for more of them than a byte can tell apart.
func newDeviceOf(t tester, w *world, seed int) *device {
	t.Helper()
	id, err := identity.FromSeed([32]byte{byte(seed), byte(seed >> 8)})
	if err != nil {
		t.Fatal(err)
	}
	return &device{
		t: t, w: w, self: id.Self(), path: filepath.Join(w.home.TempDir(), "store"),
		views: make(map[contact.ODID]contact.View),
	}
}

func (d *device) relate(peer *device, v contact.View) {
	d.mu.Lock()
	d.views[peer.self] = v
	d.mu.Unlock()
}

func (d *device) relation(tx *store.Tx, peer contact.ODID) (contact.View, bool, error) {
	if tx != nil && d.full.Load() {
		return contact.View{}, false, store.ErrFull
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	v, known := d.views[peer]
	return v, known, nil
}

// gate decides as contact.Allow does.
func (d *device) gate(peer contact.ODID) contact.Decision {
	switch v, _, _ := d.relation(nil, peer); {
	case !listed(v):
		return contact.Drop
	case !v.Given.Has(contact.Messages):
		return contact.Refuse
	}
	return contact.Serve
}

// start brings the device up on the store at its path.
func (d *device) start() {
	d.t.Helper()
	d.open()
	d.tap = newTap(d.w.net.Device(d.self))
	d.net = d.tap.Device
	var err error
	if d.svc, err = New(Config{DB: d.db, Network: d.tap, Relation: d.relation, Dialable: d.dialable}); err != nil {
		d.t.Fatal(err)
	}
	svc, tap := d.svc, d.tap
	d.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		svc.Handle(ctx, tapped{st, tap}, d.gate(st.Peer()))
	})
	d.stopNetwork = background(d.t, d.net.Run)
	d.stopService = background(d.t, d.svc.Run)
	d.up = true
	d.w.home.Cleanup(d.stop)
}

func (d *device) open() {
	d.t.Helper()
	var err error
	if d.db, err = store.Open(d.path, store.Options{NoSync: !d.w.sync}, Tables()...); err != nil {
		d.t.Fatal(err)
	}
}

// stop ends the device as a clean stop does.
func (d *device) stop() {
	if !d.up {
		return
	}
	d.up = false
	d.stopService()
	d.stopNetwork()
	if err := d.db.Close(); err != nil {
		d.t.Error(err)
	}
}

// crash takes the device off without a word: nothing of it reaches the network
// any more, peers learn of it by silence, the store is as of its last commit.
func (d *device) crash() {
	d.tap.dead.Store(true)
	d.w.net.Crash(d.self)
	d.stop()
}

// backup copies the store of a device that is down.
func (d *device) backup() (path string) {
	d.t.Helper()
	path = filepath.Join(d.w.home.TempDir(), "backup")
	copyFile(d.t, d.path, path)
	return path
}

func (d *device) restore(path string) {
	d.t.Helper()
	copyFile(d.t, path, d.path)
}

func copyFile(t tester, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func background(t tester, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil && !errors.Is(err, memnet.ErrCrashed) {
			t.Error(err)
		}
	}
}

// tap is the network of a device with a switch: after so many reads and writes
// nothing gets in or out any more.
type tap struct {
	*memnet.Device
	dead  atomic.Bool
	left  atomic.Int64
	blown chan struct{} // closed when it switched off by itself
	opens atomic.Int64
	stuck atomic.Bool // the next stream is never opened, whatever comes
	last  func()      // is called when it switches off by itself; may be nil
}

func newTap(d *memnet.Device) *tap { return &tap{Device: d, blown: make(chan struct{})} }

// blowAfter makes the n-th operation from now fail, and all after it.
func (p *tap) blowAfter(n int) { p.left.Store(int64(n)) }

var errBlown = errors.New("crashed")

func (p *tap) pass() error {
	if p.dead.Load() {
		return errBlown
	}
	if p.left.Load() > 0 && p.left.Add(-1) == 0 {
		p.dead.Store(true)
		if p.last != nil {
			p.last()
		}
		close(p.blown)
		return errBlown
	}
	return nil
}

func (p *tap) Open(ctx context.Context, peer contact.ODID, proto transport.Protocol) (transport.Stream, error) {
	p.opens.Add(1)
	if err := p.pass(); err != nil {
		return nil, err
	}
	if p.stuck.Swap(false) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	st, err := p.Device.Open(ctx, peer, proto)
	if err != nil {
		return nil, err
	}
	return tapped{st, p}, nil
}

type tapped struct {
	transport.Stream
	tap *tap
}

// Read blows after the bytes have come, before the service sees them.
func (s tapped) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	if blown := s.tap.pass(); blown != nil {
		return 0, blown
	}
	return n, err
}

func (s tapped) Write(b []byte) (int, error) {
	if err := s.tap.pass(); err != nil {
		return 0, err
	}
	return s.Stream.Write(b)
}

// write queues one text for the peer.
func (d *device) write(peer *device, text string) Message {
	d.t.Helper()
	m, err := d.svc.Send(peer.self, newID(d.t), KindText, []byte(text))
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

func newID(t tester) ID {
	t.Helper()
	id, err := NewID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (d *device) writeAll(peer *device, prefix string, n int) (texts []string) {
	d.t.Helper()
	for i := range n {
		text := fmt.Sprintf("%s %d", prefix, i+1)
		d.write(peer, text)
		texts = append(texts, text)
	}
	return texts
}

func (d *device) history(peer *device) []Message {
	d.t.Helper()
	var all []Message
	for after := uint64(0); ; {
		q := Query{After: after, Limit: MaxPage}
		if after == 0 {
			q.Before = 0
			first, err := d.svc.History(peer.self, Query{Limit: MaxPage})
			if err != nil {
				d.t.Fatal(err)
			}
			if !first.More {
				return first.Messages
			}
			q.After = 1
			if m := d.at(peer, 1); m != nil {
				all = append(all, *m)
			}
		}
		page, err := d.svc.History(peer.self, q)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, page.Messages...)
		if !page.More {
			return all
		}
		after = all[len(all)-1].Cursor
	}
}

func (d *device) at(peer *device, cursor uint64) *Message {
	d.t.Helper()
	page, err := d.svc.History(peer.self, Query{Before: cursor + 1, Limit: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(page.Messages) == 0 || page.Messages[0].Cursor != cursor {
		return nil
	}
	return &page.Messages[0]
}

// received returns the texts that came from the peer, gaps as "(note)".
func (d *device) received(peer *device) []string {
	d.t.Helper()
	texts := []string{}
	for _, m := range d.history(peer) {
		switch {
		case m.Direction == Out:
		case m.Kind == KindGap:
			texts = append(texts, "("+m.Note+")")
		default:
			texts = append(texts, string(m.Body))
		}
	}
	return texts
}

func (d *device) wantReceived(peer *device, want []string) {
	d.t.Helper()
	if got := d.received(peer); !slices.Equal(got, want) {
		d.t.Fatalf("received %d messages, want %d:\n got %q\nwant %q", len(got), len(want), got, want)
	}
}

func (d *device) wantQueued(n int) {
	d.t.Helper()
	c, err := d.svc.Counts()
	if err != nil {
		d.t.Fatal(err)
	}
	if c.Queued != n {
		d.t.Fatalf("%d queued, want %d", c.Queued, n)
	}
	waiting := 0
	for q := (OutboxQuery{Limit: 7}); ; {
		page, err := d.svc.Outbox(q)
		if err != nil {
			d.t.Fatal(err)
		}
		waiting += len(page.Messages)
		for _, m := range page.Messages {
			if m.State != Queued || m.Waiting == "" {
				d.t.Fatalf("in the outbox: %s, waiting %q", m.State, m.Waiting)
			}
		}
		if q.After = page.Next; q.After == nil {
			break
		}
	}
	if waiting != n {
		d.t.Fatalf("%d in the outbox, %d counted", waiting, n)
	}
}

func (d *device) get(id ID) Message {
	d.t.Helper()
	m, err := d.svc.Get(id)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// pass lets time go by and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
