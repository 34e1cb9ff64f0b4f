package presence

import (
	"fmt"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// acquaint makes devices contacts that hold each other's keys and are not
// connected any more.
func (w *world) acquaint(devices ...*device) {
	w.t.Helper()
	for i, d := range devices {
		for _, o := range devices[i+1:] {
			d.befriend(o)
			w.net.Drop(d.self(), o.self())
			pass(10 * time.Millisecond)
		}
	}
}

// chain connects each device with the next and lets the links settle.
func (w *world) chain(devices ...*device) {
	w.t.Helper()
	for i, d := range devices[:len(devices)-1] {
		d.connect(devices[i+1])
	}
	pass(20 * time.Second)
}

func TestNewsComeThroughAMutualContact(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		a.addrs = []transport.Address{"here"}
		w.acquaint(a, r, b)
		b.sees(a, Unknown, "")
		w.chain(a, r, b)
		b.sees(a, Online, "")
		a.sees(b, Online, "")
		for i := range 3 {
			text := fmt.Sprint("lunch ", i)
			a.set(Busy, text)
			p := b.sees(a, Busy, text)
			if !p.Relayed {
				t.Error("it does not say that it came through others")
			}
			if age := time.Since(p.LastSeen); age < 0 || age > time.Second {
				t.Errorf("last seen %v ago", age)
			}
		}
		b.mu.Lock()
		got := fmt.Sprint(b.learnt[a.self()])
		b.mu.Unlock()
		if got != "[here]" {
			t.Errorf("learnt addresses %s", got)
		}
		if p := r.sees(a, Busy, "lunch 2"); p.Relayed {
			t.Error("what came from the origin counts as relayed")
		}
		for _, d := range []*device{a, r, b} {
			if got := d.svc.Dropped(); got != (Drops{}) {
				t.Errorf("dropped %+v", got)
			}
		}
	})
}

func TestRelayedStateIsRenewedAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		a.set(Away, "")
		pass(2 * time.Hour)
		b.sees(a, Away, "")
		w.net.Cut(a.self(), r.self())
		pass(time.Minute)
		b.sees(a, Away, "") // nobody has to notice so soon
		pass(15 * time.Minute)
		p := b.sees(a, Unknown, "")
		if age := time.Since(p.LastSeen); age < 15*time.Minute || age > 30*time.Minute {
			t.Errorf("last seen %v ago", age)
		}
	})
}

func TestNobodyBeyondNobodyIsRenewedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r := w.device(1), w.device(2)
		w.acquaint(a, r)
		w.chain(a, r)
		before := len(a.beacons(r.self()))
		pass(3 * time.Hour)
		if got := len(a.beacons(r.self())) - before; got != 0 {
			t.Errorf("%d beacons in three hours without news", got)
		}
	})
}

func TestFarewellGoesThroughOthersAndHolds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		a.stopService()
		pass(time.Second)
		b.sees(a, Offline, "")
		pass(3 * time.Hour)
		b.sees(a, Offline, "")
	})
}

func TestNewsGoOverThreeDevicesAtMost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var d []*device
		for i := range 6 {
			d = append(d, w.device(byte(i+1)))
		}
		w.acquaint(d...)
		w.chain(d...)
		d[0].set(Busy, "far")
		pass(time.Minute)
		for i, o := range d[1:] {
			want := Busy
			if i > maxHops {
				want = Unknown
			}
			if got := o.svc.Of(d[0].self()).State; got != want {
				t.Errorf("%d devices away: %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestGossipOff(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		r.svc.SetGossip(false)
		pass(time.Second)
		before := len(r.sentOn(GossipProtocol, b.self()))
		w.chain(a, r, b)
		b.sees(a, Unknown, "")
		if n := len(r.sentOn(GossipProtocol, b.self())) - before; n != 0 {
			t.Errorf("%d bytes of gossip with gossip off", n)
		}
		r.svc.SetGossip(true)
		pass(time.Minute)
		b.sees(a, Online, "")
		r.svc.SetGossip(false)
		pass(time.Second)
		a.set(Busy, "")
		b.sees(a, Online, "")
		r.sees(a, Busy, "") // the direct way is another matter
	})
}

func TestWhoComesOnlineLearnsFromTheFirstReached(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var d []*device
		for i := range 8 {
			d = append(d, w.device(byte(i+1)))
		}
		w.acquaint(d...)
		r, b := d[0], d[7]
		for i, o := range d[1:7] {
			r.connect(o)
			o.set(Busy, fmt.Sprint(i))
		}
		b.restart()
		b.connect(r)
		pass(20 * time.Second)
		for i, o := range d[1:7] {
			b.sees(o, Busy, fmt.Sprint(i))
		}
	})
}

