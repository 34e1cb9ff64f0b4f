package relation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// quickWork is work that costs nothing but a time of its own choice.
type quickWork struct{ takes time.Duration }

func (w quickWork) Sum(text []byte) stamp.Sum {
	if w.takes > 0 {
		time.Sleep(w.takes)
	}
	return sha256.Sum256(text)
}

// siege is a network with devices that are attacked.
type siege struct {
	t   *testing.T
	net *memnet.Network
}

func besiege(t *testing.T, f func(t *testing.T, w *siege)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, &siege{t, memnet.New(memnet.Options{Latency: time.Millisecond})})
	})
}

// victim is a device that answers strangers, with a policy that the test sets.
type victim struct {
	*Service
	t      *testing.T
	w      *siege
	id     *identity.Identity
	policy contact.Policy
}

func (w *siege) run(link *memnet.Device) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { link.Run(ctx) })
	w.t.Cleanup(func() { cancel(); done.Wait() })
}

func (w *siege) victim(seed byte, work stamp.Work) *victim {
	w.t.Helper()
	v := &victim{t: w.t, w: w, id: testIdentity(w.t, seed), policy: contact.DefaultPolicy()}
	db, err := store.Open(filepath.Join(w.t.TempDir(), "store"), store.Options{NoSync: true}, Tables()...)
	if err != nil {
		w.t.Fatal(err)
	}
	link := w.net.Device(v.id.Self())
	v.Service, err = New(Config{DB: db, Identity: v.id, Network: link, Addresses: link, Work: work, Policy: func() contact.Policy { return v.policy }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	link.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		var party contact.Party
		if err := db.View(func(tx *store.Tx) (err error) {
			party, err = v.Party(tx, st.Peer())
			return err
		}); err != nil {
			w.t.Error(err)
		}
		v.Handle(ctx, st, contact.Allow(party, contact.ServiceRelation))
	})
	w.run(link)
	return v
}

// waits returns whose requests are on the victim's list.
func (v *victim) waits() (who []contact.ODID) {
	v.t.Helper()
	list, err := v.Requests(true)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, r := range list {
		who = append(who, r.ODID)
	}
	var d store.Damages
	if err := v.cfg.DB.View(func(tx *store.Tx) error { return Check(tx, v.self, &d) }); err != nil || len(d) > 0 {
		v.t.Fatal(d, err)
	}
	return who
}

// attacker speaks the protocol as it likes.
type attacker struct {
	t    *testing.T
	id   *identity.Identity
	link *memnet.Device
	seq  uint64
}

func (w *siege) attacker(seed ...byte) *attacker {
	w.t.Helper()
	var s [32]byte
	copy(s[:], seed)
	id, err := identity.FromSeed(s)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &attacker{t: w.t, id: id, link: w.net.Device(id.Self())}
	a.link.SetMayDial(func(contact.ODID) bool { return true })
	w.run(a.link)
	return a
}

// ask returns one of a's asks; n tells them apart.
func ask(n byte) *contact.Ask {
	return &contact.Ask{ID: contact.AskID{n}, Permissions: contact.Messages, Wording: "May I?"}
}

