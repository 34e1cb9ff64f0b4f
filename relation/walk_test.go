package relation_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/store"
)

// A walk meets each device once, wherever it begins: on it, between two, before the
// first or behind the last.
func TestWalkGoesAround(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 64} {
		db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{}, relation.Tables()...)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		all := make([]contact.ODID, n)
		for i := range all {
			all[i] = contact.ODID{byte(2*i + 1)}
		}
		relation.PutPlaces(t, db, all)
		rapid.Check(t, func(t *rapid.T) {
			began := contact.ODID{byte(rapid.IntRange(0, 2*n+1).Draw(t, "began"))}
			limit := rapid.IntRange(1, n+2).Draw(t, "limit")
			first := slices.IndexFunc(all, func(o contact.ODID) bool { return bytes.Compare(o[:], began[:]) >= 0 })
			want := all
			if first > 0 {
				want = slices.Concat(all[first:], all[:first])
			}
			parts, err := relation.Walk(db, began, limit)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Concat(parts...); !slices.Equal(got, want) {
				t.Fatalf("began at %x: %x, want %x", began[0], got, want)
			}
			for i, part := range parts {
				if len(part) > limit || i < len(parts)-1 && len(part) < limit {
					t.Fatalf("part %d of %d has %d devices of at most %d", i+1, len(parts), len(part), limit)
				}
			}
		})
	}
}

// Each start begins with other contacts: those that are dialled first by everybody
// would have no room.
func TestEachStartDialsOthersFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		var others []contact.ODID
		for i := range 200 {
			id, err := identity.FromSeed([32]byte{'y', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			w.net.Cut(a.odid(), id.Self())
			if _, _, err := a.Add(id.Self(), relation.AddOptions{}); err != nil {
				t.Fatal(err)
			}
			others = append(others, id.Self())
		}
		firsts := make(map[contact.ODID]bool)
		for range 5 {
			a.halt()
			a.start()
			time.Sleep(time.Second)
			for _, o := range others {
				outlook, err := a.Outlook(o)
				if err != nil {
					t.Fatal(err)
				}
				if outlook.Trying {
					firsts[o] = true
				}
			}
		}
		if len(firsts) <= 8 {
			t.Errorf("%d contacts were dialled first in five starts, want more than at one time", len(firsts))
		}
	})
}
