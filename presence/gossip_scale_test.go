package presence

import (
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// crowd makes devices that are all contacts of each other and hold each other's
// keys, as after an earlier meeting, of which each is connected with a part.
func (w *world) crowd(rng *mathrand.Rand, n, part int) []*device {
	w.t.Helper()
	var d []*device
	for i := range n {
		d = append(d, w.device(byte(i+1)))
	}
	key := func(i int) (k presenceKey) {
		binary.BigEndian.PutUint64(k[:], uint64(i+1))
		return k
	}
	for i, o := range d {
		o.mu.Lock()
		for _, p := range d {
			if p != o {
				o.views[p.self()] = accepted(contact.PairedDefault)
			}
		}
		o.mu.Unlock()
		if err := o.db.Update(func(tx *store.Tx) error {
			if err := keys().Put(tx, own(), ownKey{Key: key(i)}); err != nil {
				return err
			}
			for j, p := range d {
				if j == i {
					continue
				}
				if err := heldKeys().Put(tx, peerKey(p.self()), held{Key: key(j)}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	for i, o := range d {
		for j := range n {
			if j > i && rng.IntN(100) < part {
				o.connect(d[j])
			}
		}
	}
	pass(time.Minute)
	return d
}

// bytesOf counts all that devices wrote.
func bytesOf(d []*device) (n int) {
	for _, o := range d {
		o.mu.Lock()
		for _, r := range o.tapped {
			r.mu.Lock()
			n += r.bytes.Len()
			r.mu.Unlock()
		}
		o.mu.Unlock()
	}
	return n
}

// within reports whether b is at most so many connections away from a.
func within(d []*device, a, b *device, n int) bool {
	reached := map[contact.ODID]bool{a.self(): true}
	for range n {
		var next []contact.ODID
		for _, o := range d {
			if slices.ContainsFunc(o.net.Connected(), func(peer contact.ODID) bool { return reached[peer] }) {
				next = append(next, o.self())
			}
		}
		for _, id := range next {
			reached[id] = true
		}
	}
	return reached[b.self()]
}

// With 30 % of the contacts connected, and 20 %, a change reaches all, for at
// most half as much again as telling each of them once.
func TestChangesReachAllAtLittleCost(t *testing.T) {
	if testing.Short() {
		t.Skip("plays 40 devices")
	}
	const n, changes = 40, 20
	for _, part := range []int{20, 30} {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				rng := mathrand.New(mathrand.NewPCG(1, uint64(part)))
				d := w.crowd(rng, n, part)
				for _, o := range d { // whose first news settle who brings them
					o.set(Busy, "settling")
				}
				pass(time.Minute)
				missed, cost, once := 0, 0, 0
				for i := range changes {
					o := d[rng.IntN(n)]
					before := bytesOf(d)
					text := fmt.Sprint("change ", i)
					o.set(Busy, text)
					pass(5 * time.Second)
					cost += bytesOf(d) - before
					for _, p := range d {
						if p != o && p.svc.Of(o.self()).Text != text {
							missed++
						}
					}
					told, _ := o.svc.newest()
					once += (n - 1) * len(told.sealed)
				}
				// With few connections some are farther away than news go, until they
				// look for somebody nearer.
				if most := map[int]int{20: changes * (n - 1) / 50, 30: 0}[part]; missed > most {
					t.Errorf("%d of %d were not told at once", missed, changes*(n-1))
				}
				pass(2 * validity)
				for _, o := range d {
					want := o.svc.Mine()
					for _, p := range d {
						if got := p.svc.Of(o.self()); p != o && (got.State != want.State || got.Text != want.Text) && within(d, o, p, maxHops+1) {
							t.Errorf("two intervals later %v %q is %v %q to somebody", want.State, want.Text, got.State, got.Text)
						}
					}
				}
				ratio := float64(cost) / float64(once)
				t.Logf("%.2f times the bytes of telling each once", ratio)
				if ratio > 1.5 {
					t.Errorf("%.2f times the bytes of telling each once, at most 1.5", ratio)
				}
			})
		})
	}
}

// An hour without news costs a connected contact little: the states of those it
// is not connected with are renewed.
func TestIdleGossipIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("plays 40 devices")
	}
	inBubble(t, func(t *testing.T, w *world) {
		const n = 40
		rng := mathrand.New(mathrand.NewPCG(2, 2))
		d := w.crowd(rng, n, 30)
		pass(time.Hour)
		links := 0
		for _, o := range d {
			_, l := o.svc.Gossip()
			links += l
		}
		before := bytesOf(d)
		pass(time.Hour)
		perLink := float64(bytesOf(d)-before) / 60 / float64(links)
		t.Logf("%.0f bytes a minute a connected contact", perLink)
		// With n contacts over 0.3 n connections each renews 1/0.3 states of a contact
		// a connection; with 3,000 over 64 it is 47, 14 times as many.
		if limit := 2000.0 / 14; perLink > limit {
			t.Errorf("%.0f bytes a minute a connected contact, at most %.0f", perLink, limit)
		}
		for _, o := range d {
			for _, p := range d {
				if got := p.svc.Of(o.self()).State; p != o && got != Online {
					t.Fatalf("after two hours %v", got)
				}
			}
		}
	})
}
