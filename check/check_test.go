package check

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

var testTable = store.NewTable[struct{}]("check/test", 1)

// newTestService returns a service of a device that knows the same of everybody.
func newTestService(t testing.TB, p contact.Party) *Service {
	t.Helper()
	return newServiceOn(t, memnet.New(memnet.Options{}).Device(contact.ODID{1}), func() contact.Party { return p }, nil)
}

func newServiceOn(t testing.TB, link *memnet.Device, party func() contact.Party, theirs func(contact.ODID) *contact.Statement) *Service {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{NoSync: true}, testTable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := New(Config{
		DB: db, Network: link,
		Party: func(*store.Tx, contact.ODID) (contact.Party, error) { return party(), nil },
		Sides: func(_ *store.Tx, peer contact.ODID) (contact.Sides, error) {
			p := party()
			sides := contact.Sides{Mine: p.Mine, Marks: p.Marks}
			if theirs != nil {
				sides.Theirs = theirs(peer)
			}
			return sides, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// device is one device with the feature, whose gate decides as it is told.
type device struct {
	*Service
	self   contact.ODID
	mu     sync.Mutex
	party  contact.Party
	theirs *contact.Statement
}

func (d *device) is(p contact.Party) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.party = p
}

func (d *device) get() contact.Party {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.party
}

func newDevice(t *testing.T, net *memnet.Network, name byte) *device {
	t.Helper()
	d := &device{self: contact.ODID{name}}
	link := net.Device(d.self)
	d.Service = newServiceOn(t, link, d.get, func(contact.ODID) *contact.Statement { return d.theirs })
	link.SetMayDial(func(contact.ODID) bool { return true })
	link.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		decision := contact.Allow(d.get(), contact.ServiceCheck)
		if decision == contact.Drop {
			st.Reset()
			return
		}
		d.Handle(ctx, st, decision)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := link.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return d
}

// check is a check of one device.
func (d *device) check(t *testing.T, peer contact.ODID, opt Options) Result {
	t.Helper()
	results, err := d.Check(t.Context(), []contact.ODID{peer}, opt)
	if err != nil || len(results) != 1 || results[0].Peer != peer {
		t.Fatalf("%+v, %v", results, err)
	}
	return results[0]
}

func listed(p contact.Policy) contact.Party {
	return contact.Party{Mine: &contact.Statement{Seq: 1, Listed: true}, Policy: p}
}

var opened = Options{Question: contact.QuestionListed, Both: true, Live: true}

// TestSourceOfAnAnswer: live if the other answers, its last statement if not, and
// unknown without one.
func TestSourceOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{Latency: time.Millisecond})
		a, b := newDevice(t, net, 1), newDevice(t, net, 2)
		contacts := contact.Policy{Checks: contact.ContactsOnly}
		a.is(listed(contacts))
		at := time.Now().Add(-24 * time.Hour).Truncate(time.Millisecond)
		held := &contact.Statement{Seq: 1, At: uint64(at.UnixMilli()), Listed: true}
		for _, tt := range []struct {
			name   string
			b      contact.Party
			held   *contact.Statement
			opt    Options
			want   contact.CheckResult
			source Source
			note   bool
		}{
			{"one-way", listed(contacts), held, Options{Question: contact.QuestionListed}, contact.CheckAWithB, SourceOwn, false},
			{"one-way, of a block", listed(contacts), held, Options{Question: contact.QuestionBlocked}, contact.CheckNo, SourceOwn, false},
			{"not live", contact.Party{}, held, Options{Question: contact.QuestionListed, Both: true}, contact.CheckBothWay, SourceReceipt, false},
			{"never heard", listed(contacts), nil, Options{Question: contact.QuestionListed, Both: true}, contact.CheckUnknown, SourceUnknown, false},
			{"live", listed(contacts), nil, opened, contact.CheckBothWay, SourceLive, false},
			{"live, and newer than the receipt", contact.Party{Policy: contact.Policy{Checks: contact.Anyone}}, held, opened, contact.CheckAWithB, SourceLive, false},
			{"it does not let this one ask", contact.Party{Policy: contacts}, held, opened, contact.CheckBothWay, SourceReceipt, true},
			{"it lets nobody ask", listed(contact.Policy{Checks: contact.Nobody}), held, opened, contact.CheckBothWay, SourceReceipt, true},
			{"of a block, without a word", listed(contacts), held, Options{contact.QuestionBlocked, true, false}, contact.CheckUnknown, SourceUnknown, false},
			{"of a block, not disclosed", listed(contacts), held, Options{contact.QuestionBlocked, true, true}, contact.CheckUnknown, SourceUnknown, true},
			{"of a block, disclosed, there is none", listed(contact.Policy{Checks: contact.ContactsOnly, DiscloseBlocks: true}), held,
				Options{contact.QuestionBlocked, true, true}, contact.CheckNo, SourceLive, false},
			{"of a block, disclosed", contact.Party{Marks: contact.Marks{Blocked: true}, Policy: contact.Policy{Checks: contact.ContactsOnly, DiscloseBlocks: true}}, held,
				Options{contact.QuestionBlocked, true, true}, contact.CheckBWithA, SourceLive, false},
		} {
			b.is(tt.b)
			a.theirs = tt.held
			r := a.check(t, b.self, tt.opt)
			if r.Check != tt.want || r.Source != tt.source || (r.Note != "") != tt.note {
				t.Errorf("%s: %+v, want %v, %v", tt.name, r, tt.want, tt.source)
			}
			asOf := map[Source]time.Time{SourceOwn: time.Now(), SourceLive: time.Now(), SourceReceipt: at}[tt.source]
			if !r.AsOf.Equal(asOf) {
				t.Errorf("%s: as of %v, want %v", tt.name, r.AsOf, asOf)
			}
		}
	})
}