func digestOfAsk(t *testing.T, a *contact.Ask) contact.Digest {
	t.Helper()
	d, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// says shows v a statement with an ask, nil for none, and what comes with it, and returns
// what it hears.
func (a *attacker) says(v *victim, about *contact.Ask, with frame) (in frame) {
	a.t.Helper()
	a.seq++
	signed, err := a.id.SignStatement(contact.Statement{Author: a.id.Self(), Subject: v.self, Seq: a.seq, Listed: true, Grants: contact.Messages, Ask: about})
	if err != nil {
		a.t.Fatal(err)
	}
	with.Mine = &signed
	st, err := a.link.Open(a.t.Context(), v.self, Protocol)
	if err != nil {
		a.t.Fatal(err)
	}
	defer st.Close()
	if err := transport.WriteFrame(st, with, maxFrame); err != nil {
		a.t.Fatal(err)
	}
	if err := transport.NewFrameReader(st, maxFrame).Read(&in); err != nil {
		a.t.Fatal(err)
	}
	return in
}

// works makes the stamps of an ask of v for a challenge.
func (a *attacker) works(v *victim, about *contact.Ask, c *stamp.Challenge) *stamp.Proof {
	a.t.Helper()
	if c == nil {
		a.t.Fatal("no challenge")
	}
	o := stamp.Order{Challenge: *c, Author: a.id.Self(), Subject: v.self, Ask: digestOfAsk(a.t, about)}
	p := &stamp.Proof{Challenge: *c}
	for i := range c.Count {
		nonce, _, err := o.Make(a.t.Context(), quickWork{}, i)
		if err != nil {
			a.t.Fatal(err)
		}
		p.Nonces = append(p.Nonces, nonce)
	}
	return p
}

// pays asks v with the stamps that it wants.
func (a *attacker) pays(v *victim, about *contact.Ask) (p *stamp.Proof, in frame) {
	a.t.Helper()
	p = a.works(v, about, a.says(v, about, frame{}).Challenge)
	return p, a.says(v, about, frame{Stamps: p})
}

func TestAskWithoutStampsIsToldWhatItCosts(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		in := a.says(v, ask(1), frame{})
		if c := in.Challenge; c == nil || c.Bits != 6 || c.Count != 3 || !in.Later || in.Yours == nil || in.Receipt != nil {
			t.Fatalf("%+v", in)
		}
		if len(v.waits()) != 0 {
			t.Error("it waits all the same")
		}
		p, in := a.pays(v, ask(1))
		if in.Challenge != nil || in.Later || in.Receipt == nil || in.Yours == nil {
			t.Errorf("with stamps: %+v", in)
		}
		if got := v.waits(); len(got) != 1 || got[0] != a.id.Self() {
			t.Errorf("%v wait", got)
		}
		// An answer that was lost is had again, with the stamps or with the receipt.
		for _, with := range []frame{{Stamps: p}, {Receipt: in.Receipt}} {
			if again := a.says(v, ask(1), with); again.Challenge != nil || again.Later || again.Receipt == nil || *again.Receipt != *in.Receipt {
				t.Errorf("again: %+v", again)
			}
		}
		if n := v.Stamps(); n.Good != 3 || n.Bad != 0 || n.Paid != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// TestStampIsSpentOnce: an ask that was taken back does not come again with the stamps
// that it had, nor with the receipt, nor does one with the stamps of another.
func TestStampIsSpentOnce(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		p, in := a.pays(v, ask(1))
		a.says(v, nil, frame{})
		if len(v.waits()) != 0 {
			t.Fatal("it was taken back and waits")
		}
		for name, with := range map[string]frame{"stamps": {Stamps: p}, "receipt": {Receipt: in.Receipt}, "both": {Stamps: p, Receipt: in.Receipt}} {
			if in := a.says(v, ask(1), with); in.Challenge != nil || in.Later || len(v.waits()) != 0 {
				t.Errorf("with the %s again: %+v, %d wait", name, in, len(v.waits()))
			}
		}
		if in := a.says(v, ask(2), frame{Stamps: p, Receipt: in.Receipt}); in.Challenge == nil || len(v.waits()) != 0 {
			t.Errorf("another ask: %+v, %d wait", in, len(v.waits()))
		}
	})
}

// TestStampsOfOthersAreRefused: of another recipient, of another author, and what was
// a challenge to another author.
func TestStampsOfOthersAreRefused(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, u, a, b := w.victim(1, quickWork{}), w.victim(3, quickWork{}), w.attacker(2), w.attacker(4)
		refused := func(name string, in frame) {
			t.Helper()
			if in.Challenge == nil || !in.Later || in.Receipt != nil || len(v.waits()) != 0 {
				t.Errorf("%s: %+v, %d wait", name, in, len(v.waits()))
			}
		}
		refused("made for another recipient's challenge", a.says(v, ask(1), frame{Stamps: a.works(v, ask(1), a.says(u, ask(1), frame{}).Challenge)}))
		c := a.says(v, ask(1), frame{}).Challenge
		refused("made for another recipient", a.says(v, ask(1), frame{Stamps: a.works(u, ask(1), c)}))
		refused("made by another author", b.says(v, ask(1), frame{Stamps: a.works(v, ask(1), c)}))
		refused("for the challenge to another author", b.says(v, ask(1), frame{Stamps: b.works(v, ask(1), c)}))
		easy := *c
		easy.Bits = 0
		refused("with less work", a.says(v, ask(1), frame{Stamps: a.works(v, ask(1), &easy)}))
		few := a.works(v, ask(1), c)
		few.Nonces = few.Nonces[:2]
		refused("too few", a.says(v, ask(1), frame{Stamps: few}))
		_, in := a.pays(v, ask(1))
		a.says(v, nil, frame{})
		refused("with the receipt of another author", b.says(v, ask(1), frame{Receipt: in.Receipt}))
		refused("with the receipt of another ask", a.says(v, ask(2), frame{Receipt: in.Receipt}))
		refused("with any receipt", b.says(v, ask(1), frame{Receipt: &contact.Receipt{7}}))
	})
}

