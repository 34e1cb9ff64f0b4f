package node_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/card"
	"contactsd/contact"
	"contactsd/node"
	"contactsd/relation"
	"contactsd/store"
	"contactsd/transport"
)

func (p *person) writesCard(phone, notes string) {
	p.t.Helper()
	_, err := p.Card.Set(card.Change{Phone: &phone, Notes: &notes})
	p.try(err)
	settle(time.Second)
}

func (p *person) asksForCard(o *person) {
	p.t.Helper()
	_, err := p.Relation.Cards().Ask(o.id.Self(), "May I have your number?")
	p.try(err)
	settle(time.Second)
}

// answersCard answers the only request for the card that waits.
func (p *person) answersCard(r relation.Response) {
	p.t.Helper()
	items, errs, err := p.Relation.Answer(nil, true, relation.Answer{Response: r, Kind: relation.KindCard})
	p.try(err)
	if len(items) != 1 || errs[0] != nil {
		p.t.Fatalf("%s answered %v: %v", p.name, items, errs)
	}
	settle(time.Second)
}

func (p *person) givesCard(o *person) {
	p.t.Helper()
	o.asksForCard(p)
	p.answersCard(relation.Accept)
}

func (p *person) revokesCard(o *person) {
	p.t.Helper()
	p.try(p.Relation.Cards().Revoke(o.id.Self()))
	settle(time.Second)
}

func (p *person) hasCard(o *person, phone string) {
	p.t.Helper()
	h, err := p.Card.Of(o.id.Self())
	if err != nil || h.Phone != phone {
		p.t.Fatalf("%s has %q of %s, want %q: %v", p.name, h.Phone, o.name, phone, err)
	}
}

// hasNoCard fails if a card of o can be seen, or is on the disk.
func (p *person) hasNoCard(o *person) {
	p.t.Helper()
	if _, err := p.Card.Of(o.id.Self()); !errors.Is(err, card.ErrNotHeld) {
		p.t.Fatalf("%s has a card of %s: %v", p.name, o.name, err)
	}
	if list, err := p.Card.Held(); err != nil || len(list) > 0 {
		p.t.Fatalf("%s holds %d cards: %v", p.name, len(list), err)
	}
}

// gives fails unless that is what p sees of the grant to o; "" for none.
func (p *person) gives(o *person, state relation.GrantState) relation.Grant {
	p.t.Helper()
	list, err := p.Relation.Cards().Grants()
	p.try(err)
	i := slices.IndexFunc(list, func(g relation.Grant) bool { return g.ODID == o.id.Self() })
	switch {
	case i < 0 && state == "":
		return relation.Grant{}
	case i < 0 || list[i].State != state:
		p.t.Fatalf("%s gives %+v, want %s %q", p.name, list, o.name, state)
	}
	return list[i]
}

func (p *person) cards(o *person) (v contact.CardView) {
	p.t.Helper()
	p.try(p.db.View(func(tx *store.Tx) (err error) {
		v, err = p.Relation.Cards().Of(tx, o.id.Self())
		return err
	}))
	return v
}

// told returns what the journal says of cards since, in words.
func (p *person) told() (words []string) {
	p.t.Helper()
	entries, err := p.db.Events(0, 1000)
	p.try(err)
	for _, e := range entries {
		if ev := e.Event; strings.HasPrefix(string(ev.Type), "card.") {
			words = append(words, strings.TrimSpace(strings.Join([]string{string(ev.Type), ev.State, ev.Detail}, " ")))
		}
	}
	return words
}

// A card is asked for, given, changed and revoked; the other device follows each.
func TestCardIsGivenAndRevoked(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		settle(time.Minute)
		ana.writesCard("+49 1", "Ring twice.\nThen wait.")
		bob.hasNoCard(ana)
		if v := bob.cards(ana); v.MyAsk != contact.AskNone || v.Granted {
			t.Fatalf("%+v", v)
		}

		bob.asksForCard(ana)
		if v := bob.cards(ana); v.MyAsk != contact.AskOpen {
			t.Fatalf("%+v", v)
		}
		bob.hasNoCard(ana)
		ana.answersCard(relation.Accept)
		bob.hasCard(ana, "+49 1")
		ana.hasNoCard(bob) // it goes one way
		ana.gives(bob, relation.GrantHeld)

		ana.writesCard("+49 2", "")
		bob.hasCard(ana, "+49 2")
		ana.gives(bob, relation.GrantHeld)
		if _, err := bob.Relation.Cards().Ask(ana.id.Self(), "again"); !errors.Is(err, relation.ErrHasCard) {
			t.Errorf("asked for what it has: %v", err)
		}

		ana.revokesCard(bob)
		bob.hasNoCard(ana)
		ana.gives(bob, relation.GrantConfirmed)
		if err := ana.Relation.Cards().Revoke(bob.id.Self()); !errors.Is(err, relation.ErrNoGrant) {
			t.Errorf("revoked what is not given: %v", err)
		}
		ana.writesCard("+49 3", "")
		settle(time.Hour)
		bob.hasNoCard(ana)

		ana.givesCard(bob)
		bob.hasCard(ana, "+49 3")
		want := []string{
			"card.changed", "card.requested in notify", "card.granted in", "card.changed", "card.revoked in asked", "card.revoked in confirmed",
			"card.changed", "card.requested in notify", "card.granted in",
		}
		if got := ana.told(); !slices.Equal(got, want) {
			t.Errorf("ana is told %q, want %q", got, want)
		}
		want = []string{"card.granted out", "card.changed", "card.changed", "card.revoked out revoked", "card.granted out", "card.changed"}
		if got := bob.told(); !slices.Equal(got, want) {
			t.Errorf("bob is told %q, want %q", got, want)
		}
	})
}