// TestOnlyContactsAreAsked: a device that was removed or blocked is left alone.
func TestOnlyContactsAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{Latency: time.Millisecond})
		a, b := newDevice(t, net, 1), newDevice(t, net, 2)
		b.is(listed(contact.Policy{Checks: contact.Anyone}))
		for _, p := range []contact.Party{{}, {Mine: &contact.Statement{Seq: 1}}, {Mine: &contact.Statement{Seq: 1, Listed: true}, Marks: contact.Marks{Blocked: true}}} {
			a.is(p)
			if r := a.check(t, b.self, opened); r.Source != SourceUnknown || r.Note == "" {
				t.Errorf("%+v: %+v", p, r)
			}
		}
		if n := len(b.contacts.asked) + len(b.strangers.asked); n != 0 {
			t.Errorf("%d were asked", n)
		}
	})
}

// TestEleventhQuestionWithinAnHourIsNotAnswered, of a contact and of a stranger,
// each for itself.
func TestEleventhQuestionWithinAnHourIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{Latency: time.Millisecond})
		b := newDevice(t, net, 2)
		anyone := contact.Policy{Checks: contact.Anyone}
		for i, p := range []contact.Party{listed(anyone), {Policy: anyone}} {
			a := newDevice(t, net, byte(3+i))
			a.is(listed(anyone))
			b.is(p)
			for n := range maxAsks {
				if r := a.check(t, b.self, opened); r.Source != SourceLive {
					t.Fatalf("question %d: %+v", n, r)
				}
			}
			if r := a.check(t, b.self, opened); r.Source != SourceUnknown || r.Note == "" {
				t.Errorf("one more: %+v", r)
			}
			time.Sleep(asksWithin)
			if r := a.check(t, b.self, opened); r.Source != SourceLive {
				t.Errorf("an hour later: %+v", r)
			}
		}
	})
}

// TestManyAreAskedAtOnce: those that are away keep nobody from being asked, and a
// call ends in time whatever they do.
func TestManyAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{Latency: time.Millisecond})
		a, b := newDevice(t, net, 1), newDevice(t, net, 2)
		mute := net.Device(contact.ODID{3}) // takes streams and says nothing
		mute.SetMayDial(func(contact.ODID) bool { return true })
		mute.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
			<-ctx.Done()
			st.Reset()
		})
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { mute.Run(ctx) })
		defer done.Wait()
		defer cancel()
		a.is(listed(contact.Policy{}))
		b.is(listed(contact.Policy{Checks: contact.ContactsOnly}))
		peers := []contact.ODID{b.self}
		for range 3 * maxAsking {
			peers = append(peers, mute.Self())
		}
		from := time.Now()
		results, err := a.Check(t.Context(), peers, opened)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(from); took > askingTime {
			t.Errorf("it took %v", took)
		}
		for i, r := range results {
			if live := i == 0; r.Peer != peers[i] || (r.Source == SourceLive) != live || (r.Note == "") != live {
				t.Errorf("%d: %+v", i, r)
			}
		}
	})
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made of nothing")
	}
}
