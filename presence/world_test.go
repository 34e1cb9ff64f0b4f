package presence

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
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

// world is a network of devices in one synctest bubble.
type world struct {
	t   *testing.T
	net *memnet.Network
}

func newWorld(t *testing.T) *world {
	return &world{t, memnet.New(memnet.Options{Latency: time.Millisecond, Idle: 24 * time.Hour})}
}

func newIdentity(t testing.TB, seed byte) *identity.Identity {
	t.Helper()
	id, err := identity.FromSeed([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// device is a node with presence and nothing else. Its relations are what the
// test says.
type device struct {
	*world
	id   *identity.Identity
	path string
	db   *store.DB
	net  *memnet.Device
	svc  *Service
	tap  *tap

	mu     sync.Mutex
	views  map[contact.ODID]contact.View
	addrs  []transport.Address
	learnt map[contact.ODID][]transport.Address
	asks   int // how often more the relation is told as it is; ever after if negative

	stopService, stopNetwork func()
	tapped                   []*recorded
}

func (w *world) device(seed byte) *device {
	w.t.Helper()
	d := &device{
		world:  w,
		id:     newIdentity(w.t, seed),
		path:   filepath.Join(w.t.TempDir(), "store"),
		views:  make(map[contact.ODID]contact.View),
		learnt: make(map[contact.ODID][]transport.Address),
		asks:   -1,
	}
	d.start()
	return d
}

func (d *device) self() contact.ODID { return d.id.Self() }

// start opens the store and runs the network and the service until the test ends.
func (d *device) start() {
	d.t.Helper()
	var err error
	if d.db, err = store.Open(d.path, store.Options{NoSync: true}, Tables()...); err != nil {
		d.t.Fatal(err)
	}
	d.net = d.world.net.Device(d.self())
	d.tap = &tap{Device: d.net, owner: d}
	d.svc, err = New(Config{DB: d.db, Network: d.tap, Identity: d.id, Addresses: d.tap, Relation: d.relation, AwayAfter: 5 * time.Minute})
	if err != nil {
		d.t.Fatal(err)
	}
	d.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		if v, known := d.view(st.Peer()); lists(v, known) {
			d.svc.Handle(ctx, st, contact.Serve)
			return
		}
		d.svc.Handle(ctx, st, contact.Drop)
	})
	d.net.Serve(GossipProtocol, func(ctx context.Context, st transport.Stream) {
		decision := contact.Drop
		if v, known := d.view(st.Peer()); mayTell(v, known) {
			decision = contact.Serve
		}
		d.svc.HandleGossip(ctx, d.record(st, GossipProtocol), decision)
	})
	d.stopNetwork = background(d.t, d.net.Run)
	d.stopService = background(d.t, d.svc.Run)
	d.t.Cleanup(func() { d.stop() })
	synctest.Wait()
}

// stop ends the service, then the network, as a node does.
func (d *device) stop() {
	d.stopService()
	d.stopNetwork()
	if err := d.db.Close(); err != nil {
		d.t.Error(err)
	}
	pass(10 * time.Millisecond) // until peers know
}

func (d *device) restart() {
	d.t.Helper()
	d.stop()
	d.start()
}

// background runs f until the returned function is called, which waits for it.
func background(t *testing.T, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func (d *device) view(peer contact.ODID) (contact.View, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, known := d.views[peer]
	return v, known
}

func (d *device) relation(_ *store.Tx, peer contact.ODID) (contact.View, bool, error) {
	v, known := d.view(peer)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.asks == 0:
		v.Given = 0
	case d.asks > 0:
		d.asks--
	}
	return v, known, nil
}

func accepted(given contact.Permissions) contact.View {
	return contact.View{Status: contact.StatusAccepted, Given: given, Received: contact.AllPermissions}
}

// relate changes what d says of peer and tells the service.
func (d *device) relate(peer contact.ODID, v contact.View) {
	d.mu.Lock()
	d.views[peer] = v
	d.mu.Unlock()
	d.svc.RelationChanged(peer)
	synctest.Wait()
}

// befriend makes d and others contacts that see each other, and connects them.
func (d *device) befriend(others ...*device) {
	d.t.Helper()
	for _, o := range others {
		d.relate(o.self(), accepted(contact.PairedDefault))
		o.relate(d.self(), accepted(contact.PairedDefault))
		d.connect(o)
	}
}

func (d *device) connect(o *device) {
	d.t.Helper()
	if err := d.net.Dial(d.t.Context(), o.self(), memnet.AddressOf(o.self())); err != nil {
		d.t.Fatal(err)
	}
	pass(10 * time.Millisecond)
}

// pass lets time pass and everything that it brings happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// sees fails unless d knows o to be in state with text.
func (d *device) sees(o *device, state State, text string) Presence {
	d.t.Helper()
	p := d.svc.Of(o.self())
	if p.State != state || p.Text != text {
		d.t.Fatalf("sees %v %q, want %v %q", p.State, p.Text, state, text)
	}
	return p
}

func (d *device) set(state State, text string) {
	d.t.Helper()
	if err := d.svc.Set(state, text); err != nil {
		d.t.Fatal(err)
	}
	pass(10 * time.Millisecond)
}

// tap is the device's network with its own addresses faked and every byte it
// sends or is sent on record.
type tap struct {
	*memnet.Device
	owner *device
}

func (n *tap) Own() []transport.Address {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	return n.owner.addrs
}

func (n *tap) Learn(peer contact.ODID, addrs []transport.Address) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	n.owner.learnt[peer] = addrs
}

