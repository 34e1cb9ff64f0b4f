package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// logging is options of a store that has a log from its first commits on.
func logging() Options { return Options{tuning: tuning{withoutWAL: 1}} }

// unclosed returns copies of a store's files that hold so many notes, as a process
// leaves them that is killed.
func unclosed(t *testing.T, many int) (path string) {
	t.Helper()
	dir := t.TempDir()
	db := openTest(t, filepath.Join(dir, "running"), logging(), notes)
	for n := range many {
		put(t, db, fmt.Sprint(n), fmt.Sprint(n))
	}
	path = filepath.Join(dir, "store")
	if err := Copy(db.path, path); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func hasLog(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path + walSuffix)
	return err == nil
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func wantNotes(t *testing.T, path string, opt Options, many int) {
	t.Helper()
	db := openTest(t, path, opt, notes)
	defer db.Close()
	if got := len(texts(t, db)); got != many {
		t.Fatalf("%d notes, want %d", got, many)
	}
}

func TestClosedStoreIsOneFileThatNeedsNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, logging(), notes)
	for n := range 10 {
		put(t, db, fmt.Sprint(n), "text")
	}
	if !hasLog(t, path) || !db.unsettled() {
		t.Fatal("nothing is in a log")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if hasLog(t, path) {
		t.Fatal("the log is still there")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := newestMeta(file)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := readMark(file, m); err != nil || found != (mark{}) {
		t.Fatalf("%v, %v", found, err)
	}
	wantNotes(t, path, Options{}, 10)
}

func TestStoreThatWritesLittleHasNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{}, notes)
	for n := range withoutWAL - 1 {
		put(t, db, fmt.Sprint(n), "text")
	}
	if hasLog(t, path) {
		t.Fatal("there is a log")
	}
	put(t, db, "another", "text")
	put(t, db, "and one", "text")
	if !hasLog(t, path) {
		t.Fatal("there is no log")
	}
}

// A reader changes nothing, and sees what was acknowledged.
func TestUnclosedStoreIsReadAsItWillBe(t *testing.T) {
	path := unclosed(t, 30)
	wantNotes(t, path, Options{ReadOnly: true}, 30)
	r, err := Check(path, notes)
	if err != nil || len(r.Damage) > 0 || stateOf(t, r, "note").Rows != 30 {
		t.Fatalf("%+v, %v", r, err)
	}
	if !hasLog(t, path) {
		t.Fatal("the log is gone")
	}
	one := openTest(t, path, Options{ReadOnly: true}, notes)
	_, err = Open(path, Options{}, notes)
	wantError(t, err, ErrLocked)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, path, Options{}, 30)
	if hasLog(t, path) {
		t.Fatal("the log is still there")
	}
}

