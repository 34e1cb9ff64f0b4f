package contact

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// cardSide is what one statement says of cards.
type cardSide struct {
	listed string // none, unlisted, listed
	asks   bool
	answer string // "", accepted, rejected, reported: to the other's ask; other: to another ask
	card   bool   // shares its own
	state  string // "", held, deleted: what it did with the other's
}

func cardSides() []cardSide {
	all := []cardSide{{listed: "none"}}
	for _, listed := range []string{"unlisted", "listed"} {
		for _, asks := range []bool{false, true} {
			for _, answer := range []string{"", "accepted", "rejected", "reported", "other"} {
				for _, state := range []string{"", "held", "deleted"} {
					all = append(all, cardSide{listed, asks, answer, false, state})
					if listed == "listed" {
						all = append(all, cardSide{listed, asks, answer, true, state})
					}
				}
			}
		}
	}
	return all
}

func cardAsk(seed byte) CardAsk { return CardAsk{ID: AskID{seed}, Wording: "Your card?"} }

func (s cardSide) statement(t *testing.T, author, subject byte) *Statement {
	t.Helper()
	if s.listed == "none" {
		return nil
	}
	st := Statement{Author: ODID{author}, Subject: ODID{subject}, Seq: 2, Listed: s.listed == "listed"}
	if s.asks {
		st = st.AskCard(cardAsk(author))
	}
	if s.answer != "" {
		asked := cardAsk(subject)
		if s.answer == "other" {
			asked.Wording = "something else"
		}
		d, err := asked.Digest()
		if err != nil {
			t.Fatal(err)
		}
		verdict := map[string]Verdict{"accepted": Accepted, "rejected": Rejected, "reported": Reported, "other": Accepted}[s.answer]
		st.CardAnswer = &Answer{d, verdict}
	}
	if s.card {
		st.Card = &CardGrant{Rev: uint64(author), Lease: 60}
	}
	if s.state != "" {
		st.CardState = &CardState{Rev: uint64(subject), Held: s.state == "held"}
	}
	if err := st.check(); err != nil {
		t.Fatal(err)
	}
	return &st
}

func cardAskWord(asker, asked cardSide) string {
	switch {
	case !asker.asks:
		return "none"
	case asked.answer == "" || asked.answer == "other":
		return "open"
	}
	return asked.answer
}

// TestDeriveCardIsInWords goes through every pair of statements and marks: a card is
// shared between two that list each other, by the word of its owner alone.
func TestDeriveCardIsInWords(t *testing.T) {
	for _, mine := range cardSides() {
		for _, theirs := range cardSides() {
			for bits := range 16 {
				m := Marks{Removed: bits&1 != 0, Blocked: bits&2 != 0, Reported: bits&4 != 0}
				if bits&8 != 0 {
					m.AckedSeq = 2
				}
				a, b := mine.statement(t, 1, 2), theirs.statement(t, 2, 1)
				v := DeriveCard(a, b, m)
				name := fmt.Sprintf("mine %+v, theirs %+v, marks %+v: %+v", mine, theirs, m, v)
				if m.Blocked || m.Reported {
					if v != (CardView{}) {
						t.Fatalf("%s, want nothing", name)
					}
				} else {
					if askWords[v.MyAsk] != cardAskWord(mine, theirs) || askWords[v.TheirAsk] != cardAskWord(theirs, mine) {
						t.Fatalf("%s: asks", name)
					}
					both := mine.listed == "listed" && theirs.listed == "listed"
					if v.Given != mine.card || v.There != (both && mine.card && theirs.state == "held") {
						t.Fatalf("%s: what is given", name)
					}
					if v.Granted != (both && theirs.card) || v.Granted && (v.Rev != 2 || v.Lease != time.Minute) {
						t.Fatalf("%s: what is granted", name)
					}
				}
				gone := mine.listed != "none" && !mine.card && m.AckedSeq == 2 &&
					(mine.listed == "unlisted" || theirs.listed != "listed" || theirs.state != "held")
				if CardGone(a, b, m) != gone {
					t.Fatalf("%s: gone is not %v", name, gone)
				}
			}
		}
	}
}

// TestCardReactions goes through every pair: what a device says of its own accord
// gives nothing, says all there is to say at once, and holds back what is held.
func TestCardReactions(t *testing.T) {
	for _, mine := range cardSides() {
		for _, theirs := range cardSides() {
			a, b := mine.statement(t, 1, 2), theirs.statement(t, 2, 1)
			if a == nil {
				continue
			}
			name := fmt.Sprintf("mine %+v, theirs %+v", mine, theirs)
			st, ok := a.reactCard(b)
			if _, again := st.reactCard(b); again {
				t.Fatalf("%s: something more to say", name)
			}
			if st.check() != nil || st.Card != nil && a.Card == nil || st.CardAsk != nil && a.CardAsk == nil {
				t.Fatalf("%s: gives or asks by itself: %+v", name, st)
			}
			v := DeriveCard(&st, b, Marks{})
			switch {
			case !v.Granted && st.holdsCard():
				t.Fatalf("%s: says that it holds what it may not", name)
			case v.Given && theirs.listed != "listed":
				t.Fatalf("%s: gives its card to one that left", name)
			case v.MyAsk == AskRejected, v.MyAsk == AskReported, v.MyAsk == AskAccepted && !v.Granted:
				t.Fatalf("%s: an ask that is over stands", name)
			case ok == (fmt.Sprintf("%+v", st) == fmt.Sprintf("%+v", *a)) && !ok:
				t.Fatalf("%s: changed without a word", name)
			}
		}
	}
}

