package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// What a function in the model test does, in order.
type act struct {
	Key    string
	Text   string
	Delete bool
	Emit   bool
}

type plan struct {
	acts  []act
	fails bool
	panic bool
}

type model struct {
	db     *DB
	path   string
	rows   map[string]string
	events int
}

var errPlanned = errors.New("planned")

// TestStoreIsAMap compares the store with a map: random transactions, alone and
// at once, some of which fail halfway, with reopening between them.
func TestStoreIsAMap(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{path: filepath.Join(dir, fmt.Sprint(run)), rows: make(map[string]string)}
		m.open(rt)
		defer func() {
			m.db.Close()
			os.Remove(m.path)
		}()
		key := rapid.StringMatching(`[abc]{1,3}`)
		acts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) act {
			return act{key.Draw(rt, "key"), rapid.StringN(0, 40, -1).Draw(rt, "text"), rapid.Bool().Draw(rt, "delete"), rapid.Bool().Draw(rt, "emit")}
		}), 0, 6)
		plans := rapid.Custom(func(rt *rapid.T) plan {
			return plan{acts.Draw(rt, "acts"), rapid.IntRange(0, 3).Draw(rt, "fails") == 0, rapid.Bool().Draw(rt, "panic")}
		})
		rt.Repeat(map[string]func(*rapid.T){
			"one": func(rt *rapid.T) { m.run(rt, []plan{plans.Draw(rt, "plan")}) },
			"at once": func(rt *rapid.T) {
				m.run(rt, rapid.SliceOfN(plans, 2, 8).Draw(rt, "plans"))
			},
			"reopen": func(rt *rapid.T) {
				if err := m.db.Close(); err != nil {
					rt.Fatal(err)
				}
				m.open(rt)
			},
			"scan": func(rt *rapid.T) {
				m.scan(rt, Range{
					Prefix:  []byte(rapid.StringMatching(`[abc]{0,2}`).Draw(rt, "prefix")),
					From:    []byte(rapid.StringMatching(`[abc]{0,3}`).Draw(rt, "from")),
					Before:  []byte(rapid.StringMatching(`[abc]{0,3}`).Draw(rt, "before")),
					Reverse: rapid.Bool().Draw(rt, "reverse"),
				})
			},
			"": m.check,
		})
	})
}

func (m *model) open(rt *rapid.T) {
	var err error
	if m.db, err = Open(m.path, Options{NoSync: true}, notes); err != nil {
		rt.Fatal(err)
	}
}

// run runs the plans at once. Their order is the store's choice, so the model
// follows the order in which the last run of each took place.
func (m *model) run(rt *rapid.T, plans []plan) {
	var mu sync.Mutex
	var clock int
	order := make([]int, len(plans)) // when each ran last
	errs := make([]error, len(plans))
	called := make([]int, len(plans))
	var wg sync.WaitGroup
	for i, p := range plans {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = v.(error)
				}
			}()
			errs[i] = m.db.Update(func(tx *Tx) error {
				mu.Lock()
				clock++
				order[i] = clock
				mu.Unlock()
				tx.OnCommit(func() { called[i]++ })
				return p.do(tx)
			})
		})
	}
	wg.Wait()
	index := make([]int, len(plans))
	for i := range index {
		index[i] = i
	}
	slices.SortFunc(index, func(a, b int) int { return cmp.Compare(order[a], order[b]) })
	for _, i := range index {
		p := plans[i]
		if p.fails {
			if !errors.Is(errs[i], errPlanned) || called[i] != 0 {
				rt.Fatalf("plan %d: error %v, %d callbacks", i, errs[i], called[i])
			}
			continue
		}
		if errs[i] != nil || called[i] != 1 {
			rt.Fatalf("plan %d: error %v, %d callbacks", i, errs[i], called[i])
		}
		for _, a := range p.acts {
			if a.Emit {
				m.events++
			}
			if a.Delete {
				delete(m.rows, a.Key)
			} else {
				m.rows[a.Key] = a.Text
			}
		}
	}
}

func (p plan) do(tx *Tx) error {
	for _, a := range p.acts {
		var err error
		if a.Delete {
			err = notes.Delete(tx, []byte(a.Key))
		} else {
			err = notes.Put(tx, []byte(a.Key), note{Text: a.Text})
		}
		if a.Emit {
			err = errors.Join(err, tx.Emit(event(1)))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case p.fails && p.panic:
		panic(errPlanned)
	case p.fails:
		return errPlanned
	}
	return nil
}

func (m *model) check(rt *rapid.T) {
	m.scan(rt, Range{})
	if cursor, err := m.db.Cursor(); cursor != uint64(m.events) || err != nil {
		rt.Fatalf("cursor %d, error %v, want %d", cursor, err, m.events)
	}
	if events, err := m.db.Events(0, 1<<20); len(events) != m.events || err != nil {
		rt.Fatalf("%d events, error %v, want %d", len(events), err, m.events)
	}
}

func (m *model) scan(rt *rapid.T, r Range) {
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.rows)) {
		key := []byte(k)
		if bytes.HasPrefix(key, r.Prefix) && bytes.Compare(key, r.From) >= 0 && (len(r.Before) == 0 || bytes.Compare(key, r.Before) < 0) {
			want = append(want, k)
		}
	}
	if r.Reverse {
		slices.Reverse(want)
	}
	var got []string
	err := m.db.View(func(tx *Tx) error {
		for row, err := range notes.Scan(tx, r) {
			if err != nil {
				return err
			}
			got = append(got, string(row.Key))
			v, ok, err := notes.Get(tx, row.Key)
			if err != nil || !ok || v != row.Value || v.Text != m.rows[string(row.Key)] {
				rt.Fatalf("key %q: %v %v %v, want %q", row.Key, v, ok, err, m.rows[string(row.Key)])
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("%+v: got %q, want %q", r, got, want)
	}
}