// Either file may be of another time.
func TestFilesThatDoNotBelongTogether(t *testing.T) {
	refused := func(t *testing.T, path string) {
		t.Helper()
		before, _ := os.ReadFile(path)
		for _, opt := range []Options{{}, {ReadOnly: true}} {
			_, err := Open(path, opt, notes)
			if wantError(t, err, ErrCorrupt); !strings.Contains(err.Error(), "put back both files") {
				t.Fatalf("no hint in %v", err)
			}
		}
		r, err := Check(path, notes)
		if err == nil && len(r.Damage) == 0 {
			t.Fatal("called whole")
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Fatal("the refused file was changed")
		}
	}
	// later continues an unclosed store by some notes, and leaves it unclosed again.
	later := func(t *testing.T, path string, many int) (copied string) {
		t.Helper()
		copied = filepath.Join(t.TempDir(), "later")
		if err := Copy(path, copied); err != nil {
			t.Fatal(err)
		}
		db := openTest(t, copied, logging(), notes)
		for n := range many {
			put(t, db, fmt.Sprint("later", n), "text")
		}
		end := copied + "-end"
		if err := Copy(copied, end); err != nil {
			t.Fatal(err)
		}
		return end
	}
	t.Run("no log", func(t *testing.T) {
		path := unclosed(t, 30)
		if err := os.Remove(path + walSuffix); err != nil {
			t.Fatal(err)
		}
		refused(t, path)
	})
	t.Run("the log of another store", func(t *testing.T) {
		path := unclosed(t, 30)
		move(t, unclosed(t, 30)+walSuffix, path+walSuffix)
		refused(t, path)
	})
	t.Run("an older log", func(t *testing.T) {
		path := unclosed(t, 30)
		for _, many := range []int{2, 5, 20} {
			end := later(t, path, many)
			data, err := os.ReadFile(path + walSuffix)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(end+walSuffix, data, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, end)
		}
	})
	t.Run("an older log of the same checkpoint", func(t *testing.T) {
		dir := t.TempDir()
		db := openTest(t, filepath.Join(dir, "running"), logging(), notes)
		for n := range 10 {
			put(t, db, fmt.Sprint(n), "text")
		}
		old, end := filepath.Join(dir, "old"), filepath.Join(dir, "end")
		if err := Copy(db.path, old); err != nil {
			t.Fatal(err)
		}
		put(t, db, "10", "text")
		put(t, db, "11", "text")
		if err := Copy(db.path, end); err != nil {
			t.Fatal(err)
		}
		move(t, old+walSuffix, end+walSuffix)
		refused(t, end)
	})
	t.Run("a newer log", func(t *testing.T) {
		path := unclosed(t, 30)
		end := later(t, path, 20)
		move(t, end+walSuffix, path+walSuffix)
		refused(t, path)
	})
	// A store that was closed counts for itself, whatever lies beside it.
	t.Run("a closed store", func(t *testing.T) {
		path := unclosed(t, 30)
		closed := filepath.Join(t.TempDir(), "closed")
		if err := Copy(path, closed); err != nil {
			t.Fatal(err)
		}
		wantNotes(t, closed, Options{}, 30)
		end := later(t, closed, 20)
		move(t, closed, end)
		wantNotes(t, end, Options{ReadOnly: true}, 30)
		wantNotes(t, end, Options{}, 30)
	})
	t.Run("a store of before there were logs", func(t *testing.T) {
		path := unclosed(t, 30)
		old, err := os.ReadFile(filepath.Join("testdata", "format1.store"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, old, 0o600); err != nil {
			t.Fatal(err)
		}
		wantNotes(t, path, Options{}, 1)
	})
}

func TestLostRecordIsRefused(t *testing.T) {
	path := unclosed(t, 30)
	data, err := os.ReadFile(path + walSuffix)
	if err != nil {
		t.Fatal(err)
	}
	data[3*walBlock+50] ^= 0xff
	if err := os.WriteFile(path+walSuffix, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{}, notes)
	if wantError(t, err, ErrCorrupt); !strings.Contains(err.Error(), "record 3 of its log is lost") || !strings.Contains(err.Error(), "contactsd restore") {
		t.Fatal(err)
	}
	r, err := Check(path, notes)
	if err != nil || len(r.Damage) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// A disk may garble a sector that is written when power fails, and keep what was
// before of another one. Between two checkpoints both meta pages are written over.
func TestMetaPagesThatPowerCutGarblesAreThoseOfTheLog(t *testing.T) {
	const many = 3
	dir := t.TempDir()
	db := openTest(t, filepath.Join(dir, "running"), logging(), notes)
	for n := range many - 1 {
		put(t, db, fmt.Sprint(n), "text")
	}
	if err := errors.Join(db.settle(), db.settle()); err != nil {
		t.Fatal(err)
	}
	pageSize := int(db.wal.meta.pageSize)
	before := make([][]byte, 2) // the meta pages as of the checkpoint
	for page := range before {
		before[page] = make([]byte, pageSize)
		if _, err := db.file.ReadAt(before[page], int64(page*pageSize)); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint := int(db.wal.meta.txid % 2)
	put(t, db, "last", "text")
	put(t, db, "last", "changed")
	if db.wal.records != 2 {
		t.Fatalf("%d records", db.wal.records)
	}
	written := filepath.Join(dir, "written")
	if err := Copy(db.path, written); err != nil {
		t.Fatal(err)
	}
	garble := func(page []byte) { copy(page, bytes.Repeat([]byte{0xa5}, sector)) }
	for name, cut := range map[string]func(pages [][]byte){
		"one":   func(pages [][]byte) { garble(pages[checkpoint]) },
		"other": func(pages [][]byte) { garble(pages[1-checkpoint]) },
		"both":  func(pages [][]byte) { garble(pages[0]); garble(pages[1]) },
		"the checkpoint's, and the other one is of before it": func(pages [][]byte) {
			garble(pages[checkpoint])
			pages[1-checkpoint] = before[1-checkpoint]
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			if err := Copy(written, path); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			pages := [][]byte{bytes.Clone(file[:pageSize]), bytes.Clone(file[pageSize : 2*pageSize])}
			cut(pages)
			copy(file, slices.Concat(pages...))
			if err := os.WriteFile(path, file, fileMode); err != nil {
				t.Fatal(err)
			}
			r, err := Check(path, notes)
			if err != nil || len(r.Damage) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			wantNotes(t, path, Options{ReadOnly: true}, many)
			wantNotes(t, path, Options{}, many)
		})
	}
}

func TestNewerStoreThatWasNotClosedIsRefusedUntouched(t *testing.T) {
	for name, set := range map[string]struct {
		key     string
		version uint32
	}{
		"format": {formatKey, formatLogged + 1},
		"table":  {tablePrefix + "note", 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := unclosed(t, 5)
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// In all copies of the meta bucket, that of the checkpoint among them.
			old := binary.BigEndian.AppendUint32([]byte(set.key), set.version-1)
			changed := bytes.ReplaceAll(file, old, binary.BigEndian.AppendUint32([]byte(set.key), set.version))
			if bytes.Equal(changed, file) {
				t.Fatal("not found")
			}
			if err := os.WriteFile(path, changed, fileMode); err != nil {
				t.Fatal(err)
			}
			for _, opt := range []Options{{}, {ReadOnly: true}} {
				_, err := Open(path, opt, notes)
				wantError(t, err, ErrNewer)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, changed) || !hasLog(t, path) {
				t.Fatal("it was changed")
			}
		})
	}
}