func (n *tap) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	st, err := n.Device.Open(ctx, peer, p)
	if err != nil {
		return nil, err
	}
	return n.owner.record(st, p), nil
}

func (d *device) record(st transport.Stream, p transport.Protocol) *recorded {
	r := &recorded{Stream: st, protocol: p, opened: time.Now()}
	d.mu.Lock()
	d.tapped = append(d.tapped, r)
	d.mu.Unlock()
	return r
}

// recorded keeps what is written to a stream.
type recorded struct {
	transport.Stream
	protocol transport.Protocol
	opened   time.Time
	mu       sync.Mutex
	bytes    bytes.Buffer
}

func (r *recorded) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.bytes.Write(b)
	r.mu.Unlock()
	return r.Stream.Write(b)
}

// sent returns every byte that d wrote to peer, in the order of streams.
func (d *device) sent(peer contact.ODID) []byte {
	return append(d.sentOn(Protocol, peer), d.sentOn(GossipProtocol, peer)...)
}

// sentOn is sent of one protocol.
func (d *device) sentOn(p transport.Protocol, peer contact.ODID) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []byte
	for _, r := range d.tapped {
		if r.Peer() == peer && r.protocol == p {
			r.mu.Lock()
			all = append(all, r.bytes.Bytes()...)
			r.mu.Unlock()
		}
	}
	return all
}

// opened returns how many streams of p there were.
func (d *device) opened(p transport.Protocol) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.tapped {
		if r.protocol == p {
			n++
		}
	}
	return n
}

// frames returns the frames among the bytes that d wrote to peer.
func (d *device) frames(peer contact.ODID) []frame {
	d.t.Helper()
	r := transport.NewFrameReader(bytes.NewReader(d.sentOn(Protocol, peer)), maxFrame)
	var all []frame
	for {
		var f frame
		if err := r.Read(&f); err == io.EOF {
			return all
		} else if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, f)
	}
}

// beacons returns the beacons that d sent peer, opened with the keys sent along.
func (d *device) beacons(peer contact.ODID) []beacon {
	d.t.Helper()
	var key presenceKey
	var all []beacon
	for _, f := range d.frames(peer) {
		if f.Key != nil {
			key = *f.Key
		}
		if f.Beacon == nil {
			continue
		}
		b, err := unseal(d.self(), key, f.Beacon)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// puppet is a device that the test itself plays, byte by byte.
type puppet struct {
	*world
	id  *identity.Identity
	net *memnet.Device

	mu   sync.Mutex
	got  bytes.Buffer // on every stream opened to it
	open int          // streams opened to it
	over int          // of these, streams that ended
}

func (w *world) puppet(seed byte) *puppet {
	w.t.Helper()
	p := &puppet{world: w, id: newIdentity(w.t, seed)}
	p.net = w.net.Device(p.id.Self())
	take := func(_ context.Context, st transport.Stream) {
		p.mu.Lock()
		p.open++
		p.mu.Unlock()
		_, _ = io.Copy(p, st)
		_ = st.Reset()
		p.mu.Lock()
		p.over++
		p.mu.Unlock()
	}
	p.net.Serve(Protocol, take)
	p.net.Serve(GossipProtocol, take)
	w.t.Cleanup(background(w.t, p.net.Run))
	synctest.Wait()
	return p
}

func (p *puppet) self() contact.ODID { return p.id.Self() }

func (p *puppet) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got.Write(b)
}

func (p *puppet) received() (streams int, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open, bytes.Clone(p.got.Bytes())
}

func (p *puppet) connect(d *device) {
	p.t.Helper()
	if err := p.net.Dial(p.t.Context(), d.self(), memnet.AddressOf(d.self())); err != nil {
		p.t.Fatal(err)
	}
	pass(10 * time.Millisecond)
}

// stream opens a presence stream to d.
func (p *puppet) stream(d *device) transport.Stream {
	p.t.Helper()
	st, err := p.net.Open(p.t.Context(), d.self(), Protocol)
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

// say writes frames and lets them arrive.
func (p *puppet) say(st transport.Stream, frames ...frame) {
	p.t.Helper()
	for _, f := range frames {
		if err := transport.WriteFrame(st, f, 1<<20); err != nil {
			p.t.Fatal(err)
		}
	}
	pass(10 * time.Millisecond)
}

// beacon returns a frame with a beacon of the puppet's under key.
func (p *puppet) beacon(key presenceKey, b beacon) frame {
	p.t.Helper()
	sealed, err := seal(p.id, key, b)
	if err != nil {
		p.t.Fatal(err)
	}
	return frame{Beacon: sealed, Clock: unixMilli(time.Now())}
}

func (p *puppet) online(seq uint64) beacon {
	now := unixMilli(time.Now())
	return beacon{Seq: seq, State: Online, Since: now, Sent: now, Validity: 900}
}

// inBubble runs a test in a bubble of faked time.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}