// A refused ask ends, and another one may come; one that is taken back is off the list.
func TestCardIsRefusedAndTakenBack(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		for range 5 { // uncounted among contacts
			bob.asksForCard(ana)
			ana.answersCard(relation.Reject)
			if v := bob.cards(ana); v.MyAsk != contact.AskNone {
				t.Fatalf("%+v", v)
			}
		}
		bob.asksForCard(ana)
		for _, p := range []*person{ana, bob} { // what waits is counted right
			p.halts()
			r, err := node.Check(p.path, p.id.Self())
			if err != nil || len(r.Damage) > 0 {
				t.Errorf("%s: %v, %v", p.name, r.Damage, err)
			}
			p.starts()
		}
		bob.try(bob.Relation.Cards().Cancel(ana.id.Self()))
		settle(time.Minute)
		if n, err := ana.Relation.Waiting(); err != nil || n != 0 {
			t.Errorf("%d wait: %v", n, err)
		}
		if err := bob.Relation.Cards().Cancel(ana.id.Self()); !errors.Is(err, relation.ErrRequest) {
			t.Errorf("%v", err)
		}
		bob.hasNoCard(ana)
		ana.gives(bob, "")
	})
}

// A holder that is not told keeps the card until its lease ends, and the owner sees
// when that is. Being in touch renews it.
func TestLeaseOfACard(t *testing.T) {
	const day = 24 * time.Hour
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		ana.writesCard("+49 1", "")
		ana.givesCard(bob)
		h, err := bob.Card.Of(ana.id.Self())
		bob.try(err)
		settle(day) // in touch all the time
		again, err := bob.Card.Of(ana.id.Self())
		if err != nil || again.Until.Sub(h.Until) < day-2*time.Hour {
			t.Errorf("until %v, and a day later until %v: %v", h.Until, again.Until, err)
		}

		bob.halts()
		settle(day)
		revoked := time.Now()
		ana.revokesCard(bob)
		g := ana.gives(bob, relation.GrantUnreachable)
		if by := g.HiddenBy.Sub(revoked); by < contact.CardLease || by > contact.CardLease+time.Minute {
			t.Errorf("hidden there %v after it was revoked", by)
		}
		ana.halts()
		bob.starts()
		settle(28 * day)
		bob.hasCard(ana, "+49 1")
		settle(time.Until(g.HiddenBy))
		bob.hasNoCard(ana)
		settle(2 * time.Hour)
		if got := bob.told(); got[len(got)-1] != "card.revoked out lease" {
			t.Errorf("bob is told %q", got)
		}
		ana.starts()
		settle(time.Hour)
		bob.hasNoCard(ana)
		ana.gives(bob, "") // so long ago that nobody has it
	})
}

// A card that is still given comes back with its owner after the lease has ended.
func TestCardComesBackAfterTheLease(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		ana.writesCard("+49 1", "")
		ana.givesCard(bob)
		ana.halts()
		settle(contact.CardLease + time.Hour)
		bob.hasNoCard(ana)
		ana.starts()
		settle(time.Hour)
		bob.hasCard(ana, "+49 1")
	})
}

// Removing or blocking ends what was given, both ways, and neither comes back with
// the contact.
func TestCardsEndWithTheContact(t *testing.T) {
	for name, act := range map[string]func(p, o *person){
		"removes": func(p, o *person) { p.removes(o) },
		"blocks":  func(p, o *person) { p.blocks(o) },
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(t *testing.T, w *world) {
				ana, bob := w.device("Ana"), w.device("Bob")
				bob.types(ana, ana.showsCode())
				ana.writesCard("+49 1", "")
				bob.writesCard("+49 2", "")
				ana.givesCard(bob)
				bob.givesCard(ana)
				ana.hasCard(bob, "+49 2")
				act(ana, bob)
				settle(time.Minute)
				ana.hasNoCard(bob)
				bob.hasNoCard(ana)
				ana.gives(bob, relation.GrantConfirmed)
				bob.gives(ana, relation.GrantConfirmed)

				if name == "blocks" {
					ana.unblocks(bob)
				}
				ana.adds(bob, "")
				settle(time.Hour)
				ana.hasNoCard(bob)
				bob.hasNoCard(ana)
				ana.sees(bob, contact.StatusAccepted, contact.Untrusted)
			})
		})
	}
}

