package relation_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/store"
)

// paired returns how many paired contacts d counts.
func (d *device) paired() (n int) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		n, err = d.Paired(tx)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// till stands for the ledger: it notes what was charged, and refuses on demand.
type till struct {
	mu    sync.Mutex
	acts  []contact.Act
	empty bool
}

func (c *till) charge(tx *store.Tx, a contact.Act, _ contact.ODID) error {
	if c.empty && a.Waits() {
		return &contact.CreditError{Act: a, Price: a.Price()}
	}
	tx.OnCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.acts = append(c.acts, a)
	})
	return nil
}

// charged fails the test unless just these acts were charged since the last call.
func (d *device) charged(want ...contact.Act) {
	d.t.Helper()
	d.till.mu.Lock()
	defer d.till.mu.Unlock()
	got := d.till.acts
	d.till.acts = nil
	if len(got) != len(want) {
		d.t.Errorf("charged %v, want %v", got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			d.t.Errorf("charged %v, want %v", got, want)
		}
	}
}

// TestWhatIsCharged: an ask is, as one of a stranger or of a contact; what is free
// costs nothing.
func TestWhatIsCharged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(c, relation.AddOptions{})
		a.charged()
		a.asks(b, "May I?", 0)
		a.charged(contact.ActAsk)
		a.asks(b, "May I?", 0) // the same again
		a.charged()
		a.asks(b, "Please?", 0)
		a.charged(contact.ActAsk)
		settle()
		b.answer(a, relation.Accept, 0)
		settle()
		b.charged()
		a.asksMore(b, "Call?", contact.Audio)
		a.charged(contact.ActWiden)
		if err := a.Cancel(b.odid()); err != nil {
			t.Fatal(err)
		}
		a.charged()
		if err := a.Narrow(b.odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		a.charged(contact.ActNarrow)
		a.commit(b, pairOne, 0)
		b.commit(a, pairOne, 0)
		settle()
		a.asksMore(b, "Video?", contact.Video)
		a.charged() // the two are paired
		a.remove(b, false)
		if err := a.Block(c.odid()); err != nil {
			t.Fatal(err)
		}
		a.charged(contact.ActRemove, contact.ActBlock)
	})
}

// TestAskThatWaitsForCreditsChangesNothing, and what withdraws consent goes on.
func TestAskThatWaitsForCreditsChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(c, relation.AddOptions{})
		a.till.empty = true
		before, err := a.db.Cursor()
		if err != nil {
			t.Fatal(err)
		}
		var short *contact.CreditError
		if _, _, err := a.Add(b.odid(), relation.AddOptions{Wording: "May I?"}); !errors.As(err, &short) {
			t.Errorf("an ask: %v", err)
		}
		if _, err := a.Ask(c.odid(), relation.AskOptions{Wording: "More?", Permissions: contact.Audio}); !errors.As(err, &short) {
			t.Errorf("another ask: %v", err)
		}
		errs, err := a.AddAll([]relation.Addition{
			{Peer: b.odid(), AddOptions: relation.AddOptions{Wording: "May I?"}},
			{Peer: w.device('d').odid()},
		})
		if err != nil || !errors.As(errs[0], &short) || errs[1] != nil {
			t.Errorf("in a batch: %v, %v", errs, err)
		}
		if after, err := a.db.Cursor(); err != nil || after != before+1 {
			t.Errorf("journal from %d to %d, %v", before, after, err)
		}
		if _, err := a.Get(b.odid()); !errors.Is(err, relation.ErrNotFound) {
			t.Errorf("added all the same: %v", err)
		}
		a.remove(c, false)
		if err := a.Block(b.odid()); err != nil {
			t.Error(err)
		}
	})
}

// TestPairedContactsAreCounted, also after one is left, restored, or parted by the
// other side; devices check their counts as they stop.
func TestPairedContactsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := friends(w)
		if a.paired() != 1 || b.paired() != 1 {
			t.Errorf("%d and %d are paired", a.paired(), b.paired())
		}
		old := b.copy()
		a.remove(b, true)
		settle()
		if a.paired() != 0 || b.paired() != 0 {
			t.Errorf("%d and %d are paired after they parted", a.paired(), b.paired())
		}
		b.restore(old)
		settle()
		time.Sleep(24 * time.Hour)
		settle()
		if a.paired() != 0 || b.paired() != 0 {
			t.Errorf("%d and %d are paired after a backup came back", a.paired(), b.paired())
		}
	})
}

// TestUntrustedContactsAreCapped: neither an add nor an accepted request goes beyond
// what the standing allows; a pairing does, and counts for nothing.
func TestUntrustedContactsAreCapped(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c, d, e := w.device('a'), w.device('b'), w.device('c'), w.device('d'), w.device('e')
		a.decides(func(p *contact.Policy) { p.MaxUntrusted = 1 })
		a.add(b, relation.AddOptions{})
		var limit *contact.LimitError
		if _, _, err := a.Add(c.odid(), relation.AddOptions{}); !errors.As(err, &limit) || limit.Limit != 1 || limit.Got != 2 {
			t.Errorf("one more: %v", err)
		}
		d.asks(a, "May I?", 0)
		e.asks(a, "May I?", 0)
		settle()
		for _, o := range []*device{d, e} {
			if _, failed, err := a.Answer([]string{o.odid().String()}, false, relation.Answer{Response: relation.Accept}); err != nil || !errors.As(failed[0], &limit) {
				t.Errorf("accepted: %v, %v", failed, err)
			}
		}
		a.commit(b, pairOne, 0)
		b.commit(a, pairOne, 0)
		settle()
		if n, most, err := a.Untrusted(); n != 0 || most != 1 || err != nil {
			t.Errorf("%d of %d, %v", n, most, err)
		}
		a.answer(d, relation.Accept, 0)
		a.decides(func(p *contact.Policy) { p.MaxUntrusted, p.Requests = 1, contact.RequestsAny })
		c.asks(a, "May I?", 0)
		settle()
		a.is(c, contact.StatusPending, contact.Untrusted)
		a.is(d, contact.StatusAccepted, contact.Untrusted)
	})
}