func TestCardLeaseIsBounded(t *testing.T) {
	for seconds, want := range map[uint64]time.Duration{
		0: 0, 1: time.Second, 2_592_000: CardLease, 2_592_001: CardLease, 1<<64 - 1: CardLease,
	} {
		if got := (CardGrant{Lease: seconds}).lease(); got != want {
			t.Errorf("%d s: %v, want %v", seconds, got, want)
		}
	}
	mine := &Statement{Listed: true}
	theirs := &Statement{Listed: true, Card: &CardGrant{Rev: 1}}
	if DeriveCard(mine, theirs, Marks{}).Granted {
		t.Error("a card may be kept for no time")
	}
}

// cardModel is model with two users that ask for, give and revoke cards.
type cardModel struct {
	*model
	holds  [2]bool   // the other's card is on the device's disk
	kept   [2][]bool // in its backups
	given  [2]bool   // the user's last word was to give, and nothing ended it since
	lost   [2]bool   // since then the device fell back to an older copy
	rev    uint64
	cardID byte
}

func newCardModel(t *rapid.T, ids [2]ODID) *cardModel {
	return &cardModel{model: newModel(t, ids), kept: [2][]bool{{false}, {false}}, rev: 1}
}

func (m *cardModel) cards(i int) CardView {
	p := &m.party[i]
	return DeriveCard(p.statement(p.mine), p.statement(p.theirs), p.marks)
}

// follow is what a device does with every change: what it may not hold goes from its
// disk in the same transaction.
func (m *cardModel) follow() {
	for i := range m.party {
		m.holds[i] = m.holds[i] && m.cards(i).Granted
	}
}

func (m *cardModel) askCard(i int) {
	if p := &m.party[i]; p.listed() {
		m.cardID++
		m.issue(p, m.next(p).AskCard(CardAsk{ID: AskID{byte(i), m.cardID}, Wording: "please"}))
	}
}

func (m *cardModel) cancelCard(i int) {
	if p := &m.party[i]; p.listed() {
		m.issue(p, m.next(p).WithdrawCardAsk())
	}
}

func (m *cardModel) answerCard(i int, accept bool) {
	p := &m.party[i]
	if m.cards(i).TheirAsk != AskOpen {
		return
	}
	d, err := p.statement(p.theirs).CardAsk.Digest()
	if err != nil {
		m.t.Fatal(err)
	}
	if !accept {
		m.issue(p, m.next(p).RefuseCard(d))
		return
	}
	st := m.next(p).GiveCard(d, m.rev)
	if !p.listed() {
		p.marks.Removed, p.marks.AddedSeq = false, st.Seq
		m.wanted[i], m.restored[i] = true, false
	}
	m.issue(p, st)
	m.given[i], m.lost[i] = true, false
}

func (m *cardModel) revokeCard(i int) {
	m.given[i], m.lost[i] = false, false
	if p := &m.party[i]; p.listed() {
		m.issue(p, m.next(p).RevokeCard())
	}
}

// fetch has device i fetch the other's card: it is served by who gives it, and kept
// by who still may.
func (m *cardModel) fetch(i int) {
	v, p := m.cards(i), &m.party[i]
	if !v.Granted || !m.cards(1-i).Given {
		return
	}
	if !m.holds[i] || !p.statement(p.mine).holdsCard() {
		m.issue(p, m.next(p).HoldCard(v.Rev))
	}
	m.holds[i] = true
}

func (m *cardModel) remove(i int) {
	m.model.remove(i, rapid.Bool().Draw(m.t, "both"))
	m.given[i] = m.given[i] && m.party[i].listed()
}

func (m *cardModel) backup(i int) {
	m.model.backup(i)
	m.kept[i] = append(m.kept[i], m.holds[i])
}

func (m *cardModel) restore(i int) {
	at := rapid.IntRange(0, len(m.backups[i])-1).Draw(m.t, "backup")
	m.party[i], m.holds[i] = m.backups[i][at], m.kept[i][at]
	m.restored[i], m.lost[i] = true, true
}

