package relation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

// asks adds o with a request.
func (d *device) asks(o *device, wording string, want contact.Permissions) {
	d.t.Helper()
	d.add(o, relation.AddOptions{Wording: wording, Ask: want})
}

// requests returns what waits at d.
func (d *device) requests() []relation.Request {
	d.t.Helper()
	list, err := d.Requests(true)
	if err != nil {
		d.t.Fatal(err)
	}
	if n, err := d.Waiting(); err != nil || n != len(list) {
		d.t.Fatalf("the badge says %d, %v; %d wait", n, err, len(list))
	}
	return list
}

// open returns what d asked and was not answered.
func (d *device) open() []relation.Request {
	d.t.Helper()
	list, err := d.Requests(false)
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// answer answers the one request of o at d.
func (d *device) answer(o *device, how relation.Response, only contact.Permissions) {
	d.t.Helper()
	_, failed, err := d.Answer([]string{o.odid().String()}, false, relation.Answer{Response: how, Only: only})
	if err != nil || failed[0] != nil {
		d.t.Fatal(err, failed)
	}
}

// told returns the events about requests that d has journalled.
func (d *device) told() (all []string) {
	d.t.Helper()
	entries, err := d.db.Events(0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(string(e.Event.Type), "request."); ok {
			all = append(all, e.Event.State+" "+name)
		}
	}
	return all
}

func (d *device) wasTold(want ...string) {
	d.t.Helper()
	if got := d.told(); !slices.Equal(got, want) {
		d.t.Errorf("told %q, want %q", got, want)
	}
}

func TestRequestWaitsAndIsAccepted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", 0)
		settle()
		a.is(b, contact.StatusPending, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
		list := b.requests()
		if len(list) != 1 || list[0].Wording != "May I?" || list[0].Permissions != contact.Messages || list[0].Title != "device a" || list[0].Contact || !list[0].Incoming {
			t.Fatalf("%+v", list)
		}
		if out := a.open(); len(out) != 1 || !out[0].Told || out[0].Later || out[0].Wording != "May I?" {
			t.Fatalf("%+v", out)
		}
		if _, err := b.Get(a.odid()); !errors.Is(err, relation.ErrNotFound) {
			t.Errorf("who asks is a contact already: %v", err)
		}
		b.halt()
		b.start()
		settle()
		if got := b.requests(); len(got) != 1 || got[0] != list[0] {
			t.Errorf("after a restart %+v, want %+v", got, list)
		}

		b.answer(a, relation.Accept, 0)
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		b.is(a, contact.StatusAccepted, contact.Untrusted)
		if v := a.view(b); v.Given != contact.Messages || v.Received != contact.Messages {
			t.Errorf("given %v, received %v", v.Given, v.Received)
		}
		c, err := b.Get(a.odid())
		if err != nil || c.Source != relation.SourceRequest || c.Name != "device a" {
			t.Errorf("%+v, %v", c, err)
		}
		if c, err := a.Get(b.odid()); err != nil || c.Name != "device b" || c.Source != relation.SourceODID {
			t.Errorf("%+v, %v", c, err)
		}
		if len(b.requests())+len(a.open()) != 0 {
			t.Errorf("still open: %+v, %+v", b.requests(), a.open())
		}
		a.wasTold("out accepted")
		b.wasTold("in received", "in accepted")
	})
}

func TestNothingIsAskedWithoutAWording(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{})
		settle()
		if len(b.requests())+len(a.open()) != 0 {
			t.Errorf("asked: %+v", b.requests())
		}
		b.is(a, contact.StatusNone, contact.Untrusted)
		for wording, field := range map[string]string{"": "required", strings.Repeat("x", 101): "101", "a\x07b": "control", "\xff": "UTF-8"} {
			_, _, err := a.Add(c.odid(), relation.AddOptions{Wording: wording, Ask: contact.Audio})
			if err == nil || !strings.Contains(err.Error(), "wording") || !strings.Contains(err.Error(), field) {
				t.Errorf("%q: %v", wording, err)
			}
		}
		if n, err := a.Count(); n != 1 || err != nil {
			t.Errorf("%d contacts, %v", n, err)
		}
	})
}

