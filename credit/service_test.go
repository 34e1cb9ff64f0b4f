package credit

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// TestGoldenBytes holds the formats of the disk: a change here needs a migration.
func TestGoldenBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"charge", entry{At: 5, Act: contact.ActAsk, Peer: contact.ODID{1}, Cost: 3, Since: 4, Spent: 7, Prev: hash{9}},
			"a7" + "0105" + "0201" + "03582001" + strings.Repeat("00", 31) + "0403" + "0504" + "0607" + "07582009" + strings.Repeat("00", 31)},
		{"head", head{Last: 300, Hash: hash{9}}, "a2" + "0119012c" + "02582009" + strings.Repeat("00", 31)},
	} {
		b, err := codec.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s: encoded as %s, want %s", tt.name, got, tt.want)
		}
	}
}

// purse is a service on a store of its own, with a clock.
type purse struct {
	*Service
	t      testing.TB
	path   string
	db     *store.DB
	now    time.Time
	paired int
}

func newPurse(t testing.TB) *purse {
	t.Helper()
	p := &purse{t: t, path: filepath.Join(t.TempDir(), "store"), now: time.UnixMilli(1_700_000_000_000)}
	p.open()
	t.Cleanup(func() { p.db.Close() })
	return p
}

func (p *purse) open() {
	p.t.Helper()
	var err error
	if p.db, err = store.Open(p.path, store.Options{NoSync: true, Clock: func() time.Time { return p.now }}, Tables()...); err != nil {
		p.t.Fatal(err)
	}
	if p.Service, err = New(Config{DB: p.db, Paired: func(*store.Tx) (int, error) { return p.paired, nil }}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *purse) reopen() {
	p.t.Helper()
	if err := p.db.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.open()
}

func (p *purse) charge(a contact.Act) error {
	return p.db.Update(func(tx *store.Tx) error { return p.Charge(tx, a, contact.ODID{7}) })
}

func (p *purse) balance() Balance {
	p.t.Helper()
	b, err := p.Balance()
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *purse) damage() (d store.Damages) {
	p.t.Helper()
	if err := p.db.View(func(tx *store.Tx) error { return Check(tx, &d) }); err != nil {
		p.t.Fatal(err)
	}
	return d
}

func TestChargesAreDurableAndComeBack(t *testing.T) {
	p := newPurse(t)
	if b := p.balance(); b.Left != 30 || b.Standing != contact.StandingNew || !b.Refill.IsZero() {
		t.Errorf("at first %+v", b)
	}
	for range 10 {
		if err := p.charge(contact.ActAsk); err != nil {
			t.Fatal(err)
		}
	}
	p.reopen()
	var short *contact.CreditError
	if err := p.charge(contact.ActAsk); !errors.As(err, &short) || short.Left != 0 || !short.Refill.Equal(p.now.Add(24*time.Hour)) {
		t.Errorf("the eleventh ask: %v", err)
	}
	if err := p.charge(contact.ActRemove); err != nil {
		t.Errorf("a removal: %v", err)
	}
	p.paired = 1
	if b := p.balance(); b.Left != 60 || b.Daily != 90 || b.Standing != contact.StandingKnown {
		t.Errorf("with a paired contact %+v", b)
	}
	p.now = p.now.Add(24 * time.Hour)
	if b := p.balance(); b.Left != 90 || !b.Refill.IsZero() {
		t.Errorf("a day later %+v", b)
	}
	list, err := p.Charges(0, 3)
	if err != nil || len(list) != 3 || list[0].Number != 10 || list[2].Number != 8 || list[0].Cost != 3 || list[0].Act != contact.ActAsk {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err = p.Charges(8, 100); err != nil || len(list) != 7 || list[0].Number != 7 {
		t.Errorf("before 8: %+v, %v", list, err)
	}
}

// TestChargeIsPartOfTheAct: what fails after the charge costs nothing.
func TestChargeIsPartOfTheAct(t *testing.T) {
	p := newPurse(t)
	failed := errors.New("failed")
	err := p.db.Update(func(tx *store.Tx) error {
		if err := p.Charge(tx, contact.ActAsk, contact.ODID{7}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if b := p.balance(); b.Left != 30 {
		t.Errorf("%d are left", b.Left)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	p := newPurse(t)
	p.paired = 20
	for range 3 {
		for range 400 {
			if err := p.charge(contact.ActBlock); err != nil {
				t.Fatal(err)
			}
		}
		p.now = p.now.Add(24 * time.Hour)
	}
	list, err := p.Charges(0, 10*maxEntries)
	if err != nil || len(list) != maxEntries || list[0].Number != 1200 {
		t.Errorf("%d charges, %v", len(list), err)
	}
	if d := p.damage(); len(d) > 0 {
		t.Error(d)
	}
}

// TestChangedLedgerIsRefusedInWords changes one row each: an ask says so, a block
// goes through, and the check of a store finds it.
func TestChangedLedgerIsRefusedInWords(t *testing.T) {
	change := func(n uint64, f func(*entry)) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			e, _, err := ledger.Get(tx, entryKey(n))
			if err != nil {
				return err
			}
			f(&e)
			return ledger.Put(tx, entryKey(n), e)
		}
	}
	for name, tt := range map[string]struct {
		change  func(*store.Tx) error
		refused bool // at once: the newest charge is what a balance is made of
	}{
		"cheaper":          {change(3, func(e *entry) { e.Cost, e.Spent = 1, 7 }), true},
		"another day":      {change(3, func(e *entry) { e.Since = 0 }), true},
		"another device":   {change(2, func(e *entry) { e.Peer[0]++ }), false},
		"gone":             {func(tx *store.Tx) error { return ledger.Delete(tx, entryKey(2)) }, false},
		"the newest gone":  {func(tx *store.Tx) error { return ledger.Delete(tx, entryKey(3)) }, true},
		"the head gone":    {func(tx *store.Tx) error { return heads.Delete(tx, headKey()) }, false},
		"an older head":    {func(tx *store.Tx) error { return heads.Put(tx, headKey(), head{Last: 2}) }, true},
		"one without cost": {change(1, func(e *entry) { e.Cost = 0 }), false},
		"a short key":      {func(tx *store.Tx) error { return ledger.Put(tx, []byte{1}, entry{Act: contact.ActAsk}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPurse(t)
			for range 3 {
				if err := p.charge(contact.ActAsk); err != nil {
					t.Fatal(err)
				}
			}
			if d := p.damage(); len(d) > 0 {
				t.Fatal(d)
			}
			if err := p.db.Update(tt.change); err != nil {
				t.Fatal(err)
			}
			if d := p.damage(); len(d) == 0 {
				t.Error("the check finds nothing")
			}
			if !tt.refused {
				return
			}
			err := p.charge(contact.ActAsk)
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "ledger of credits") {
				t.Errorf("an ask: %v", err)
			}
			if err := p.charge(contact.ActBlock); err != nil {
				t.Errorf("a block: %v", err)
			}
			if _, err := p.Balance(); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("the balance: %v", err)
			}
		})
	}
}

// TestLedgerUnderJumps: with a clock that jumps and a device that is started again,
// the ledger is whole, and no day that it shows costs more than it gives.
func TestLedgerUnderJumps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPurse(t)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				p.now = p.now.Add(time.Duration(rapid.IntRange(-26, 26).Draw(rt, "hours")) * time.Hour)
			case 1:
				p.reopen()
			default:
				left := p.balance().Left
				a := rapid.SampledFrom(contact.Acts()).Draw(rt, "act")
				err := p.charge(a)
				var short *contact.CreditError
				if err != nil && (!errors.As(err, &short) || left >= a.Price()) {
					rt.Fatalf("%v with %d left: %v", a, left, err)
				}
				if b := p.balance(); err == nil && b.Left != max(left-a.Price(), 0) || err != nil && b.Left != left {
					rt.Fatalf("%v: %d left, were %d", a, b.Left, left)
				}
			}
		}
		if d := p.damage(); len(d) > 0 {
			rt.Fatal(d)
		}
		p.db.Close()
	})
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made of nothing")
	}
}
