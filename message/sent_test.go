package message

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// ledger is the index of what was sent as a plain list.
type ledger struct {
	list  []sent // in the order of positions
	order uint64 // of the newest message
}

func (m *ledger) at(p position) (order uint64, found bool) {
	for _, s := range m.list {
		if s.position == p {
			return s.order, true
		}
	}
	return 0, false
}

func (m *ledger) after(p position) (list []sent) {
	for _, s := range m.list {
		if s.compare(p) > 0 {
			list = append(list, s)
		}
	}
	return list
}

func TestRunsAreAListOfNumbers(t *testing.T) {
	dir := t.TempDir()
	peer, count := contact.ODID{31: 7}, 0
	rapid.Check(t, func(rt *rapid.T) {
		count++
		db, err := store.Open(filepath.Join(dir, fmt.Sprint(count)), store.Options{NoSync: true}, Tables()...)
		if err != nil {
			rt.Fatal(err)
		}
		defer db.Close()
		m := &ledger{}
		do := func(f func(*store.Tx, *account) error) {
			if err := db.Update(func(tx *store.Tx) error {
				a, err := getAccount(tx, peer)
				if err != nil {
					return err
				}
				return f(tx, a)
			}); err != nil {
				rt.Fatal(err)
			}
		}
		do(func(_ *store.Tx, a *account) error { a.Epoch = testEpoch(1); return nil })
		epochs := byte(1)
		number := func(tx *store.Tx, a *account) error {
			m.order += rapid.SampledFrom([]uint64{1, 1, 1, 2, 5}).Draw(rt, "gap")
			p, err := a.number(tx, m.order)
			m.list = append(m.list, sent{p, m.order})
			return err
		}
		rt.Repeat(map[string]func(*rapid.T){
			"number": func(rt *rapid.T) { do(number) },
			"number many": func(rt *rapid.T) {
				do(func(tx *store.Tx, a *account) error {
					for range rapid.IntRange(1, 20).Draw(rt, "n") {
						if err := number(tx, a); err != nil {
							return err
						}
					}
					return nil
				})
			},
			"new epoch": func(rt *rapid.T) {
				do(func(tx *store.Tx, a *account) error {
					keep := rapid.Uint64Range(0, a.Last).Draw(rt, "kept")
					if err := a.takeBack(tx, keep+1); err != nil {
						return err
					}
					m.list = slices.DeleteFunc(m.list, func(s sent) bool { return s.epoch == a.Epoch && s.seq > keep })
					epochs++
					a.Epoch, a.Last, a.RunSeq, a.RunOrder = testEpoch(epochs), 0, 0, 0
					return nil
				})
			},
			"": func(rt *rapid.T) {
				p := position{testEpoch(rapid.ByteRange(1, epochs).Draw(rt, "epoch")), rapid.Uint64Range(0, 40).Draw(rt, "seq")}
				limit := rapid.IntRange(1, 50).Draw(rt, "limit")
				do(func(tx *store.Tx, a *account) error {
					order, found, err := a.numberedAt(tx, p)
					if o, f := m.at(p); o != order || f != found || err != nil {
						rt.Fatalf("%v is %d, %t, %v; want %d, %t", p.seq, order, found, err, o, f)
					}
					list, more, err := a.after(tx, p, limit)
					want := m.after(p)
					if len(want) > limit != more || err != nil || !slices.Equal(list, want[:min(len(want), limit)]) {
						rt.Fatalf("after %d: %v, more %t, %v; want %v", p.seq, list, more, err, want)
					}
					return nil
				})
			},
		})
	})
}

func TestNumbersOfVersion1BecomeRuns(t *testing.T) {
	old, err := codec.Marshal(uint64(258))
	if err != nil {
		t.Fatal(err)
	}
	key := sentKey(contact.ODID{31: 7}, position{testEpoch(1), 3})
	newKey, value, err := migrateSent(key, old)
	var r run
	if err == nil {
		err = codec.Unmarshal(value, &r)
	}
	if err != nil || !slices.Equal(newKey, key) || r != (run{Order: 258, Count: 1}) {
		t.Fatalf("%x, %+v, %v", newKey, r, err)
	}
	if _, _, err := migrateSent(key, []byte{0xff}); err == nil {
		t.Fatal("nonsense was migrated")
	}
}
