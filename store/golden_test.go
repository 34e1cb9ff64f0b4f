package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"contactsd/contact"
)

// A change of these lines is a change of what is on users' disks: it needs a
// migration, not another golden file.
func TestDiskFormat(t *testing.T) {
	db := openTest(t, filepath.Join(t.TempDir(), "store"), Options{JournalLimit: 2}, notes, NewTable[[]string]("list", 3))
	err := db.Update(func(tx *Tx) error {
		for n := range 3 {
			e := contact.Event{Type: contact.MessageState, At: int64(1000 + n), ID: "id", State: "sent", Detail: "d"}
			e.Contact[31] = byte(n)
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		return notes.Put(tx, Key([]byte("key"), Uint64(1)), note{Text: "text", N: 7})
	})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	err = db.bolt.View(func(b *bbolt.Tx) error {
		return b.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			fmt.Fprintf(&got, "%s sequence %d\n", name, bucket.Sequence())
			return bucket.ForEach(func(k, v []byte) error {
				fmt.Fprintf(&got, "  %x %x\n", k, v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "disk.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Fatalf("the disk format changed:\n%s\nwant:\n%s", got.String(), want)
	}
}

// A store that version 1 of the format wrote opens and holds what it held.
func TestOpensAStoreWrittenEarlier(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "format1.store"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openTest(t, path, Options{}, notes)
	if got := texts(t, db)["a"]; got != "written by format 1" {
		t.Fatalf("got %q", got)
	}
	wantEvents(t, db, 0, 10, 1, 1)
}
