package relation

import (
	"crypto/hmac"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/stamp"
	"contactsd/store"
)

// A stranger's ask costs its device stamps (package stamp). What is due is told from
// the ask alone, without a look at who asks: whether it waits, was removed or is
// blocked, it hears a challenge until it brought stamps, and a receipt from then on.

// tollState is how it stands with the stamps of an ask.
type tollState uint8

const (
	tollOwed  tollState = iota // they are due
	tollNone                   // none are asked for
	tollPaid                   // they were brought, and are spent now
	tollHeld                   // they were taken before
	tollLater                  // there was no time to look at them
)

// toll is what is made of the stamps of an ask, and told to who asks.
type toll struct {
	state     tollState
	bits      int // of work in each stamp that was paid
	challenge *stamp.Challenge
	receipt   *contact.Receipt
	payment   payment
}

// owes reports whether the ask is not to be taken.
func (t toll) owes() bool { return t.state != tollNone && t.state != tollPaid }

// tell adds what is to be told of t, when this became of the ask.
func (t toll) tell(out *frame, is contact.Admission) {
	out.Challenge, out.Receipt = t.challenge, t.receipt
	out.Later = is == contact.Postpone || t.challenge != nil || t.state == tollLater
	if is == contact.Postpone {
		out.Receipt = nil
	}
}

// payment names an ask whose stamps were taken.
type payment struct {
	asker contact.ODID
	ask   contact.Digest
}

// desk is where the stamps of strangers' asks are looked at.
type desk struct {
	work   stamp.Work
	mint   *stamp.Mint
	budget *stamp.Budget

	mu    sync.Mutex
	spent map[payment]time.Time // until when the stamps could be brought again

	good, bad, paid, challenged, later atomic.Uint64
}

func newDesk(work stamp.Work) *desk {
	return &desk{work: work, mint: stamp.NewMint(), budget: stamp.NewBudget(), spent: make(map[payment]time.Time)}
}

// isSpent reports whether the stamps of an ask were taken within their lifetime.
func (d *desk) isSpent(p payment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, ok := d.spent[p]
	return ok && time.Now().Before(until)
}

// spend notes that the stamps of an ask were taken. How many there are in memory is
// bounded by what the budget lets be examined within a lifetime.
func (d *desk) spend(p payment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for old, until := range d.spent {
		if !now.Before(until) {
			delete(d.spent, old)
		}
	}
	d.spent[p] = now.Add(stamp.Lifetime)
}

// giveBack has the stamps of an ask count as not spent: it found no place.
func (d *desk) giveBack(p payment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.spent, p)
}

// examine looks at stamps one by one. done is false if there was no time for it.
func (d *desk) examine(o stamp.Order, p payment, nonces []uint64) (state tollState, done bool) {
	done = d.budget.Spend(func() {
		if d.isSpent(p) { // on another stream, meanwhile
			state = tollHeld
			return
		}
		n, err := o.Examine(d.work, nonces)
		if err != nil {
			d.good.Add(uint64(n - 1))
			d.bad.Add(1)
			state = tollOwed
			return
		}
		d.good.Add(uint64(n))
		d.spend(p)
		state = tollPaid
	})
	return state, done
}

// toll says how it stands with the stamps of the ask in what peer said. It looks at
// them, which takes some milliseconds, outside of any transaction.
func (s *Service) toll(peer contact.ODID, h heard) (t toll, err error) {
	if h.mine == nil || h.mine.Ask == nil {
		return toll{state: tollNone}, nil
	}
	bits, listed := 0, false
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		listed = e.listed()
		c, _, err := crowds.Get(tx, crowdKey())
		bits = s.cfg.Policy().Difficulty(int(c.Strangers))
		return err
	})
	switch {
	case err != nil:
		return toll{}, err
	case bits == 0:
		return toll{state: tollNone}, nil
	case listed: // a contact owes none; should it be removed now, this ask is not taken
		return toll{}, nil
	}
	ask, err := h.mine.Ask.Digest()
	if err != nil {
		return toll{}, err
	}
	day := uint64(max(s.cfg.DB.Now().Unix(), 0)) / (24 * 60 * 60)
	today := s.cfg.Identity.Receipt(peer, ask, day)
	held := h.Receipt != nil
	if held {
		before := s.cfg.Identity.Receipt(peer, ask, day-1)
		held = hmac.Equal(h.Receipt[:], today[:]) || hmac.Equal(h.Receipt[:], before[:])
	}
	if held {
		today = *h.Receipt
	}
	return s.desk.judge(stamp.Order{Author: peer, Subject: s.self, Ask: ask}, h.Stamps, held, today, bits), nil
}

// judge is toll for a stranger that brings stamps, nil for none, or holds a receipt.
func (d *desk) judge(o stamp.Order, p *stamp.Proof, held bool, receipt contact.Receipt, bits int) toll {
	t := toll{payment: payment{o.Author, o.Ask}, receipt: &receipt}
	switch {
	case held, d.isSpent(t.payment):
		t.state = tollHeld
	case p != nil && d.mint.Opens(o.Author, *p) == nil:
		o.Challenge = p.Challenge
		state, done := d.examine(o, t.payment, p.Nonces)
		if t.state, t.bits = state, o.Challenge.Bits; !done {
			t.state = tollLater
		}
	}
	switch t.state {
	case tollPaid:
		d.paid.Add(1)
	case tollOwed:
		d.challenged.Add(1)
		c := d.mint.Challenge(o.Author, bits, contact.StampsOfAsk)
		t.challenge, t.receipt = &c, nil
	case tollLater:
		d.later.Add(1)
		t.receipt = nil
	}
	return t
}