func TestAcceptingApart(t *testing.T) {
	const want = contact.Messages | contact.Audio | contact.Video
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I call?", want)
		settle()
		_, failed, err := b.Answer([]string{a.odid().String()}, false, relation.Answer{Response: relation.Accept, Only: contact.Presence})
		var bad *contact.InvalidError
		if err != nil || !errors.As(failed[0], &bad) {
			t.Errorf("accepting what is not asked: %v, %v", failed, err)
		}
		b.answer(a, relation.Accept, contact.Messages|contact.Audio)
		settle()
		if v := a.view(b); v.Given != want || v.Received != contact.Messages|contact.Audio || v.MyAsk != contact.AskAccepted {
			t.Errorf("%+v", v)
		}
		// What was chosen stays with a pairing, and what it gives comes with it.
		a.commit(b, pairOne, 0)
		b.commit(a, pairOne, 0)
		settle()
		if v := b.view(a); v.Given != contact.Messages|contact.Audio || v.Received != want|contact.Presence {
			t.Errorf("paired: %+v", v)
		}
	})
}

func TestOneWayAskGrantsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{Wording: "May I?", Ask: contact.Messages | contact.Presence, OneWay: true})
		settle()
		b.answer(a, relation.Accept, 0)
		settle()
		if v := a.view(b); v.Given != contact.NoPermissions || v.Received != contact.Messages|contact.Presence {
			t.Errorf("%+v", v)
		}
	})
}

func TestRejectionReturnsToTheStateBefore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", contact.Messages|contact.Video)
		settle()
		b.answer(a, relation.Reject, 0)
		settle()
		a.is(b, contact.StatusPending, contact.Untrusted)
		b.is(a, contact.StatusNone, contact.Untrusted)
		if v := a.view(b); v.Given != contact.Messages || v.MyAsk != contact.AskNone {
			t.Errorf("after the refusal a gives %v and asks %v", v.Given, v.MyAsk)
		}
		if len(b.requests())+len(a.open()) != 0 {
			t.Errorf("still open: %+v, %+v", b.requests(), a.open())
		}
		a.wasTold("out rejected")
		b.wasTold("in received", "in rejected")
		if b.MayDial(a.odid()) {
			t.Error("told and still dialled")
		}
		// It is no block: a new request comes.
		a.asks(b, "Please!", 0)
		settle()
		if list := b.requests(); len(list) != 1 || list[0].Wording != "Please!" {
			t.Errorf("%+v", list)
		}
	})
}

func TestRequestThatIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		for i := range contact.MaxAsksPerDay + 2 {
			a.asks(b, fmt.Sprintf("May I? %d", i), contact.Video)
			settle()
			if err := a.Cancel(b.odid()); err != nil {
				t.Fatal(err)
			}
			settle()
			if len(b.requests())+len(a.open()) != 0 {
				t.Fatalf("still open: %+v, %+v", b.requests(), a.open())
			}
			if v := a.view(b); v.Given != contact.Messages {
				t.Errorf("a gives %v", v.Given)
			}
		}
		b.wasTold("in received", "in cancelled", "in received", "in cancelled", "in received", "in cancelled")
		if err := a.Cancel(b.odid()); !errors.Is(err, relation.ErrRequest) {
			t.Errorf("once more: %v", err)
		}
		// An answer that comes too late says so.
		_, failed, err := b.Answer([]string{a.odid().String()}, false, relation.Answer{Response: relation.Accept})
		if err != nil || !errors.Is(failed[0], relation.ErrRequest) {
			t.Errorf("%v, %v", failed, err)
		}
	})
}

