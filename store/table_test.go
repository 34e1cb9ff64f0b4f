package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestPutGetDelete(t *testing.T) {
	db := newTest(t)
	err := db.Update(func(tx *Tx) error {
		key := Key([]byte("a"), Uint64(7))
		if err := notes.Put(tx, key, note{Text: "one", N: 1}); err != nil {
			return err
		}
		if v, ok, err := notes.Get(tx, key); err != nil || !ok || v != (note{"one", 1}) {
			t.Errorf("get within the transaction: %v %v %v", v, ok, err)
		}
		if _, ok, err := lists.Get(tx, key); ok || err != nil {
			t.Errorf("the other table has it too: %v %v", ok, err)
		}
		if err := notes.Delete(tx, key); err != nil {
			return err
		}
		if _, ok, err := notes.Get(tx, key); ok || err != nil {
			t.Errorf("still there after delete: %v %v", ok, err)
		}
		return notes.Delete(tx, []byte("never there"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLimitsAndMisuseAreErrors(t *testing.T) {
	db := newTest(t)
	unregistered := NewTable[note]("unregistered", 1)
	long := bytes.Repeat([]byte("k"), MaxKeySize)
	err := db.Update(func(tx *Tx) error {
		if err := notes.Put(tx, long, note{}); err != nil {
			t.Errorf("longest key: %v", err)
		}
		for name, err := range map[string]error{
			"empty key":    notes.Put(tx, nil, note{}),
			"long key":     notes.Put(tx, append(long, 'k'), note{}),
			"no UTF-8":     notes.Put(tx, []byte("a"), note{Text: "\xff"}),
			"long array":   lists.Put(tx, []byte("a"), make([]string, 1<<15)),
			"long record":  notes.Put(tx, []byte("a"), note{Text: strings.Repeat("x", MaxRecordSize)}),
			"unregistered": unregistered.Put(tx, []byte("a"), note{}),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("refused before anything was written, and yet: %v", err)
	}
	err = db.View(func(tx *Tx) error {
		wantError(t, notes.Put(tx, []byte("a"), note{}), ErrReadOnly)
		wantError(t, notes.Delete(tx, []byte("a")), ErrReadOnly)
		for _, err := range unregistered.Scan(tx, Range{}) {
			if err == nil {
				t.Error("scan of an unregistered table: no error")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsNameTableAndKey(t *testing.T) {
	db := newTest(t)
	err := db.bolt.Update(func(b *bbolt.Tx) error {
		return b.Bucket([]byte("table/note")).Put([]byte("0123456789"), []byte{0xff})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *Tx) error { _, _, err := notes.Get(tx, []byte("0123456789")); return err })
	wantError(t, err, ErrCorrupt)
	if want := `table "note", key 3031323334353637… (10 bytes): `; !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("got %q, want it to begin with %q", err, want)
	}
	err = db.View(func(tx *Tx) error {
		for _, err := range notes.Scan(tx, Range{}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	wantError(t, err, ErrCorrupt)
}

func TestScanSelectsByPrefixBoundsAndDirection(t *testing.T) {
	db := newTest(t)
	for _, k := range []string{"a", "a1", "a2", "b", "b1", "b\xff", "b\xff\xff", "c", "\xff", "\xff\xff"} {
		put(t, db, k, fmt.Sprintf("%x", k))
	}
	for _, c := range []struct {
		r    Range
		want string
	}{
		{Range{}, "a a1 a2 b b1 b\xff b\xff\xff c \xff \xff\xff"},
		{Range{Prefix: []byte("b")}, "b b1 b\xff b\xff\xff"},
		{Range{Prefix: []byte("b\xff")}, "b\xff b\xff\xff"},
		{Range{Prefix: []byte("\xff")}, "\xff \xff\xff"},
		{Range{Prefix: []byte("x")}, ""},
		{Range{From: []byte("a2"), Before: []byte("b1")}, "a2 b"},
		{Range{From: []byte("a11"), Before: []byte("a3")}, "a2"},
		{Range{From: []byte("b"), Before: []byte("b")}, ""},
		{Range{From: []byte("c"), Before: []byte("a")}, ""},
		{Range{Prefix: []byte("a"), From: []byte("a1")}, "a1 a2"},
		{Range{Prefix: []byte("a"), Before: []byte("a2")}, "a a1"},
		{Range{Prefix: []byte("a"), From: []byte("0"), Before: []byte("z")}, "a a1 a2"},
	} {
		want := strings.Fields(c.want)
		for _, c.r.Reverse = range []bool{false, true} {
			var got []string
			err := db.View(func(tx *Tx) error {
				for row, err := range notes.Scan(tx, c.r) {
					if err != nil {
						return err
					}
					if row.Value.Text != fmt.Sprintf("%x", row.Key) {
						t.Errorf("key %q has %q", row.Key, row.Value.Text)
					}
					got = append(got, string(row.Key))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q from %q before %q reverse %v: got %q, want %q", c.r.Prefix, c.r.From, c.r.Before, c.r.Reverse, got, want)
			}
			slices.Reverse(want)
		}
	}
}

func TestScanStopsWhenToldAndNoticesWrites(t *testing.T) {
	db := newTest(t)
	put(t, db, "a", "1")
	put(t, db, "b", "2")
	stop := errors.New("stop")
	err := db.Update(func(tx *Tx) error {
		n := 0
		for range notes.Scan(tx, Range{}) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("went on after break: %d", n)
		}
		for row, err := range notes.Scan(tx, Range{}) {
			if err != nil {
				return stop
			}
			if err := notes.Delete(tx, row.Key); err != nil {
				return err
			}
		}
		return nil
	})
	wantError(t, err, stop)
	if len(texts(t, db)) != 2 {
		t.Fatal("the failed transaction left something behind")
	}
}
