package profile

import (
	"context"
	"image/color"
	"path/filepath"
	"slices"
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

func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, &world{t, memnet.New(memnet.Options{Latency: time.Millisecond, Idle: 24 * time.Hour})})
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// device is a node with a profile and nothing else. Its relations are what the
// test says; what it serves goes by the gate's rule.
type device struct {
	*world
	id   *identity.Identity
	path string
	db   *store.DB
	net  *memnet.Device
	svc  *Service
	stop func()

	mu      sync.Mutex
	marks   map[contact.ODID]contact.Marks
	list    map[contact.ODID]bool
	policy  contact.Audience
	told    int // how often the own change was to be announced
	served  int // streams that the gate let in
	dropped int
}

func (w *world) device(seed byte) *device {
	w.t.Helper()
	id, err := identity.FromSeed([32]byte{seed})
	if err != nil {
		w.t.Fatal(err)
	}
	d := &device{
		world: w, id: id, path: filepath.Join(w.t.TempDir(), "store"), policy: contact.Anyone,
		marks: make(map[contact.ODID]contact.Marks), list: make(map[contact.ODID]bool),
	}
	d.start()
	w.t.Cleanup(func() { d.stop() })
	return d
}

func (d *device) self() contact.ODID { return d.id.Self() }

func (d *device) start() {
	d.t.Helper()
	var err error
	if d.db, err = store.Open(d.path, store.Options{NoSync: true}, Tables()...); err != nil {
		d.t.Fatal(err)
	}
	d.net = d.world.net.Device(d.self())
	d.net.SetMayDial(d.lists)
	d.svc, err = New(Config{
		DB: d.db, Network: d.net, Addresses: d.net, DefaultName: "host", Relation: d.relation,
		Announce: func() { d.told++ },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		switch decision := contact.Allow(d.party(st.Peer()), contact.ServiceProfile); decision {
		case contact.Drop:
			d.count(&d.dropped)
			_ = st.Reset()
		default:
			d.count(&d.served)
			d.svc.Handle(ctx, st, decision)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, run := range []func(context.Context) error{d.net.Run, d.svc.Run} {
		done.Go(func() {
			if err := run(ctx); err != nil {
				d.t.Error(err)
			}
		})
	}
	d.stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		if err := d.db.Close(); err != nil {
			d.t.Error(err)
		}
	})
	synctest.Wait()
}

func (d *device) restart() {
	d.t.Helper()
	d.stop()
	d.start()
}

func (d *device) count(n *int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
}

// asked is how many streams the gate let in.
func (d *device) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.served
}

// wanted is how many contacts are to be asked.
func (d *device) wanted() int {
	d.svc.wants.mu.Lock()
	defer d.svc.wants.mu.Unlock()
	return len(d.svc.wants.due)
}

// strangers is how many are remembered, and how many of their streams are served:
// of all, and the most of one.
func (d *device) strangers() (known, busy, ofOne int) {
	door := d.svc.strangers
	door.mu.Lock()
	defer door.mu.Unlock()
	for _, n := range door.busyOf {
		ofOne = max(ofOne, n)
	}
	return len(door.of), door.busy, ofOne
}

func (d *device) lists(peer contact.ODID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list[peer]
}

func (d *device) relation(_ *store.Tx, peer contact.ODID) (contact.View, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.marks[peer]
	st := &contact.Statement{Listed: d.list[peer]}
	return contact.Derive(st, nil, m), d.list[peer] || m != contact.Marks{}, nil
}

func (d *device) party(peer contact.ODID) contact.Party {
	d.mu.Lock()
	defer d.mu.Unlock()
	return contact.Party{
		Mine: &contact.Statement{Listed: d.list[peer]}, Marks: d.marks[peer], Policy: contact.Policy{Profile: d.policy},
	}
}

// adds lists devices here.
func (d *device) adds(others ...*device) {
	for _, o := range others {
		d.mu.Lock()
		d.list[o.self()], d.marks[o.self()] = true, contact.Marks{}
		d.mu.Unlock()
		d.svc.RelationChanged(o.self())
	}
}

func (d *device) drops(o *device, m contact.Marks) {
	d.mu.Lock()
	d.list[o.self()], d.marks[o.self()] = false, m
	d.mu.Unlock()
	d.svc.RelationChanged(o.self())
	synctest.Wait()
}

func (d *device) sets(c Change) Profile {
	d.t.Helper()
	p, err := d.svc.Set(c)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *device) of(o *device) (Kept, error) {
	return d.svc.Of(d.t.Context(), o.self(), Query{})
}

// seen is what d is told of o, live.
func (d *device) seen(o *device) Kept {
	d.t.Helper()
	k, err := d.of(o)
	if err != nil || !k.Live {
		d.t.Fatalf("live %v, %v", k.Live, err)
	}
	return k
}

// kept is what d has of o's profile without asking.
func (d *device) kept(o *device) (Kept, bool) {
	d.t.Helper()
	k, err := d.svc.Of(d.t.Context(), o.self(), Query{KeptOnly: true})
	return k, err == nil
}

// events are those of a device's profile.
func (d *device) events(peer contact.ODID) (n int) {
	d.t.Helper()
	list, err := d.db.Events(0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range list {
		if e.Event.Type == contact.ProfileChanged && e.Event.Contact == peer {
			n++
		}
	}
	return n
}

// full is a change that sets all there is.
func full(t testing.TB, name string) Change {
	t.Helper()
	p, err := NewPicture(asPNG(t, drawing(300, 300, color.White)))
	if err != nil {
		t.Fatal(err)
	}
	bio := "Engines, mostly.\nAnd poetry."
	skills, communities := []string{"go", "chess"}, []string{"Analytical Society"}
	return Change{Name: &name, Bio: &bio, Skills: &skills, Communities: &communities, Picture: &p}
}

func equal(t testing.TB, got, want Profile) {
	t.Helper()
	if got.Name != want.Name || got.Bio != want.Bio || got.Rev != want.Rev ||
		!slices.Equal(got.Skills, want.Skills) || !slices.Equal(got.Communities, want.Communities) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if (len(got.Picture) > 0) != (len(want.Picture) > 0) {
		t.Fatalf("a picture of %d bytes, want %d", len(got.Picture), len(want.Picture))
	}
	if len(got.Picture) > 0 {
		good(t, got.Picture)
	}
}