func TestBlockingWhoAsks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", 0)
		settle()
		b.answer(a, relation.Block, 0)
		settle()
		b.is(a, contact.StatusBlocked, contact.Untrusted)
		a.is(b, contact.StatusPending, contact.Untrusted)
		if len(b.requests()) != 0 || len(a.open()) != 1 {
			t.Errorf("%+v, %+v", b.requests(), a.open())
		}
		b.wasTold("in received", "in rejected")
		b.unblock(a)
		a.halt()
		a.start()
		settle()
		if len(b.requests()) != 0 {
			t.Errorf("what was refused by the block is back: %+v", b.requests())
		}
		b.is(a, contact.StatusNone, contact.Untrusted)
		a.asks(b, "And now?", 0)
		settle()
		if len(b.requests()) != 1 {
			t.Errorf("%+v", b.requests())
		}
	})
}

func TestRequestsThatCross(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.halt()
		a.asks(b, "May I?", contact.Messages|contact.Audio)
		a.halt()
		b.start()
		b.asks(a, "May I, too?", contact.Messages|contact.Video)
		a.start()
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		b.is(a, contact.StatusAccepted, contact.Untrusted)
		for _, d := range []*device{a, b} {
			if len(d.requests())+len(d.open()) != 0 {
				t.Errorf("still open: %+v, %+v", d.requests(), d.open())
			}
		}
		if v := a.view(b); v.Given != contact.Messages|contact.Audio || v.Received != contact.Messages|contact.Video {
			t.Errorf("%+v", v)
		}
	})
}

func TestAddingWhoAsksAccepts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", contact.Messages|contact.Audio)
		settle()
		b.add(a, relation.AddOptions{})
		settle()
		if v := a.view(b); v.Status != contact.StatusAccepted || v.MyAsk != contact.AskAccepted || v.Received != contact.Messages {
			t.Errorf("%+v", v)
		}
		if len(b.requests())+len(a.open()) != 0 {
			t.Errorf("still open: %+v, %+v", b.requests(), a.open())
		}
		if c, err := b.Get(a.odid()); err != nil || c.Name != "device a" {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func TestPairingWithWhoAsksAccepts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", 0)
		settle()
		a.commit(b, pairOne, 0)
		b.commit(a, pairOne, 0)
		settle()
		a.is(b, contact.StatusAccepted, contact.Paired)
		if len(b.requests())+len(a.open()) != 0 {
			t.Errorf("still open: %+v, %+v", b.requests(), a.open())
		}
	})
}

func TestWideningAndNarrowing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		b.add(a, relation.AddOptions{Remark: "Ada"})
		settle()
		ask := func(opt relation.AskOptions) {
			t.Helper()
			if _, err := a.Ask(b.odid(), opt); err != nil {
				t.Fatal(err)
			}
			settle()
		}
		ask(relation.AskOptions{Permissions: contact.Audio, Wording: "May I call?"})
		if list := b.requests(); len(list) != 1 || !list[0].Contact || list[0].Title != "Ada" || list[0].Permissions != contact.Audio {
			t.Fatalf("%+v", list)
		}
		if v := b.view(a); v.Given != contact.Messages || v.Received != contact.Messages|contact.Audio {
			t.Errorf("before the answer: %+v", v)
		}
		if _, failed, err := b.Answer([]string{"ada"}, false, relation.Answer{Response: relation.Accept}); err != nil || failed[0] != nil {
			t.Fatal(failed, err)
		}
		settle()
		if v := a.view(b); v.Given != contact.Messages|contact.Audio || v.Received != contact.Messages|contact.Audio {
			t.Errorf("%+v", v)
		}
		ask(relation.AskOptions{Permissions: contact.Video | contact.Presence, Wording: "And see you?"})
		b.answer(a, relation.Reject, 0)
		settle()
		if v := a.view(b); v.Given != contact.Messages|contact.Audio || v.Received != contact.Messages|contact.Audio {
			t.Errorf("after the refusal: %+v", v)
		}
		ask(relation.AskOptions{Permissions: contact.Video, Wording: "Just that?", OneWay: true})
		b.answer(a, relation.Accept, 0)
		if err := b.Narrow(a.odid(), contact.Audio); err != nil {
			t.Fatal(err)
		}
		settle()
		if v := a.view(b); v.Given != contact.Messages|contact.Audio || v.Received != contact.Messages|contact.Video || v.Status != contact.StatusAccepted {
			t.Errorf("narrowed: %+v", v)
		}
		_, err := a.Ask(b.odid(), relation.AskOptions{Permissions: contact.Video, Wording: "Again?"})
		var bad *contact.InvalidError
		if !errors.As(err, &bad) {
			t.Errorf("asking for what is there: %v", err)
		}
		if _, err := a.Ask(w.device('c').odid(), relation.AskOptions{Permissions: contact.Video, Wording: "Who?"}); !errors.Is(err, relation.ErrNotFound) {
			t.Errorf("asking a stranger: %v", err)
		}
	})
}

func TestRequestGoesOutWhenTheOtherIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		settle()
		b.halt()
		a.asks(b, "May I?", 0)
		settle()
		if out := a.open(); len(out) != 1 || out[0].Told {
			t.Fatalf("%+v", out)
		}
		a.halt()
		a.start()
		settle()
		b.start()
		settle()
		if len(b.requests()) != 1 {
			t.Fatal("not there")
		}
		a.halt()
		b.answer(a, relation.Accept, 0)
		settle()
		b.halt()
		b.start()
		a.start()
		settle()
		a.is(b, contact.StatusAccepted, contact.Untrusted)
		a.wasTold("out accepted")
	})
}

func TestAddingAgainAsksOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.asks(b, "May I?", 0)
		first := a.open()
		a.asks(b, "May I?", 0) // the answer to the call was lost
		if again := a.open(); len(again) != 1 || again[0].ID != first[0].ID {
			t.Errorf("%+v, then %+v", first, again)
		}
		a.asks(b, "May I, please?", 0)
		settle()
		if list := b.requests(); len(list) != 1 || list[0].Wording != "May I, please?" {
			t.Errorf("%+v", list)
		}
		a.wasTold("out cancelled")
	})
}

func TestRemovingEndsRequestsOfBothSides(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		b.add(a, relation.AddOptions{})
		settle()
		for _, pair := range [][2]*device{{a, b}, {b, a}} {
			if _, err := pair[0].Ask(pair[1].odid(), relation.AskOptions{Permissions: map[*device]contact.Permissions{a: contact.Audio, b: contact.Video}[pair[0]], Wording: "May I call?"}); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if len(a.requests()) != 1 || len(b.requests()) != 1 {
			t.Fatalf("%+v, %+v", a.requests(), b.requests())
		}
		b.remove(a, false)
		settle()
		if len(b.requests())+len(b.open())+len(a.requests()) != 0 {
			t.Errorf("%+v, %+v, %+v", b.requests(), b.open(), a.requests())
		}
		b.is(a, contact.StatusRemoved, contact.Untrusted)
	})
}

func TestNamesReachTheOther(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.paired()
		name := func(d, of *device) string {
			c, err := d.Get(of.odid())
			if err != nil {
				t.Fatal(err)
			}
			return c.Name
		}
		if name(a, b) != "device b" || name(b, a) != "device a" {
			t.Errorf("%q and %q", name(a, b), name(b, a))
		}
		a.called("Ada")
		a.Renamed()
		time.Sleep(time.Second)
		if name(b, a) != "Ada" {
			t.Errorf("a second later it is %q", name(b, a))
		}
		if c, err := b.Resolve("ada"); err != nil || c.ODID != a.odid() {
			t.Errorf("%v, %v", c, err)
		}
		b.halt()
		a.called("Ada Lovelace")
		a.Renamed()
		settle()
		b.start()
		settle()
		if name(b, a) != "Ada Lovelace" {
			t.Errorf("back again it is %q", name(b, a))
		}
		// A stranger is not told.
		a.remove(b, false)
		settle()
		a.called("Nobody")
		b.halt()
		b.start()
		settle()
		if name(b, a) != "Ada Lovelace" {
			t.Errorf("removed, and it hears %q", name(b, a))
		}
	})
}
