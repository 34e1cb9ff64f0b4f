package store

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

func TestReadingChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	_, err := Open(path, Options{ReadOnly: true}, notes, lists)
	wantError(t, err, fs.ErrNotExist)
	if _, err := os.Stat(path); err == nil {
		t.Fatal("reading made a store")
	}
	db := openTest(t, path, Options{}, notes, lists)
	put(t, db, "a", "one")
	emit(t, db, 1, 3)
	_, err = Open(path, Options{ReadOnly: true}, notes, lists)
	wantError(t, err, ErrLocked)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one := openTest(t, path, Options{ReadOnly: true}, notes, lists)
	other := openTest(t, path, Options{ReadOnly: true}, notes, lists)
	for _, db := range []*DB{one, other} {
		if got := texts(t, db); len(got) != 1 || got["a"] != "one" {
			t.Fatalf("read %v", got)
		}
		wantEvents(t, db, 0, 10, 1, 3)
		wantError(t, db.Update(func(tx *Tx) error { return notes.Put(tx, []byte("b"), note{}) }), ErrReadOnly)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Open(path, Options{ReadOnly: true}, notes, lists, NewTable[note]("newer", 1))
	wantError(t, err, ErrOlder)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Fatalf("the file was changed, %v", err)
	}
}

// What bbolt has written and not synced can be read, and a power cut takes it
// back. Here the event is committed behind the store's back, so it never is synced.
func TestEventsTellOfNothingThatPowerCanTakeBack(t *testing.T) {
	db := newTest(t)
	emit(t, db, 1, 2)
	data, err := encode(event(3))
	if err != nil {
		t.Fatal(err)
	}
	err = db.bolt.Update(func(b *bbolt.Tx) error {
		journal := b.Bucket([]byte(journalBucket))
		cursor, err := journal.NextSequence()
		if err != nil {
			return err
		}
		return journal.Put(Uint64(cursor), data)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, db, 0, 10, 1, 2)
	wantEvents(t, db, 2, 10, 3, 2)
	if cursor, err := db.Cursor(); cursor != 2 || err != nil {
		t.Fatalf("cursor %d, %v", cursor, err)
	}
	emit(t, db, 4, 4)
	wantEvents(t, db, 0, 10, 1, 4)
}

// A store is made whole or not at all, so one that is empty has lost everything,
// and beginning anew in its place would hide that.
func TestEmptyFileIsADamagedStore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, Options{}, notes)
	wantError(t, err, ErrCorrupt)
	_, err = Check(path, notes)
	wantError(t, err, ErrCorrupt)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// What is left of a store whose making was cut off is in nobody's way.
	if err := os.WriteFile(path+".new", []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openTest(t, path, Options{}, notes).Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
}
