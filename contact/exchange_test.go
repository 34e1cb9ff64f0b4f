package contact

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// message is what one device shows the other: its newest statement, and the
// newest of the other's that it holds.
type message struct {
	mine, yours *Signed
}

// party is one device of the model: what it keeps, and no more.
type party struct {
	seed       byte
	self, peer ODID
	mine       *Signed
	theirs     *Signed
	marks      Marks
	gave       Permissions // granted with the ask alone
}

// model is two devices and what is under way between them.
type model struct {
	t       *rapid.T
	now     time.Time
	party   [2]party
	backups [2][]party
	wire    [2][]message // to each

	asks int // that were made

	// What must hold, from the acts of the users alone.
	wanted   [2]bool // the user's last explicit act was to add, not to remove
	restored [2]bool // since then the device fell back to an older copy
	parted   [2]bool // the other asked it to drop the relation, too
}

func newModel(t *rapid.T, ids [2]ODID) *model {
	m := &model{t: t, now: time.UnixMilli(1_700_000_000_000)}
	for i := range m.party {
		m.party[i] = party{seed: byte(i + 1), self: ids[i], peer: ids[1-i]}
		m.backups[i] = []party{m.party[i]}
	}
	return m
}

func (p *party) statement(s *Signed) *Statement {
	if s == nil {
		return nil
	}
	st, err := s.Decode()
	if err != nil {
		panic(err)
	}
	return &st
}

func (p *party) view() View {
	return Derive(p.statement(p.mine), p.statement(p.theirs), p.marks)
}

func (p *party) listed() bool {
	mine := p.statement(p.mine)
	return mine != nil && mine.Listed
}

// next begins the party's next statement.
func (m *model) next(p *party) Statement {
	return Next(p.self, p.peer, p.statement(p.mine), p.marks, m.now)
}

func (m *model) issue(p *party, st Statement) {
	b, err := st.Encode()
	if err != nil {
		m.t.Fatalf("issue: %v", err)
	}
	if st.Seq <= p.marks.MineSeq {
		m.t.Fatalf("seq %d after %d", st.Seq, p.marks.MineSeq)
	}
	s := sign(p.seed, b)
	p.mine, p.marks.MineSeq = &s, st.Seq
}

// Acts of the user of device i.

func (m *model) add(i int) {
	p := &m.party[i]
	st := m.next(p).List(drawPermissions(m.t)).Meet(p.statement(p.theirs))
	m.issue(p, st)
	p.marks.Removed, p.marks.AddedSeq = false, st.Seq
	m.wanted[i], m.restored[i] = true, false
}

func (m *model) pair() {
	id := PairID{byte(rapid.IntRange(1, 200).Draw(m.t, "pair"))}
	for i := range m.party {
		p := &m.party[i]
		mine := p.statement(p.mine)
		p.marks.OldPair = nil
		if mine != nil {
			p.marks.OldPair = mine.Pair
		}
		st := m.next(p).PairBy(id, drawPermissions(m.t)).Meet(p.statement(p.theirs))
		m.issue(p, st)
		p.marks.Removed, p.marks.AddedSeq = false, st.Seq
		m.wanted[i], m.restored[i] = true, false
	}
}

func (m *model) remove(i int, both bool) {
	p := &m.party[i]
	if !p.listed() {
		return
	}
	part := uint64(0)
	if both {
		part = p.marks.TheirsSeq
	}
	m.issue(p, m.next(p).Unlist(part))
	p.marks.Removed, p.marks.OldPair = true, nil
	m.wanted[i] = false
}

func (m *model) narrow(i int) {
	p := &m.party[i]
	if p.listed() {
		m.issue(p, m.next(p).Narrow(drawPermissions(m.t)))
	}
}

// ask makes device i ask for something; a contact that is none yet is added.
func (m *model) ask(i int) {
	p := &m.party[i]
	st := m.next(p)
	if !st.Listed {
		st = st.List(AddedDefault)
		p.marks.Removed, p.marks.AddedSeq = false, st.Seq
		m.wanted[i], m.restored[i] = true, false
	}
	m.asks++
	a := Ask{ID: AskID{byte(i), byte(m.asks >> 8), byte(m.asks)}, Permissions: drawPermissions(m.t), Wording: "please"}
	had := st.Grants &^ p.gave
	st = st.Propose(a, rapid.Bool().Draw(m.t, "one way"))
	p.gave = st.Grants &^ had
	st, _ = st.React(p.statement(p.theirs), NoPermissions)
	m.issue(p, st)
}

func (m *model) cancel(i int) {
	p := &m.party[i]
	if st := m.next(p); st.Ask != nil {
		m.issue(p, st.Withdraw(p.gave))
		p.gave = 0
	}
}

