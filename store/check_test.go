package store

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func checkFile(t *testing.T, file []byte, defs ...Definition) (Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Check(path, defs...)
	if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, file) {
		t.Fatalf("the file was changed, %v", readErr)
	}
	return r, err
}

func stateOf(t *testing.T, r Report, name string) State {
	t.Helper()
	for _, s := range r.Tables {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no table %q in %+v", name, r)
	return State{}
}

func TestCheckOfAWholeStoreCountsIt(t *testing.T) {
	db := newTest(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, db, key, "text")
	}
	emit(t, db, 1, 5)
	path := db.bolt.Path()
	_, err := Check(path, notes, lists)
	wantError(t, err, ErrLocked)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(path, notes, lists)
	if err != nil || len(r.Damage) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n, j := stateOf(t, r, notes.spec.name), stateOf(t, r, "journal"); n.Rows != 3 || n.Version != notes.spec.version || j.Rows != 5 {
		t.Fatalf("%+v", r)
	}
	// A program that knows fewer tables can't judge what is in the others.
	r, err = Check(path, lists)
	if n := stateOf(t, r, notes.spec.name); err != nil || len(r.Damage) > 0 || n.Rows != 3 || n.Version != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = Check(filepath.Join(t.TempDir(), "none"), notes)
	wantError(t, err, fs.ErrNotExist)
}

// fullLeaf returns a page of rows: those of the list of tables are fewer.
func fullLeaf(t *testing.T, file []byte) []byte {
	t.Helper()
	for n, used := range usedPages(t, file) {
		p := file[n*testPage : (n+1)*testPage]
		if used && n >= firstPage && binary.NativeEndian.Uint16(p[8:]) == leafPage && binary.NativeEndian.Uint16(p[10:]) > 10 {
			return p
		}
	}
	t.Fatal("no page full of rows")
	return nil
}

func TestCheckSaysWhatIsDamagedAndWhatIsWhole(t *testing.T) {
	whole := filledFile(t)
	before, err := checkFile(t, whole, notes, lists)
	if err != nil || len(before.Damage) > 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	rows := stateOf(t, before, notes.spec.name).Rows
	leaf := bytes.Clone(whole)
	binary.NativeEndian.PutUint32(fullLeaf(t, leaf)[pageHeader+12:], 1<<30)
	r, err := checkFile(t, leaf, notes, lists)
	if err != nil || len(r.Damage) == 0 {
		t.Fatalf("a leaf is lost: %+v, %v", r, err)
	}
	if got := stateOf(t, r, notes.spec.name).Rows + stateOf(t, r, "journal").Rows; got == 0 || got >= rows+stateOf(t, before, "journal").Rows {
		t.Fatalf("of %+v are left %+v", before, r)
	}

	r, err = checkFile(t, whole[:len(whole)/2/testPage*testPage], notes, lists)
	if err == nil && (len(r.Damage) == 0 || !strings.Contains(r.Damage[0].What, "cut short")) {
		t.Fatalf("half of the file is gone: %+v", r)
	}

	_, err = checkFile(t, whole[:100], notes, lists)
	wantError(t, err, ErrCorrupt)
	_, err = checkFile(t, bytes.Repeat([]byte("no store "), 5000), notes, lists)
	wantError(t, err, ErrCorrupt)
}

func TestCheckFindsRecordsThatCanNotBeRead(t *testing.T) {
	db := newTest(t)
	put(t, db, "good", "text")
	put(t, db, "bad", "text")
	emit(t, db, 1, 4)
	err := db.bolt.Update(func(b *bbolt.Tx) error {
		if err := b.Bucket([]byte(journalBucket)).Delete(Uint64(2)); err != nil {
			return err
		}
		return b.Bucket([]byte(notes.spec.bucket)).Put([]byte("bad"), []byte{0xff})
	})
	if err != nil {
		t.Fatal(err)
	}
	path := db.bolt.Path()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(path, notes, lists)
	if err != nil || len(r.Damage) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := stateOf(t, r, notes.spec.name); s.Rows != 1 || s.Damaged != 1 {
		t.Fatalf("%+v", s)
	}
	text := r.Damage[0].String() + r.Damage[1].String()
	if !strings.Contains(text, "key 626164") || !strings.Contains(text, "3 events from 1 to 4") {
		t.Fatalf("%q", text)
	}
}
