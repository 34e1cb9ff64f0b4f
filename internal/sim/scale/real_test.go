package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/presence"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// party is real devices with presence and nothing else, all contacts of each other.
type party struct {
	t       *testing.T
	net     *memnet.Network
	devices []*guest

	mu      sync.Mutex
	written map[transport.Protocol]*bytes.Buffer // by all, in whole frames
}

type guest struct {
	*memnet.Device
	svc *presence.Service
}

func (*guest) Own() []transport.Address                { return someAddresses() }
func (*guest) Learn(contact.ODID, []transport.Address) {}
func (p *party) self(i int) contact.ODID               { return p.devices[i].Self() }
func (p *party) sees(i, j int) presence.Presence       { return p.devices[i].svc.Of(p.self(j)) }
func (p *party) tap(_, _ contact.ODID, proto transport.Protocol, b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written[proto] == nil {
		p.written[proto] = new(bytes.Buffer)
	}
	p.written[proto].Write(b)
	return true
}

// take returns what was written since it was last called.
func (p *party) take() map[transport.Protocol]*bytes.Buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.written
	p.written = make(map[transport.Protocol]*bytes.Buffer)
	return all
}

func newParty(t *testing.T, n int) *party {
	p := &party{t: t, written: make(map[transport.Protocol]*bytes.Buffer)}
	p.net = memnet.New(memnet.Options{Latency: 50 * time.Millisecond, Idle: 24 * time.Hour, Tap: p.tap})
	for i := range n {
		id, err := identity.FromSeed([32]byte{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{NoSync: true}, presence.Tables()...)
		if err != nil {
			t.Fatal(err)
		}
		g := &guest{Device: p.net.Device(id.Self())}
		g.svc, err = presence.New(presence.Config{DB: db, Network: g.Device, Identity: id, Addresses: g, Relation: friends})
		if err != nil {
			t.Fatal(err)
		}
		g.Serve(presence.Protocol, func(ctx context.Context, st transport.Stream) { g.svc.Handle(ctx, st, contact.Serve) })
		g.Serve(presence.GossipProtocol, func(ctx context.Context, st transport.Stream) { g.svc.HandleGossip(ctx, st, contact.Serve) })
		stopNetwork, stopService := background(t, g.Run), background(t, g.svc.Run)
		t.Cleanup(func() {
			stopService()
			stopNetwork()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		p.devices = append(p.devices, g)
	}
	return p
}

func friends(*store.Tx, contact.ODID) (contact.View, bool, error) {
	return contact.View{Status: contact.StatusAccepted, Given: contact.AllPermissions, Received: contact.AllPermissions}, true, nil
}

// background runs f until the returned function is called, which waits for it.
func background(t *testing.T, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func (p *party) connect(i, j int) {
	if err := p.devices[i].Dial(p.t.Context(), p.self(j), memnet.AddressOf(p.self(j))); err != nil {
		p.t.Fatal(err)
	}
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// sum is frames and bytes by category.
type sum struct{ frames, bytes [categories]float64 }

func (s *sum) add(c category, bytes int) {
	s.frames[c]++
	s.bytes[c] += float64(bytes)
}

// of takes apart what was written, in whole frames, and counts what the model's
// frames of the same would take.
func (s *sum) of(t *testing.T, written map[transport.Protocol]*bytes.Buffer) {
	t.Helper()
	for r := transport.NewFrameReader(orEmpty(written[presence.Protocol]), maxFrame); ; {
		var f tellFrame
		if !next(t, r, &f) {
			break
		}
		c := alive
		switch {
		case f.Key != nil:
			c = keys
		case f.Beacon != nil:
			c = beacons
		}
		s.add(c, sizeOf(f))
	}
	for r := transport.NewFrameReader(orEmpty(written[presence.GossipProtocol]), maxFrame); ; {
		var f linkFrame
		if !next(t, r, &f) {
			break
		}
		c := digests
		switch {
		case f.Nonce != nil || f.Know != nil || f.Forget != nil:
			c = interest
		case f.News != nil:
			c = beacons
		}
		s.add(c, sizeOf(f))
	}
}

func orEmpty(b *bytes.Buffer) *bytes.Buffer {
	if b == nil {
		return new(bytes.Buffer)
	}
	return b
}

func next(t *testing.T, r *transport.FrameReader, f any) bool {
	t.Helper()
	err := r.Read(f)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return err == nil
}

const (
	guests  = 14
	linked  = 30 // percent of the pairs
	changes = 12
)

// pairsOf draws who is connected with whom.
func pairsOf(rng *rand.Rand) (pairs [][2]int) {
	for i := range guests {
		for j := i + 1; j < guests; j++ {
			if rng.IntN(100) < linked {
				pairs = append(pairs, [2]int{i, j})
			}
		}
	}
	return pairs
}

// playReal meets all, connects some, lets an hour pass and has some of them change
// their state. It returns what was written from the connections on.
func playReal(t *testing.T, pairs [][2]int) (got sum, missed int) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, guests)
		synctest.Wait()
		for i := range guests {
			for j := i + 1; j < guests; j++ {
				p.connect(i, j)
			}
		}
		pass(time.Minute)
		for i := range guests {
			for j := i + 1; j < guests; j++ {
				p.net.Drop(p.self(i), p.self(j))
			}
		}
		pass(time.Hour) // what they said of themselves is over
		p.take()
		for _, x := range pairs {
			p.connect(x[0], x[1])
		}
		pass(20 * time.Minute)
		for i := range changes {
			text := statusText[:len(statusText)-1] + string(rune('a'+i))
			if err := p.devices[i].svc.Set(presence.Busy, text); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
		}
		pass(28 * time.Minute)
		written := p.take()
		sizes := 0
		for _, b := range written {
			sizes += b.Len()
		}
		got.of(t, written)
		for i := range guests {
			for j := range changes {
				if i != j && p.sees(i, j).State != presence.Busy {
					missed++
				}
			}
		}
		total := 0.0
		for _, b := range got.bytes {
			total += b
		}
		if int(total) != sizes {
			t.Errorf("the model's frames of what was written have %.0f bytes, not %d", total, sizes)
		}
	})
	return got, missed
}

// playModel does in the model what playReal does.
func playModel(pairs [][2]int) (got sum, missed int) {
	s := Scenario{Contacts: guests - 1, Tracked: guests, Online: 1, Measured: 2 * time.Hour} // no budget: connections are the test's
	w := populate(s, rand.New(rand.NewPCG(1, 1)), everybody(guests), measureSizes(statusText, someAddresses()))
	w.tally.begin(w)
	for _, d := range w.devices {
		w.begin(d)
	}
	for _, x := range pairs {
		w.connect(w.devices[x[0]], w.devices[x[1]])
	}
	w.run(20 * time.Minute)
	for i := range changes {
		w.change(w.devices[i].topic())
		w.run(w.now + time.Minute)
	}
	w.run(w.now + 28*time.Minute)
	w.tally.end(w)
	for _, x := range w.topics {
		for _, h := range x.holders {
			if h.state != present || h.seq != x.newest.seq {
				missed++
			}
		}
	}
	return sum{w.tally.frames, w.tally.bytes}, missed
}

// The model writes what real services write: as many frames and bytes of each kind,
// within a tolerance. They differ since chance decides who is asked first; the model
// counts keep-alives that a beacon replaces, and a part of the next day's link.
func TestModelWritesWhatRealServicesWrite(t *testing.T) {
	tolerance := [categories]float64{alive: 0.06, keys: 0, interest: 0.06, digests: 0.15, beacons: 0.08}
	rng := rand.New(rand.NewPCG(3, 3))
	pairs := pairsOf(rng)
	real, missed := playReal(t, pairs)
	if missed > 0 {
		t.Errorf("%d states are not known to real devices", missed)
	}
	model, missed := playModel(pairs)
	if missed > 0 {
		t.Errorf("%d states are not known in the model", missed)
	}
	for c, name := range categoryNames {
		for what, v := range map[string][2]float64{
			"frames": {real.frames[c], model.frames[c]},
			"bytes":  {real.bytes[c], model.bytes[c]},
		} {
			off := v[1]/v[0] - 1
			line := fmt.Sprintf("%s of %s: real %.0f, model %.0f (%+.1f %%)", what, name, v[0], v[1], 100*off)
			t.Log(line)
			if off > tolerance[c] || off < -tolerance[c] {
				t.Errorf("%s: at most %.0f %% off", line, 100*tolerance[c])
			}
		}
	}
}