func TestPartitionHeals(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		w.net.Drop(r.self(), b.self())
		pass(time.Second)
		a.set(Busy, "while apart")
		b.sees(a, Online, "")
		w.chain(r, b)
		b.sees(a, Busy, "while apart")
	})
}

// When the way of the news has become so long that they can't be passed on, who is
// nearer is asked again, though it was told once that it need not bring them.
func TestNewsComeByAShorterWayAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		o, near, a, b, relay, d, last := w.device(1), w.device(2), w.device(3), w.device(4), w.device(5), w.device(6), w.device(7)
		w.acquaint(o, near, a, b, relay, d, last)
		w.chain(o, relay, d, last)
		w.chain(o, near, d) // who has the news from relay
		w.chain(o, a, b, relay)
		o.set(Busy, "by relay")
		last.sees(o, Busy, "by relay")
		w.net.Drop(o.self(), relay.self())
		for i := range 4 {
			pass(time.Minute)
			o.set(Busy, fmt.Sprint("later ", i))
		}
		pass(2 * validity)
		last.sees(o, Busy, "later 3")
	})
}

// When who brought the news is gone, another one that knows the origin does.
func TestAnotherBringsTheNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		relays := []*device{w.device(3), w.device(4), w.device(5)}
		w.acquaint(append(relays, a, b)...)
		for _, r := range relays {
			a.connect(r)
			r.connect(b)
		}
		pass(20 * time.Second)
		for i, r := range relays {
			a.set(Busy, fmt.Sprint(i))
			b.sees(a, Busy, fmt.Sprint(i))
			if i < len(relays)-1 {
				w.net.Drop(r.self(), b.self())
				pass(time.Second)
			}
		}
		// Whoever else knows of it is told nothing twice.
		before, _ := b.svc.Gossip()
		for i := range 20 {
			a.set(Away, fmt.Sprint(i))
			pass(10 * time.Second)
		}
		after, _ := b.svc.Gossip()
		if taken, known := after.Taken-before.Taken, after.Known-before.Known; taken != 20 || known > 0 {
			t.Errorf("20 changes: %d taken, %d twice", taken, known)
		}
	})
}

func TestNewKeyInTheMiddleOfGossip(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b, loser := w.device(1), w.device(2), w.device(3), w.device(4)
		w.acquaint(a, r, b, loser)
		w.chain(a, r, b)
		w.chain(r, loser)
		loser.sees(a, Online, "")
		a.relate(loser.self(), accepted(contact.Messages))
		pass(time.Second)
		a.set(Busy, "not for the loser")
		pass(time.Minute)
		r.sees(a, Busy, "not for the loser")
		if got := loser.svc.Of(a.self()); got.State == Busy {
			t.Error("who lost the right reads on")
		}
		pass(20 * time.Minute)
		loser.sees(a, Unknown, "")
		// b has not got the new key: it can't be handed over by others.
		b.sees(a, Unknown, "")
		a.connect(b)
		b.sees(a, Busy, "not for the loser")
		w.net.Drop(a.self(), b.self())
		pass(time.Second)
		a.set(Away, "again")
		pass(time.Minute)
		b.sees(a, Away, "again")
	})
}

func TestGossipOutlivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		b.restart()
		r.restart()
		w.chain(a, r, b)
		a.set(Busy, "after")
		b.sees(a, Busy, "after")
	})
}

func TestTopicsChangeWithTheDay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		for day := range 3 {
			pass(24 * time.Hour)
			text := fmt.Sprint("day ", day)
			a.set(Busy, text)
			b.sees(a, Busy, text)
		}
		if n := r.opened(GossipProtocol); n < 6 {
			t.Errorf("%d links in three days with two contacts: the topics stay", n)
		}
	})
}

// A beacon may come before the statement that lets this device see the state: the
// key is kept when that comes.
func TestKeyIsKeptWhenTheStatementComesLater(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r)
		w.acquaint(r, b)
		a.relate(b.self(), accepted(contact.PairedDefault))
		b.mu.Lock()
		b.views[a.self()] = contact.View{Status: contact.StatusPending, Given: contact.PairedDefault}
		b.mu.Unlock()
		a.connect(b)
		if got := b.heldBy(t); len(got) != 1 {
			t.Fatalf("%d keys are held, want that of the other one", len(got))
		}
		b.relate(a.self(), accepted(contact.PairedDefault))
		pass(time.Second)
		w.net.Drop(a.self(), b.self())
		w.chain(a, r, b)
		a.set(Busy, "through r")
		b.sees(a, Busy, "through r")
	})
}
