package relation_test

import (
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

// working returns what is told of the one request of d that stamps are made for; ok is
// false if there is none.
func (d *device) working() (p relation.Minting, ok bool) {
	d.t.Helper()
	out := d.open()
	return out[0].Minting, len(out) == 1 && out[0].Working && !out[0].Told && !out[0].Later
}

// TestStampsAreMadeInTheBackground, with the progress to be seen, and the ask is heard
// when they are made.
func TestStampsAreMadeInTheBackground(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.work = slow{}
		a.halt()
		a.start()
		a.asks(b, "May I?", 0)
		was := relation.Minting{}
		for range 1000 {
			time.Sleep(100 * time.Millisecond)
			p, ok := a.working()
			if !ok {
				break
			}
			o, err := a.Outlook(b.odid())
			if err != nil || o.Told || o.Minting == nil {
				t.Fatalf("%+v, %v", o, err)
			}
			if p.Count != 3 || p.Made < was.Made || len(b.requests()) != 0 {
				t.Fatalf("%+v after %+v", p, was)
			}
			if p.Made > 0 && (p.Left <= 0 || p.Left > time.Minute) {
				t.Errorf("the rest takes %v", p.Left)
			}
			was = p
		}
		time.Sleep(time.Second)
		if was.Made == 0 || len(b.requests()) != 1 || !a.open()[0].Told {
			t.Errorf("%+v, then %d wait", was, len(b.requests()))
		}
		if n, m := a.Stamps(), b.Stamps(); n.Made != 3 || n.Hashes < 3 || m.Good != 3 || m.Paid != 1 {
			t.Errorf("%+v, %+v", n, m)
		}
	})
}

// TestStampsAreMadeAnewAfterARestart, of either side.
func TestStampsAreMadeAnewAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.work = slow{}
		a.halt()
		a.start()
		a.asks(b, "May I?", 0)
		time.Sleep(2 * time.Second)
		if _, ok := a.working(); !ok {
			t.Fatalf("%+v", a.open())
		}
		a.halt()
		a.start()
		time.Sleep(2 * time.Second)
		b.halt()
		b.start()
		settle()
		if len(b.requests()) != 1 || !a.open()[0].Told {
			t.Errorf("%+v, %+v", b.requests(), a.open())
		}
		b.answer(a, relation.Accept, 0)
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
	})
}

// TestStampsAreNotMadeForAnAskThatWasTakenBack.
func TestStampsAreNotMadeForAnAskThatWasTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.decides(func(p *contact.Policy) { p.Stamps = 12 })
		a.work = slow{}
		a.halt()
		a.start()
		a.asks(b, "May I?", 0)
		time.Sleep(2 * time.Second)
		if err := a.Cancel(b.odid()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		was := a.Stamps().Hashes
		time.Sleep(time.Hour)
		if now := a.Stamps().Hashes; was == 0 || now != was {
			t.Errorf("%d hashes, an hour later %d", was, now)
		}
	})
}

// TestWhoWantsNoStampsAnyMoreOwesNobody: the other user turns them off, or the two pair,
// while they are made.
func TestWhoWantsNoStampsAnyMoreOwesNobody(t *testing.T) {
	for name, change := range map[string]func(a, b *device){
		"turned off": func(_, b *device) { b.decides(func(p *contact.Policy) { p.Stamps = 0 }) },
		"added":      func(a, b *device) { b.add(a, relation.AddOptions{OneWay: true}) },
		"paired": func(a, b *device) {
			a.commit(b, pairOne, 0)
			b.commit(a, pairOne, 0)
		},
	} {
		bubble(t, func(t *testing.T, w *world) {
			a, b := w.device('a'), w.device('b')
			b.decides(func(p *contact.Policy) { p.Stamps = 12 })
			a.work = slow{}
			a.halt()
			a.start()
			a.asks(b, "May I?", contact.Video)
			time.Sleep(2 * time.Second)
			if _, ok := a.working(); !ok {
				t.Fatalf("%s: %+v", name, a.open())
			}
			change(a, b)
			a.called("device a, anew") // so that there is something to say
			a.Renamed()
			settle()
			out, waits := a.open(), b.requests()
			if len(out) != 1 || !out[0].Told || out[0].Working || len(waits) != 1 {
				t.Errorf("%s: %+v, %+v", name, out, waits)
			}
			if was := a.Stamps().Hashes; was > 0 {
				time.Sleep(time.Hour)
				if now := a.Stamps().Hashes; now != was {
					t.Errorf("%s: it works on, %d hashes and %d", name, was, now)
				}
			}
		})
	}
}