// share has device i get the card of the other, as far as that goes: a random walk
// seldom comes so far.
func (m *cardModel) share(i int) {
	for j := range m.party {
		if !m.party[j].listed() {
			m.add(j)
		}
	}
	m.askCard(i)
	m.talk()
	m.answerCard(1-i, true)
	m.talk()
	m.fetch(i)
}

// sound fails if somebody may have, or has, a card that nobody gave to it.
func (m *cardModel) sound() {
	for i := range m.party {
		if m.cards(i).Given && !m.given[i] && !m.lost[i] {
			m.t.Fatalf("%d gives its card without a word of its user:\n%s", i, m)
		}
		if m.holds[i] && !m.cards(i).Granted {
			m.t.Fatalf("%d has a card that it may not have:\n%s", i, m)
		}
	}
}

// agreed fails unless the two, who have talked, see the same, and who may not have a
// card has none.
func (m *cardModel) agreed() {
	for i := range m.party {
		owner, holder := m.cards(i), m.cards(1-i)
		p := &m.party[i]
		switch {
		case owner.Given != holder.Granted:
			m.t.Fatalf("they see different grants of %d:\n%s", i, m)
		case m.holds[1-i] && !owner.Given:
			m.t.Fatalf("the card of %d is kept:\n%s", i, m)
		case !owner.Given && p.mine != nil && !CardGone(p.statement(p.mine), p.statement(p.theirs), p.marks):
			m.t.Fatalf("%d can't see that its card is gone:\n%s", i, m)
		case owner.TheirAsk != holder.MyAsk:
			m.t.Fatalf("they see different asks:\n%s", m)
		}
	}
}

func (m *cardModel) talk() {
	m.settle()
	m.follow()
	m.agreed()
}

// TestCardsOfTwoParties plays users, a bad network and restored backups, and lets the
// two talk now and then.
func TestCardsOfTwoParties(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newCardModel(t, ids)
		side := func(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "side") }
		acts := map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { m.add(side(t)) },
			"remove": func(t *rapid.T) { m.remove(side(t)) },
			"ask":    func(t *rapid.T) { m.askCard(side(t)) },
			"cancel": func(t *rapid.T) { m.cancelCard(side(t)) },
			"accept": func(t *rapid.T) { m.answerCard(side(t), true) },
			"reject": func(t *rapid.T) { m.answerCard(side(t), false) },
			"revoke": func(t *rapid.T) { m.revokeCard(side(t)) },
			"change": func(t *rapid.T) {
				i := side(t)
				m.rev++
				if p := &m.party[i]; m.cards(i).Given {
					m.issue(p, m.next(p).ShowCard(m.rev))
				}
			},
			"share":   func(t *rapid.T) { m.share(side(t)) },
			"fetch":   func(t *rapid.T) { m.fetch(side(t)) },
			"backup":  func(t *rapid.T) { m.backup(side(t)) },
			"restore": func(t *rapid.T) { m.restore(side(t)) },
			"tick":    func(*rapid.T) { m.now = m.now.Add(time.Millisecond) },
			"say":     func(t *rapid.T) { m.say(side(t)) },
			"deliver": func(t *rapid.T) {
				i := side(t)
				if n := len(m.wire[i]); n > 0 {
					m.deliver(i, rapid.IntRange(0, n-1).Draw(t, "which"))
				}
			},
			"drop": func(t *rapid.T) {
				i := side(t)
				if n := len(m.wire[i]); n > 0 {
					m.wire[i] = m.wire[i][:rapid.IntRange(0, n-1).Draw(t, "left")]
				}
			},
			"duplicate": func(t *rapid.T) {
				i := side(t)
				if n := len(m.wire[i]); n > 0 && n < 20 {
					m.wire[i] = append(m.wire[i], m.wire[i][rapid.IntRange(0, n-1).Draw(t, "which")])
				}
			},
			"talk": func(*rapid.T) { m.talk() },
		}
		for name, act := range acts {
			acts[name] = func(t *rapid.T) {
				act(t)
				m.follow()
			}
		}
		acts[""] = func(*rapid.T) { m.sound() }
		t.Repeat(acts)
		m.talk()
		m.sound()
	})
}

// TestCardComesAndGoes: given on an ask, held, revoked and gone; then it takes
// another ask and another word of the owner.
func TestCardComesAndGoes(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newCardModel(t, ids)
		for range 2 {
			m.share(0)
			m.talk()
			if v := m.cards(1); !m.holds[0] || !v.Given || !v.There || v.TheirAsk != AskAccepted {
				t.Fatalf("not held: %+v\n%s", v, m)
			}
			m.revokeCard(1)
			m.talk()
			if v := m.cards(1); m.holds[0] || v != (CardView{}) {
				t.Fatalf("not gone: %+v\n%s", v, m)
			}
		}
		m.askCard(0)
		m.talk()
		m.answerCard(1, false)
		m.talk()
		if v := m.cards(0); v != (CardView{}) {
			t.Fatalf("an ask that was rejected stands: %+v", v)
		}
	})
}