// TestOldStampsAreRefused: older than ten minutes, or than the process that asked for
// them.
func TestOldStampsAreRefused(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		p := a.works(v, ask(1), a.says(v, ask(1), frame{}).Challenge)
		time.Sleep(stamp.Lifetime)
		if in := a.says(v, ask(1), frame{Stamps: p}); in.Challenge == nil || len(v.waits()) != 0 {
			t.Errorf("ten minutes old: %+v", in)
		}
		p = a.works(v, ask(1), a.says(v, ask(1), frame{}).Challenge)
		v.desk = newDesk(quickWork{}) // as a start makes one
		if in := a.says(v, ask(1), frame{Stamps: p}); in.Challenge == nil || len(v.waits()) != 0 {
			t.Errorf("from before a restart: %+v", in)
		}
		if n := v.Stamps(); n.Good+n.Bad != 0 {
			t.Errorf("%d stamps were hashed in vain", n.Good+n.Bad)
		}
	})
}

// TestReceiptIsOverAfterADay or two: then the ask owes stamps again, waiting or not.
func TestReceiptIsOverAfterADay(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		_, in := a.pays(v, ask(1))
		time.Sleep(24 * time.Hour)
		if in := a.says(v, ask(1), frame{Receipt: in.Receipt}); in.Challenge != nil {
			t.Errorf("a day later: %+v", in)
		}
		time.Sleep(24 * time.Hour)
		if in := a.says(v, ask(1), frame{Receipt: in.Receipt}); in.Challenge == nil {
			t.Errorf("two days later: %+v", in)
		}
		if _, in := a.pays(v, ask(1)); in.Receipt == nil || len(v.waits()) != 1 {
			t.Errorf("paid again: %+v", in)
		}
	})
}

// TestRemovedDeviceOwesStamps, also while it never confirms its removal, for which it
// is still served; then its ask waits.
func TestRemovedDeviceOwesStamps(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		if _, _, err := v.Add(a.id.Self(), AddOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := v.Remove(a.id.Self(), false); err != nil {
			t.Fatal(err)
		}
		in := a.says(v, ask(1), frame{})
		if in.Challenge == nil || len(v.waits()) != 0 {
			t.Fatalf("%+v, %d wait", in, len(v.waits()))
		}
		if _, in := a.pays(v, ask(1)); in.Receipt == nil || len(v.waits()) != 1 {
			t.Errorf("with stamps: %+v, %d wait", in, len(v.waits()))
		}
	})
}

// TestFloodOfBadStamps: what a hundred devices send that never work costs less than
// 2 % of the time, those among the stamps included that are good by chance; whoever comes
// then is told to come later, and is heard when it does.
func TestFloodOfBadStamps(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		const each = 6 * time.Millisecond
		v := w.victim(1, quickWork{each})
		from, told := time.Now(), 0
		for i := range byte(100) {
			a := w.attacker(9, i)
			for range 20 {
				c := a.says(v, ask(1), frame{}).Challenge
				p := &stamp.Proof{Challenge: *c, Nonces: []uint64{1 << 60, 2, 3}}
				if in := a.says(v, ask(1), frame{Stamps: p}); in.Challenge == nil {
					told++
					if !in.Later || in.Receipt != nil {
						t.Fatalf("%+v", in)
					}
				}
			}
		}
		n := v.Stamps()
		if n.Bad == 0 || told == 0 || int(n.Later) != told {
			t.Errorf("%+v, %d were told to come later", n, told)
		}
		spent := time.Duration(n.Good+n.Bad)*each - 60*time.Millisecond // saved up before
		if share := float64(spent) / float64(time.Since(from)); share >= 0.02 {
			t.Errorf("%.4f of the time went to it", share)
		}
		time.Sleep(time.Minute)
		if _, in := w.attacker(2).pays(v, ask(1)); in.Receipt == nil || len(v.waits()) != 1 {
			t.Errorf("afterwards an ask with stamps hears %+v", in)
		}
	})
}

// TestFullListDropsTheWeakest, of those the first, for an ask with more work; one with
// no more is told to come later, and may with the same stamps.
func TestFullListDropsTheWeakest(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v := w.victim(1, quickWork{})
		v.policy.MaxWaiting, v.policy.Stamps = 3, 4
		first, second, third := w.attacker(2), w.attacker(3), w.attacker(4)
		first.pays(v, ask(1))
		v.policy.Stamps = 2
		time.Sleep(time.Second)
		second.pays(v, ask(1))
		time.Sleep(time.Second)
		third.pays(v, ask(1))
		same, strong := w.attacker(5), w.attacker(6)
		p, in := same.pays(v, ask(1))
		if !in.Later || in.Receipt != nil || in.Challenge != nil {
			t.Errorf("with no more work: %+v", in)
		}
		v.policy.Stamps = 3
		if _, in := strong.pays(v, ask(1)); in.Later || in.Receipt == nil {
			t.Errorf("with more work: %+v", in)
		}
		if got := v.waits(); len(got) != 3 || !slices.Contains(got, strong.id.Self()) || slices.Contains(got, second.id.Self()) {
			t.Errorf("%v wait", got)
		}
		third.says(v, nil, frame{})
		if in := same.says(v, ask(1), frame{Stamps: p}); in.Later || len(v.waits()) != 3 {
			t.Errorf("when there is a place: %+v", in)
		}
	})
}