// A stranger's ask for the card waits beside one to be a contact; it is never accepted by
// itself, also where that is. Accepting it alone lets the stranger do nothing else.
func TestStrangerAsksForTheCard(t *testing.T) {
	for _, policy := range []string{"confirm", "any", "none"} {
		t.Run(policy, func(t *testing.T) {
			tell(t, func(t *testing.T, w *world) {
				ana, bob := w.device("Ana"), w.device("Bob")
				ana.decides("requests", policy)
				ana.writesCard("+49 1", "")
				bob.adds(ana, "")
				bob.asksForCard(ana)
				settle(time.Minute)
				n, err := ana.Relation.Waiting()
				ana.try(err)
				if policy == "none" {
					if n != 0 {
						t.Errorf("%d wait", n)
					}
					return
				}
				want, given := 2, contact.NoPermissions
				if policy == "any" {
					want, given = 1, contact.AddedDefault
				}
				if n != want {
					t.Fatalf("%d wait", n)
				}
				bob.hasNoCard(ana)
				ana.answersCard(relation.Accept)
				settle(time.Minute)
				bob.hasCard(ana, "+49 1")
				c, err := ana.Relation.Get(bob.id.Self())
				ana.try(err)
				if c.View.Status != contact.StatusAccepted || c.View.Given != given {
					t.Errorf("%+v", c.View)
				}
			})
		})
	}
}

// One that asks to be a contact and for the card takes one place, and each is
// answered on its own.
func TestStrangerAsksForBoth(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, cleo := w.device("Ana"), w.device("Bob"), w.device("Cleo")
		ana.decides("max-waiting", "1")
		_, _, err := bob.Relation.Add(ana.id.Self(), relation.AddOptions{Wording: "It is Bob."})
		bob.try(err)
		bob.asksForCard(ana)
		settle(time.Minute)
		if n, err := ana.Relation.Waiting(); err != nil || n != 2 {
			t.Fatalf("%d wait: %v", n, err)
		}
		cleo.adds(ana, "")
		cleo.asksForCard(ana)
		settle(time.Minute)
		if list, err := cleo.Relation.Requests(false); err != nil || len(list) != 2 || !list[0].Later || !list[1].Later {
			t.Fatalf("%+v, %v", list, err)
		}
		items, errs, err := ana.Relation.Answer([]string{bob.id.Self().String()}, false, relation.Answer{Response: relation.Reject, Kind: relation.KindContact})
		if err != nil || len(items) != 1 || errs[0] != nil {
			t.Fatalf("%v, %v, %v", items, errs, err)
		}
		settle(time.Minute)
		bob.sees(ana, contact.StatusPending, contact.Untrusted)
		items, errs, err = ana.Relation.Answer([]string{bob.id.Self().String()}, false, relation.Answer{Response: relation.Reject})
		if err != nil || len(items) != 1 || errs[0] != nil {
			t.Fatalf("the one for the card does not wait: %v, %v, %v", items, errs, err)
		}
		settle(time.Hour)
		list, err := ana.Relation.Requests(true)
		if err != nil || len(list) != 2 || list[0].ODID != cleo.id.Self() || list[1].ODID != cleo.id.Self() {
			t.Fatalf("cleo did not get the place: %+v, %v", list, err)
		}
		cleo.try(cleo.Relation.Cancel(ana.id.Self())) // that for the card ends with it
		settle(time.Minute)
		if n, err := ana.Relation.Waiting(); err != nil || n != 0 {
			t.Fatalf("%d wait: %v", n, err)
		}
	})
}

// A device that stopped at any moment between the acts is where it should be later.
func TestCardsOverCrashes(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		ana.writesCard("+49 1", "")
		for _, who := range []*person{ana, bob} {
			_, err := bob.Relation.Cards().Ask(ana.id.Self(), "May I?")
			bob.try(err)
			who.crashes()
			who.starts()
			settle(time.Minute)
			_, _, err = ana.Relation.Answer(nil, true, relation.Answer{Response: relation.Accept})
			ana.try(err)
			who.crashes()
			who.starts()
			settle(time.Minute)
			bob.hasCard(ana, "+49 1")
			ana.try(ana.Relation.Cards().Revoke(bob.id.Self()))
			who.crashes()
			who.starts()
			settle(time.Minute)
			bob.hasNoCard(ana)
			ana.gives(bob, relation.GrantConfirmed)
		}
	})
}

