package relation_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// world is some devices on one network in memory.
type world struct {
	t   *testing.T
	net *memnet.Network
}

// device runs the relation feature behind the gate's rule, as a node does.
type device struct {
	t    *testing.T
	w    *world
	id   *identity.Identity
	path string
	*relation.Service
	db     *store.DB
	link   *memnet.Device
	stop   context.CancelFunc
	done   sync.WaitGroup
	staged staged
	till   till
	work   stamp.Work
	budget int // of connections, 64 if 0
	policy atomic.Pointer[contact.Policy]
	name   atomic.Pointer[string]
}

// staged stands for the pairing feature: what waits for its last step.
type staged struct {
	mu sync.Mutex
	by map[contact.ODID]relation.Pairing
	at map[contact.ODID]time.Time
}

func (s *staged) put(p relation.Pairing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[contact.ODID]relation.Pairing)
		s.at = make(map[contact.ODID]time.Time)
	}
	s.at[p.Peer] = time.Now()
	s.by[p.Peer] = p
}

func (s *staged) get(peer contact.ODID) (relation.Pairing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.by[peer]
	return p, ok
}

func (s *staged) drop(peer contact.ODID, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at[peer].After(until) {
		delete(s.by, peer)
	}
}

// quick is work that costs nothing.
type quick struct{}

// slow is work that takes 100 ms for a hash.
type slow struct{}

func (slow) Sum(text []byte) stamp.Sum {
	time.Sleep(100 * time.Millisecond)
	return sha256.Sum256(text)
}

func (quick) Sum(text []byte) stamp.Sum { return sha256.Sum256(text) }

func newWorld(t *testing.T) *world {
	return &world{t, memnet.New(memnet.Options{Latency: time.Millisecond})}
}

func (w *world) device(name byte) *device {
	w.t.Helper()
	var seed [32]byte
	seed[0] = name
	id, err := identity.FromSeed(seed)
	if err != nil {
		w.t.Fatal(err)
	}
	d := &device{t: w.t, w: w, id: id, work: quick{}, path: filepath.Join(w.t.TempDir(), "store")}
	d.decides(func(*contact.Policy) {})
	d.called("device " + string(name))
	d.start()
	w.t.Cleanup(d.halt)
	return d
}

func (d *device) start() {
	d.t.Helper()
	db, err := store.Open(d.path, store.Options{}, relation.Tables()...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.db, d.link = db, d.w.net.Device(d.id.Self())
	s, err := relation.New(relation.Config{
		DB: db, Identity: d.id, Network: d.link, Addresses: d.link, Charge: d.till.charge, Work: d.work,
		Budget: d.budget, Disconnect: d.link.Disconnect,
		Policy: func() contact.Policy { return *d.policy.Load() },
		Name:   func() string { return *d.name.Load() },
		Staged: func(_ *store.Tx, peer contact.ODID) (bool, error) {
			_, ok := d.staged.get(peer)
			return ok, nil
		},
		CommitStaged: func(tx *store.Tx, peer contact.ODID, id contact.PairID) (bool, error) {
			p, ok := d.staged.get(peer)
			if !ok || p.ID != id {
				return false, nil
			}
			tx.OnCommit(func() { d.staged.drop(peer, time.Now()) })
			return true, d.CommitPairing(tx, p)
		},
		DropStaged: func(tx *store.Tx, peer contact.ODID, until time.Time) error {
			d.staged.drop(peer, until)
			return nil
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.Service = s
	d.link.SetMayDial(s.MayDial)
	d.link.SetWhere(s.Where)
	d.link.Serve(relation.Protocol, func(ctx context.Context, st transport.Stream) {
		var party contact.Party
		if err := db.View(func(tx *store.Tx) (err error) {
			party, err = s.Party(tx, st.Peer())
			return err
		}); err != nil {
			d.t.Error(err)
		}
		s.Handle(ctx, st, contact.Allow(party, contact.ServiceRelation))
	})
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	d.done.Go(func() {
		if err := d.link.Run(ctx); err != nil {
			d.t.Error(err)
		}
	})
	d.done.Go(func() {
		if err := s.Run(ctx); err != nil {
			d.t.Error(err)
		}
	})
}

func (d *device) halt() {
	if d.stop == nil {
		return
	}
	d.stop()
	d.stop = nil
	d.done.Wait()
	d.whole()
	if err := d.db.Close(); err != nil {
		d.t.Error(err)
	}
}

// copy returns what the device's store holds now; restore puts it back.
func (d *device) copy() []byte {
	d.t.Helper()
	d.halt()
	defer d.start()
	b, err := os.ReadFile(d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func (d *device) restore(b []byte) {
	d.t.Helper()
	d.halt()
	defer d.start()
	if err := os.WriteFile(d.path, b, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// restoreStaged is restore to a copy that has a pairing staged at a time.
func (d *device) restoreStaged(b []byte, p relation.Pairing, at time.Time) {
	d.t.Helper()
	d.halt()
	d.staged.put(p)
	d.staged.at[p.Peer] = at
	d.restore(b)
}

// decides changes the default policy in what its user wants else.
func (d *device) decides(change func(*contact.Policy)) {
	p := contact.DefaultPolicy()
	change(&p)
	d.policy.Store(&p)
}

// called names the device, and tells nobody.
func (d *device) called(name string) { d.name.Store(&name) }

func (d *device) odid() contact.ODID { return d.id.Self() }

func (d *device) add(o *device, opt relation.AddOptions) {
	d.t.Helper()
	if _, _, err := d.Add(o.odid(), opt); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) remove(o *device, both bool) {
	d.t.Helper()
	if err := d.Remove(o.odid(), both); err != nil {
		d.t.Fatal(err)
	}
}

// commit ends a pairing on this side.
func (d *device) commit(o *device, id contact.PairID, allow contact.Permissions) {
	d.t.Helper()
	err := d.db.Update(func(tx *store.Tx) error {
		return d.CommitPairing(tx, relation.Pairing{Peer: o.odid(), Name: *o.name.Load(), ID: id, Allow: allow})
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) view(o *device) (v contact.View) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		v, _, err = d.View(tx, o.odid())
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// is fails the test unless d sees o in this status and trust.
func (d *device) is(o *device, status contact.Status, trust contact.Trust) {
	d.t.Helper()
	if v := d.view(o); v.Status != status || v.Trust != trust {
		d.t.Fatalf("relation is %v, %v; want %v, %v", v.Status, v.Trust, status, trust)
	}
}

// settle lets time pass until everybody has said what there is to say.
func settle() {
	time.Sleep(time.Hour)
	synctest.Wait()
}

func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}