// answer has the user of device i decide about an ask that is open there.
func (m *model) answer(i int, v Verdict) {
	p := &m.party[i]
	theirs := p.statement(p.theirs)
	if p.view().TheirAsk != AskOpen {
		return
	}
	d, err := theirs.Ask.Digest()
	if err != nil {
		m.t.Fatal(err)
	}
	st := m.next(p).Respond(d, v, theirs.Ask.Permissions)
	if v == Accepted {
		p.marks.Removed, p.marks.AddedSeq = false, st.Seq
		m.wanted[i], m.restored[i] = true, false
	}
	m.issue(p, st)
}

func drawPermissions(t *rapid.T) Permissions {
	return Permissions(rapid.IntRange(0, int(AllPermissions)).Draw(t, "permissions"))
}

// Faults.

func (m *model) backup(i int) { m.backups[i] = append(m.backups[i], m.party[i]) }

func (m *model) restore(i int) {
	m.party[i] = rapid.SampledFrom(m.backups[i]).Draw(m.t, "backup")
	m.restored[i] = true
}

// The exchange.

func (m *model) say(i int) {
	p := &m.party[i]
	m.wire[1-i] = append(m.wire[1-i], message{p.mine, p.theirs})
}

// hear lets device i take a message. It reports whether the other is to be told.
func (m *model) hear(i int, got message) (changed bool) {
	p := &m.party[i]
	before := *p
	for _, s := range []*Signed{got.mine, got.yours} {
		if s == nil {
			continue
		}
		if _, err := s.Open(); err != nil {
			m.t.Fatal(err)
		}
	}
	if got.yours != nil {
		shown := p.statement(got.yours)
		if shown.Author != p.self {
			m.t.Fatal("shown a statement of another author")
		}
		if Outrun(p.mine, p.marks, *got.yours, *shown) {
			p.marks.MineSeq = max(p.marks.MineSeq, shown.Seq)
			st := TakeOver(m.next(p), *shown)
			p.marks.Removed = p.marks.Removed || !st.Listed
			m.issue(p, st)
		} else if shown.Seq == p.marks.MineSeq {
			p.marks.AckedSeq = shown.Seq
		}
	}
	if got.mine != nil {
		st := p.statement(got.mine)
		switch Judge(p.theirs, p.marks, *got.mine, *st) {
		case Fresh:
			p.theirs, p.marks.TheirsSeq = got.mine, st.Seq
			mine := p.statement(p.mine)
			if mine != nil && mine.Pair != nil && st.Pair != nil && *mine.Pair == *st.Pair {
				p.marks.OldPair = nil
			}
			if p.listed() && HonourPart(*st, p.marks) {
				p.marks.PartSeq = st.Seq
				m.issue(p, m.next(p).Unlist(0))
				p.marks.Removed, p.marks.OldPair = true, nil
				m.parted[i] = true
			}
			if st, ok := m.next(p).React(st, p.gave); ok {
				if st.Grants&^p.statement(p.mine).Grants != 0 {
					m.t.Fatalf("%d gives more by itself:\n%s", i, m)
				}
				if st.Ask == nil {
					p.gave = 0
				}
				m.issue(p, st)
			}
		case Stale, Conflicting:
			return true // it shows what this device holds
		}
	}
	return *p != before
}

// deliver lets message k to device i arrive, and answers it.
func (m *model) deliver(i, k int) {
	got := m.wire[i][k]
	m.wire[i] = append(m.wire[i][:k:k], m.wire[i][k+1:]...)
	if m.hear(i, got) {
		m.say(i)
	}
}

// settle connects the two without faults until neither has news.
func (m *model) settle() {
	m.wire = [2][]message{}
	m.say(0)
	m.say(1)
	for round := 0; len(m.wire[0])+len(m.wire[1]) > 0; round++ {
		if round > 100 {
			m.t.Fatalf("no end:\n%s", m)
		}
		for i := range m.party {
			for len(m.wire[i]) > 0 {
				m.deliver(i, 0)
			}
		}
	}
}

func (m *model) String() string {
	s := ""
	for i := range m.party {
		p := &m.party[i]
		s += fmt.Sprintf("%d: mine %+v\n   theirs %+v\n   marks %+v\n   view %+v\n", i, p.statement(p.mine), p.statement(p.theirs), p.marks, p.view())
	}
	return s
}