// servesCard makes an attacker's device answer a fetch as it likes.
func (a *attacker) servesCard(f func(ctx context.Context, st transport.Stream)) {
	a.link.Serve(card.Protocol, f)
}

// grantsCard has an attacker's device say that it shares its card.
func (a *attacker) grantsCard(to *person, rev uint64) {
	a.t.Helper()
	st := contact.Statement{
		Author: a.id.Self(), Subject: to.id.Self(), Seq: 1 << 45, Listed: true, Card: &contact.CardGrant{Rev: rev, Lease: 1 << 60},
	}
	signed, err := a.id.SignStatement(st)
	if err != nil {
		a.t.Fatal(err)
	}
	a.says(to, relation.Protocol, "grants its card", a.frame(map[int]any{1: signed}), false)
}

// TestHostileCards: whatever a device sends as its card, the other one keeps what it
// had, or nothing.
func TestHostileCards(t *testing.T) {
	megabyte := append(binary.AppendUvarint(nil, 1<<20), make([]byte, 1<<20)...)
	frame := func(v any) func(context.Context, transport.Stream) {
		return func(_ context.Context, st transport.Stream) {
			_ = transport.WriteFrame(st, v, 2<<20)
			_ = st.Close()
		}
	}
	for name, serve := range map[string]func(context.Context, transport.Stream){
		"a megabyte of notes": frame(map[int]any{1: uint64(1) << 50, 5: strings.Repeat("n", 1<<20)}),
		"too long a phone":    frame(map[int]any{1: uint64(1) << 50, 2: strings.Repeat("1", 65)}),
		"an escape":           frame(map[int]any{1: uint64(1) << 50, 2: "\x1b[2J"}),
		"an older revision":   frame(map[int]any{1: 1, 2: "+1"}),
		"no revision":         frame(map[int]any{2: "+1"}),
		"a megabyte":          func(_ context.Context, st transport.Stream) { _, _ = st.Write(megabyte); _ = st.Close() },
		"nothing":             func(_ context.Context, st transport.Stream) { _ = st.Close() },
		"silence":             func(ctx context.Context, _ transport.Stream) { <-ctx.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(t *testing.T, w *world) {
				ana, eve := w.device("Ana"), w.device("Eve")
				ana.adds(eve, "")
				a := eve.turns()
				a.servesCard(serve)
				a.grantsCard(ana, 1<<45)
				settle(time.Hour)
				ana.hasNoCard(eve)
				if v := ana.cards(eve); !v.Granted || v.There {
					t.Errorf("%+v", v)
				}
			})
		})
	}
}

// TestCardOfAnother: a device that sends somebody else's card has it kept as its own,
// and as nobody else's, for no longer than any; that of the other stays what it was.
func TestCardOfAnother(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, eve := w.device("Ana"), w.device("Bob"), w.device("Eve")
		bob.types(ana, ana.showsCode())
		ana.writesCard("+49 1", "")
		ana.givesCard(bob)
		bob.adds(eve, "")
		a := eve.turns()
		a.servesCard(func(_ context.Context, st transport.Stream) {
			_ = transport.WriteFrame(st, map[int]any{1: uint64(1) << 45, 2: "+49 666"}, 64<<10)
			_ = st.Close()
		})
		a.grantsCard(bob, 1<<45)
		settle(time.Minute)
		bob.hasCard(eve, "+49 666")
		bob.hasCard(ana, "+49 1")
		h, err := bob.Card.Of(eve.id.Self())
		if err != nil || time.Until(h.Until) > contact.CardLease {
			t.Errorf("kept for longer than any card: %v, %v", h.Until, err)
		}
	})
}

// TestCardIsServedToNobodyElse: without a grant nothing is served, to a contact as to
// a stranger.
func TestCardIsServedToNobodyElse(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, eve := w.device("Ana"), w.device("Bob"), w.device("Eve")
		ana.writesCard("+49 1", "")
		bob.types(ana, ana.showsCode())
		eve.types(ana, ana.showsCode())
		ana.givesCard(bob)
		a := eve.turns()
		for rev := range uint64(3) {
			a.says(ana, card.Protocol, "fetch", a.frame(map[int]any{1: rev}), true)
		}
		if got := a.heard(); strings.Contains(got, "closed") {
			t.Errorf("a contact without a grant hears %s", got)
		}
		if s := ana.Streams()[contact.ServiceCard]; s[contact.Serve] != 1 || s[contact.Drop] != 3 {
			t.Errorf("%v", s)
		}
	})
}