// TestStrangersOweTheSame is TestStrangersHearTheSame where stamps are due: it compares,
// byte by byte, what devices hear that bring none, bad ones, good ones, the same again and
// a receipt.
func TestStrangersOweTheSame(t *testing.T) {
	for _, requests := range []contact.RequestPolicy{contact.RequestsConfirm, contact.RequestsNone} {
		answers := make(map[string][][]byte)
		for who, prepare := range map[string]func(*Service, contact.ODID){
			"stranger": func(*Service, contact.ODID) {},
			"removed":  func(s *Service, peer contact.ODID) { addAndRemove(t, s, peer) },
			"blocked":  func(s *Service, peer contact.ODID) { MarkBlocked(t, s.cfg.DB, peer) },
			"removed and blocked": func(s *Service, peer contact.ODID) {
				addAndRemove(t, s, peer)
				MarkBlocked(t, s.cfg.DB, peer)
			},
		} {
			besiege(t, func(t *testing.T, w *siege) {
				v, a := w.victim(1, quickWork{}), w.attacker(2)
				v.policy.Requests = requests
				v.desk.mint = stamp.MintOf([32]byte{7})
				prepare(v.Service, a.id.Self())
				hears := func(in frame) frame {
					var b bytes.Buffer
					if err := transport.WriteFrame(&b, in, maxFrame); err != nil {
						t.Fatal(err)
					}
					answers[who] = append(answers[who], b.Bytes())
					return in
				}
				for n := range byte(6) { // more than are taken in a day
					c := hears(a.says(v, ask(n), frame{})).Challenge
					p := a.works(v, ask(n), c)
					bad := &stamp.Proof{Challenge: *c, Nonces: []uint64{1 << 60, 2, 3}}
					hears(a.says(v, ask(n), frame{Stamps: bad}))
					in := hears(a.says(v, ask(n), frame{Stamps: p}))
					hears(a.says(v, ask(n), frame{Stamps: p}))
					hears(a.says(v, ask(n), frame{Receipt: in.Receipt}))
					hears(a.says(v, ask(n), frame{}))
				}
				time.Sleep(stamp.Lifetime)
				hears(a.says(v, ask(5), frame{}))
				hears(a.says(v, nil, frame{}))
			})
		}
		for who, heard := range answers {
			if len(heard) != 38 || !slices.EqualFunc(heard, answers["removed"], bytes.Equal) {
				t.Errorf("policy %s: %s hears\n%x, who was removed\n%x", requests, who, heard, answers["removed"])
			}
		}
	}
}

// TestNobodyWorksForEver: a challenge of more work than is ever asked for is no reason
// to do any, and one that asks again and again is given up.
func TestNobodyWorksForEver(t *testing.T) {
	besiege(t, func(t *testing.T, w *siege) {
		v, a := w.victim(1, quickWork{}), w.attacker(2)
		if _, _, err := v.Add(a.id.Self(), AddOptions{Wording: "May I?"}); err != nil {
			t.Fatal(err)
		}
		hard := stamp.Challenge{Version: 1, Bits: contact.MaxDifficulty + 1, Count: 3}
		if owed, err := v.owe(a.id.Self(), frame{}, frame{Challenge: &hard}); owed || err == nil {
			t.Errorf("worked for: %v, %v", owed, err)
		}
		easy := stamp.Challenge{Version: 1, Bits: 0, Count: 3}
		orders := 0
		for range 2 * maxOrders {
			owed, err := v.owe(a.id.Self(), frame{Stamps: &stamp.Proof{}}, frame{Challenge: &easy})
			if owed {
				orders++
			} else if err == nil {
				t.Error("neither worked for nor refused")
			}
			j, peer, ctx := v.minter.next(t.Context())
			if j != nil {
				v.minter.make(ctx, peer, j)
			}
		}
		if orders != maxOrders {
			t.Errorf("worked %d times, at most %d", orders, maxOrders)
		}
		if owed, err := v.owe(testIdentity(t, 9).Self(), frame{}, frame{Challenge: &easy}); owed || err != nil {
			t.Errorf("worked for whom nothing is asked of: %v, %v", owed, err)
		}
	})
}