// converged fails unless each holds the other's newest and both see the same.
func (m *model) converged() {
	a, b := &m.party[0], &m.party[1]
	for _, pair := range [][2]*party{{a, b}, {b, a}} {
		x, y := pair[0], pair[1]
		if (x.mine == nil) != (y.theirs == nil) || x.mine != nil && !bytes.Equal(x.mine.Bytes, y.theirs.Bytes) {
			m.t.Fatalf("%d does not hold what %d says:\n%s", y.seed-1, x.seed-1, m)
		}
		if x.mine != nil && x.marks.AckedSeq != x.statement(x.mine).Seq {
			m.t.Fatalf("%d does not know that its newest arrived:\n%s", x.seed-1, m)
		}
	}
	va, vb := a.view(), b.view()
	if va.MyAsk != vb.TheirAsk || va.TheirAsk != vb.MyAsk {
		m.t.Fatalf("they see different asks:\n%s", m)
	}
	for _, p := range []*party{a, b} {
		if v, ok := Reply(p.statement(p.mine), p.statement(p.theirs)); ok {
			m.t.Fatalf("%d has yet to answer %d:\n%s", p.seed-1, v, m)
		}
	}
	if (va.Status == StatusAccepted) != (vb.Status == StatusAccepted) || va.Trust != vb.Trust {
		m.t.Fatalf("they see different relations:\n%s", m)
	}
	if va.Status == StatusAccepted && (va.Given != vb.Received || va.Received != vb.Given) {
		m.t.Fatalf("they see different permissions:\n%s", m)
	}
}

// neverBack fails if a contact that its user removed is listed.
func (m *model) neverBack() {
	for i := range m.party {
		p := &m.party[i]
		if m.wanted[i] || m.restored[i] {
			continue
		}
		if v := p.view(); p.listed() || v.Status == StatusAccepted || v.Status == StatusPending && !v.Incoming || v.Given != 0 || v.Trust == Paired {
			m.t.Fatalf("what %d removed came back:\n%s", i, m)
		}
	}
}

// TestTwoPartiesAlwaysConverge plays users, a bad network and restored backups,
// then lets the two talk.
func TestTwoPartiesAlwaysConverge(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, ids)
		side := func(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "side") }
		t.Repeat(map[string]func(*rapid.T){
			"add":     func(t *rapid.T) { m.add(side(t)) },
			"pair":    func(*rapid.T) { m.pair() },
			"remove":  func(t *rapid.T) { m.remove(side(t), false) },
			"part":    func(t *rapid.T) { m.remove(side(t), true) },
			"ask":     func(t *rapid.T) { m.ask(side(t)) },
			"cancel":  func(t *rapid.T) { m.cancel(side(t)) },
			"accept":  func(t *rapid.T) { m.answer(side(t), Accepted) },
			"reject":  func(t *rapid.T) { m.answer(side(t), Rejected) },
			"narrow":  func(t *rapid.T) { m.narrow(side(t)) },
			"backup":  func(t *rapid.T) { m.backup(side(t)) },
			"restore": func(t *rapid.T) { m.restore(side(t)) },
			"tick":    func(*rapid.T) { m.now = m.now.Add(time.Millisecond) },
			"clock":   func(*rapid.T) { m.now = m.now.Add(-time.Second) },
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
			"talk": func(*rapid.T) {
				m.settle()
				m.converged()
			},
			"": func(*rapid.T) { m.neverBack() },
		})
		m.settle()
		m.converged()
		m.neverBack()
	})
}

// TestRestoredDeviceTakesBackNothing: what a device withdrew and the other holds
// stays withdrawn, whichever backup the device falls back to.
func TestRestoredDeviceTakesBackNothing(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, ids)
		for range rapid.IntRange(1, 8).Draw(t, "acts before") {
			switch rapid.IntRange(0, 4).Draw(t, "act") {
			case 0:
				m.add(0)
			case 1:
				m.add(1)
			case 2:
				m.pair()
			case 3:
				m.settle()
			case 4:
				m.now = m.now.Add(time.Second)
			}
			m.backup(0)
		}
		removed := rapid.Bool().Draw(t, "removed")
		if removed {
			m.add(0)
			m.remove(0, rapid.Bool().Draw(t, "both"))
		} else {
			m.narrow(0)
		}
		m.settle()
		left := m.party[0].view().Given
		for range rapid.IntRange(1, 3).Draw(t, "restores") {
			m.restore(0)
			if rapid.Bool().Draw(t, "the user acts on the old copy") {
				m.narrow(0)
			}
			m.settle()
			m.converged()
			if got := m.party[0].view(); got.Given&^left != 0 || removed && (m.party[0].listed() || got.Status != StatusRemoved) {
				t.Fatalf("came back with a backup: had %v left\n%s", left, m)
			}
			left = m.party[0].view().Given
		}
	})
}

// TestPartDropsBothSidesOnce: "remove on both sides" is honoured, and not again
// after the other added the contact anew.
func TestPartDropsBothSidesOnce(t *testing.T) {
	ids := [2]ODID{testODID(t, 1), testODID(t, 2)}
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, ids)
		m.pair()
		m.settle()
		m.remove(0, true)
		m.settle()
		if m.party[1].listed() || m.party[1].view().Status != StatusRemoved {
			t.Fatalf("the other did not drop it:\n%s", m)
		}
		m.now = m.now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "ms")) * time.Millisecond)
		m.add(1)
		for range 3 {
			m.say(0)
			m.settle()
		}
		if !m.party[1].listed() {
			t.Fatalf("an old wish dropped what was added after it:\n%s", m)
		}
		m.converged()
	})
}
