package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"contactsd/contact"
)

type note struct {
	Text string `cbor:"1,keyasint"`
	N    int    `cbor:"2,keyasint,omitempty"`
}

var (
	notes = NewTable[note]("note", 1)
	lists = NewTable[[]string]("list", 1)
)

func openTest(t testing.TB, path string, opt Options, defs ...Definition) *DB {
	t.Helper()
	db, err := Open(path, opt, defs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newTest(t testing.TB) *DB {
	t.Helper()
	return openTest(t, filepath.Join(t.TempDir(), "store"), Options{}, notes, lists)
}

func put(t testing.TB, db *DB, key, text string) {
	t.Helper()
	if err := db.Update(func(tx *Tx) error { return notes.Put(tx, []byte(key), note{Text: text}) }); err != nil {
		t.Fatal(err)
	}
}

// texts returns the whole table of notes.
func texts(t testing.TB, db *DB) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := db.View(func(tx *Tx) error {
		for row, err := range notes.Scan(tx, Range{}) {
			if err != nil {
				return err
			}
			all[string(row.Key)] = row.Value.Text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want one that wraps %q", got, want)
	}
}

// What it is for can't be seen short of a power cut.
func TestDiskIsSyncedUnlessToldOtherwise(t *testing.T) {
	for _, noSync := range []bool{false, true} {
		db := openTest(t, filepath.Join(t.TempDir(), "store"), Options{NoSync: noSync})
		if db.bolt.NoSync != noSync || db.bolt.NoGrowSync || db.bolt.NoFreelistSync {
			t.Errorf("NoSync %v: bbolt has %v", noSync, db.bolt.NoSync)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	openTest(t, path, Options{}, notes)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %o, want 600", info.Mode().Perm())
	}
}

func TestSecondOpenIsRefusedUntilTheFirstCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{}, notes)
	_, err := Open(path, Options{}, notes)
	wantError(t, err, ErrLocked)
	put(t, db, "a", "still mine")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, path, Options{}, notes)
	if got := texts(t, db)["a"]; got != "still mine" {
		t.Fatalf("got %q", got)
	}
}

func TestOpenRefusesBadDefinitions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	step := func(k, v []byte) ([]byte, []byte, error) { return k, v, nil }
	for name, defs := range map[string][]Definition{
		"same name":           {notes, NewTable[int]("note", 1)},
		"no name":             {NewTable[int]("", 1)},
		"long name":           {NewTable[int](string(bytes.Repeat([]byte("n"), maxTableName+1)), 1)},
		"version 0":           {NewTable[int]("n", 0)},
		"too many migrations": {NewTable[int]("n", 2, step, step)},
	} {
		if db, err := Open(path, Options{}, defs...); err == nil {
			db.Close()
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Open(path, Options{JournalLimit: -1}); err == nil {
		t.Error("negative journal limit: no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("refused definitions left a file: %v", err)
	}
}

func TestOpenOfNoStoreIsCorrupt(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign")
	b, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("other")); return err })
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	foreignBytes, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"text":                []byte("# not a store\n"),
		"zeros":               make([]byte, 1<<16),
		"one byte":            {0},
		"another bbolt":       foreignBytes,
		"bbolt's first pages": foreignBytes[:8192],
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, Options{}, notes)
			wantError(t, err, ErrCorrupt)
			if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
				t.Fatal("the refused file was changed")
			}
		})
	}
	_, err = Open(t.TempDir(), Options{}, notes)
	if err == nil || errors.Is(err, ErrCorrupt) {
		t.Fatalf("a folder: %v", err)
	}
}

func TestTruncatedFileIsCorrupt(t *testing.T) {
	whole := filledFile(t)
	for _, size := range []int{1, 4095, 4096, 8191, 8192, 12288, len(whole) / 2, len(whole) - 4096} {
		path := filepath.Join(t.TempDir(), "store")
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{}, notes, lists)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d of %d bytes: %v", size, len(whole), err)
		}
	}
}

// A file may also be cut while it is open; reading it then is a fault.
func TestFileCutUnderneathIsAnErrorNotACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, filledFile(t), 0o600); err != nil {
		t.Fatal(err)
	}
	db := openTest(t, path, Options{}, notes, lists)
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	wantError(t, db.View(func(tx *Tx) error { _, _, err := notes.Get(tx, []byte("key-0500")); return err }), ErrCorrupt)
	wantError(t, db.View(func(tx *Tx) error {
		for _, err := range notes.Scan(tx, Range{}) {
			if err != nil {
				return err
			}
		}
		return nil
	}), ErrCorrupt)
	err := db.Update(func(tx *Tx) error { return notes.Put(tx, []byte("key-0500"), note{}) })
	wantError(t, err, ErrCorrupt)
}

// filledFile returns a store with pages of every kind, as long as it claims to be.
func filledFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filled")
	db := openTest(t, path, Options{NoSync: true}, notes, lists)
	for i := range 4 {
		err := db.Update(func(tx *Tx) error {
			for n := range 250 {
				key := []byte("key-" + string(rune('0'+i)) + string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)}))
				if err := notes.Put(tx, key, note{Text: "some text of a usual length", N: n}); err != nil {
					return err
				}
				if err := tx.Emit(contact.Event{Type: contact.MessageQueued, At: int64(n), ID: "id"}); err != nil {
					return err
				}
			}
			return notes.Put(tx, []byte("long"), note{Text: string(make([]byte, 10_000))})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := db.view(func(b *bbolt.Tx) error { size = b.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file[:size]
}

func TestClosedStoreRefuses(t *testing.T) {
	db := newTest(t)
	var leaked *Tx
	if err := db.Update(func(tx *Tx) error { leaked = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	wantError(t, notes.Put(leaked, []byte("a"), note{}), ErrClosed)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	wantError(t, db.View(func(*Tx) error { return nil }), ErrClosed)
	wantError(t, db.Update(func(*Tx) error { return nil }), ErrClosed)
	_, err := db.Events(0, 1)
	wantError(t, err, ErrClosed)
}
