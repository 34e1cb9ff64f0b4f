package relation_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

func TestThreeRequestsADay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		for i := range 5 {
			a.asks(b, fmt.Sprintf("May I? %d", i), 0)
			settle()
			if want := i < contact.MaxAsksPerDay; want != (len(b.requests()) == 1) {
				t.Fatalf("request %d: %+v", i, b.requests())
			}
			if len(b.requests()) == 1 {
				b.answer(a, relation.Reject, 0)
			}
			settle()
		}
		if out := a.open(); len(out) != 1 || !out[0].Told || out[0].Later {
			t.Errorf("what was dropped is pending: %+v", out)
		}
		time.Sleep(48 * time.Hour)
		a.halt() // a new day, the receipt is over, and a new connection
		a.start()
		settle()
		if list, err := b.Quarantine(); err != nil || len(list) != 1 || list[0].Wording != "May I? 4" || list[0].Held != contact.SuspectedRepeater {
			t.Errorf("after three rejections: %+v, %v", list, err)
		}
		if list := b.requests(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	})
}

func TestPolicyNone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.decides(func(p *contact.Policy) { p.Requests = contact.RequestsNone })
		a.asks(b, "May I?", 0)
		settle()
		if out := a.open(); len(b.requests()) != 0 || len(out) != 1 || !out[0].Told || out[0].Later {
			t.Errorf("%+v, %+v", b.requests(), out)
		}
		b.wasTold()
		b.decides(func(p *contact.Policy) { p.Requests = contact.RequestsConfirm })
		time.Sleep(48 * time.Hour) // the receipt is over
		a.halt()
		a.start()
		settle()
		if len(b.requests()) != 1 {
			t.Error("the next time it comes with stamps it is heard")
		}
	})
}

func TestPolicyAny(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.device('b')
		b.decides(func(p *contact.Policy) { p.Requests, p.MaxWaiting = contact.RequestsAny, 2 })
		all := []*device{w.device('c'), w.device('d'), w.device('e'), w.device('f'), w.device('g')}
		for i, d := range all {
			d.asks(b, "May I?", contact.Messages|contact.Audio)
			settle()
			want := contact.StatusAccepted
			if i >= 2 { // that was enough for a day: they wait
				want = contact.StatusPending
			}
			d.is(b, want, contact.Untrusted)
			if v := d.view(b); i < 2 && v.Received != contact.Messages|contact.Audio {
				t.Errorf("%+v", v)
			}
		}
		if n := len(b.requests()); n != 2 || !all[4].open()[0].Later {
			t.Errorf("%d wait, the last one %+v", n, all[4].open())
		}
		if c, err := b.Get(all[0].odid()); err != nil || c.Source != relation.SourceRequest || c.Name != "device c" {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func TestWhoWasRemovedWaitsWhateverThePolicy(t *testing.T) {
	for _, policy := range []contact.RequestPolicy{contact.RequestsAny, contact.RequestsConfirm, contact.RequestsNone} {
		t.Run(string(policy), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				a, b := w.device('a'), w.device('b')
				b.decides(func(p *contact.Policy) { p.Requests, p.MaxWaiting = contact.RequestsAny, 1 })
				a.asks(b, "May I?", 0)
				settle()
				a.is(b, contact.StatusAccepted, contact.Untrusted)
				b.remove(a, false)
				settle()
				b.decides(func(p *contact.Policy) { p.Requests = policy })
				a.halt()
				a.start() // it shows its old ask again
				settle()
				if len(b.requests()) != 0 {
					t.Fatalf("an old ask came back: %+v", b.requests())
				}
				a.asks(b, "May I again?", 0)
				settle()
				b.is(a, contact.StatusRemoved, contact.Untrusted)
				if len(b.requests()) != 1 || a.open()[0].Later {
					t.Fatalf("%+v", b.requests())
				}
				b.answer(a, relation.Accept, 0)
				settle()
				a.is(b, contact.StatusAccepted, contact.Untrusted)
				b.is(a, contact.StatusAccepted, contact.Untrusted)
			})
		})
	}
}

func TestStrangersWithoutAPlaceComeLater(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.device('b')
		b.decides(func(p *contact.Policy) { p.MaxWaiting = 2 })
		c, d, e, f := w.device('c'), w.device('d'), w.device('e'), w.device('f')
		b.commit(f, pairOne, 0)
		f.commit(b, pairOne, 0)
		for _, x := range []*device{c, d, e} {
			x.asks(b, "May I?", 0)
			settle()
		}
		if _, err := f.Ask(b.odid(), relation.AskOptions{Permissions: contact.Audio, Wording: "May I call?"}); err != nil {
			t.Fatal(err)
		}
		settle()
		if n := len(b.requests()); n != 3 {
			t.Fatalf("%d wait, want two strangers and the contact", n)
		}
		if out := e.open(); len(out) != 1 || !out[0].Later {
			t.Fatalf("%+v", out)
		}
		o, err := e.Outlook(b.odid())
		if err != nil || !errors.Is(o.Err, relation.ErrLater) || o.Next.IsZero() {
			t.Errorf("%+v, %v", o, err)
		}
		b.answer(c, relation.Reject, 0)
		settle() // e comes again by itself
		if out := e.open(); len(b.requests()) != 3 || out[0].Later || !out[0].Told {
			t.Errorf("%+v, %+v", b.requests(), out)
		}
	})
}
