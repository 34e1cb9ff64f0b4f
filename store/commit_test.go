package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"contactsd/contact"
)

// together runs the functions in one batch: the first leads and commits while
// the others queue, in order. It returns the error of each.
func together(t *testing.T, db *DB, fns ...func(*Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	first := make(chan struct{})
	release := make(chan struct{})
	wg.Go(func() {
		err := db.Update(func(tx *Tx) error {
			close(first)
			<-release
			return nil
		})
		if err != nil {
			t.Errorf("leader: %v", err)
		}
	})
	<-first
	for i, fn := range fns {
		wg.Go(func() {
			ended := false
			defer func() {
				if p := recover(); p != nil {
					errs[i] = p.(error)
				} else if !ended {
					errs[i] = errExited
				}
			}()
			errs[i] = db.Update(fn)
			ended = true
		})
		for queued := false; !queued; {
			runtime.Gosched()
			db.mu.Lock()
			queued = len(db.queue) == i+1
			db.mu.Unlock()
		}
	}
	close(release)
	wg.Wait()
	return errs
}

func putNote(key string) func(*Tx) error {
	return func(tx *Tx) error { return notes.Put(tx, []byte(key), note{Text: key}) }
}

func (db *DB) transaction(t *testing.T) (id int) {
	t.Helper()
	if err := db.view(func(b *bbolt.Tx) error { id = b.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func wantKeys(t *testing.T, db *DB, keys ...string) {
	t.Helper()
	got := texts(t, db)
	if len(got) != len(keys) {
		t.Fatalf("got %v, want keys %v", got, keys)
	}
	for _, k := range keys {
		if got[k] != k {
			t.Fatalf("got %v, want keys %v", got, keys)
		}
	}
}

func TestCallersShareOneCommit(t *testing.T) {
	db := newTest(t)
	before := db.transaction(t)
	var fns []func(*Tx) error
	for i := range 50 {
		fns = append(fns, putNote(fmt.Sprint(i)))
	}
	for _, err := range together(t, db, fns...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := db.transaction(t) - before; n != 1 {
		t.Fatalf("%d commits, want 1", n)
	}
	if n := len(texts(t, db)); n != 50 {
		t.Fatalf("%d rows, want 50", n)
	}
}

func TestBatchIsBounded(t *testing.T) {
	db := newTest(t)
	before := db.transaction(t)
	var fns []func(*Tx) error
	for i := range maxBatch + 1 {
		fns = append(fns, putNote(fmt.Sprint(i)))
	}
	together(t, db, fns...)
	if n := db.transaction(t) - before; n != 2 {
		t.Fatalf("%d commits, want 2", n)
	}
	if n := len(texts(t, db)); n != maxBatch+1 {
		t.Fatalf("%d rows, want %d", n, maxBatch+1)
	}
}

func TestUpdateThatWritesNothingCommitsNothing(t *testing.T) {
	db := newTest(t)
	before := db.transaction(t)
	ran := false
	err := db.Update(func(tx *Tx) error { tx.OnCommit(func() { ran = true }); return nil })
	if err != nil || !ran || db.transaction(t) != before {
		t.Fatalf("error %v, callback %v, commits %d", err, ran, db.transaction(t)-before)
	}
}

var errOwn = errors.New("own error")

func TestFailureLeavesNothingBehindAndNeighboursAlone(t *testing.T) {
	for name, bad := range map[string]func(*Tx) error{
		"before writing":     func(*Tx) error { return errOwn },
		"after writing":      func(tx *Tx) error { return errors.Join(putNote("bad")(tx), errOwn) },
		"after an event":     func(tx *Tx) error { return errors.Join(tx.Emit(contact.Event{}), errOwn) },
		"after a delete":     func(tx *Tx) error { return errors.Join(notes.Delete(tx, []byte("old")), errOwn) },
		"panic":              func(*Tx) error { panic(errOwn) },
		"panic after writes": func(tx *Tx) error { _ = putNote("bad")(tx); panic(errOwn) },
	} {
		t.Run(name, func(t *testing.T) {
			db := newTest(t)
			put(t, db, "old", "old")
			var callbacks atomic.Int32
			counted := func(fn func(*Tx) error) func(*Tx) error {
				return func(tx *Tx) error {
					tx.OnCommit(func() { callbacks.Add(1) })
					return fn(tx)
				}
			}
			errs := together(t, db, counted(bad), counted(putNote("a")), counted(bad), counted(putNote("b")), counted(bad))
			for i, err := range errs {
				if i%2 == 0 {
					wantError(t, err, errOwn)
				} else if err != nil {
					t.Fatalf("neighbour %d: %v", i, err)
				}
			}
			wantKeys(t, db, "old", "a", "b")
			if cursor, err := db.Cursor(); cursor != 0 || err != nil {
				t.Fatalf("cursor %d, error %v after failed emits", cursor, err)
			}
			if n := callbacks.Load(); n != 2 {
				t.Fatalf("%d callbacks, want 2", n)
			}
		})
	}
}

func TestManyFailuresDoNotMakeWorkExplode(t *testing.T) {
	db := newTest(t)
	var runs atomic.Int32
	var fns []func(*Tx) error
	for i := range 400 {
		fns = append(fns, func(tx *Tx) error {
			runs.Add(1)
			if err := putNote(fmt.Sprint(i))(tx); err != nil || i%2 == 0 {
				return errors.Join(err, errOwn)
			}
			return nil
		})
	}
	together(t, db, fns...)
	if n := len(texts(t, db)); n != 200 {
		t.Fatalf("%d rows, want 200", n)
	}
	if n := runs.Load(); n > 800 {
		t.Fatalf("400 functions ran %d times, at most twice each", n)
	}
}

func TestPanicReachesItsCallerWithItsStack(t *testing.T) {
	db := newTest(t)
	defer func() {
		err, ok := recover().(error)
		if !ok || !errors.Is(err, errOwn) || !strings.Contains(err.Error(), "TestPanicReachesItsCaller") {
			t.Fatalf("got %v", err)
		}
		put(t, db, "after", "works")
	}()
	_ = db.Update(func(*Tx) error { panic(errOwn) })
}

func TestFunctionThatEndsItsGoroutineHarmsNobodyElse(t *testing.T) {
	db := newTest(t)
	exit := func(tx *Tx) error { _ = putNote("bad")(tx); runtime.Goexit(); return nil }
	// The first of the queue leads, so it is the goroutine that ends.
	errs := together(t, db, exit, putNote("a"), putNote("b"))
	if errs[1] != nil || errs[2] != nil {
		t.Fatal(errs)
	}
	wantKeys(t, db, "a", "b")
	errs = together(t, db, putNote("leads"), exit, putNote("c"))
	wantError(t, errs[1], errExited)
	if errs[2] != nil {
		t.Fatal(errs)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDisappearingErrorOfAWriteStillFails(t *testing.T) {
	db := newTest(t)
	if err := db.bolt.Update(func(b *bbolt.Tx) error { return b.DeleteBucket([]byte("table/list")) }); err != nil {
		t.Fatal(err)
	}
	errs := together(t, db, putNote("a"), func(tx *Tx) error {
		_ = lists.Put(tx, []byte("x"), nil) // fails, and nobody looks
		return notes.Put(tx, []byte("x"), note{})
	})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	wantError(t, errs[1], ErrCorrupt)
	wantKeys(t, db, "a")
}

// A commit whose meta page was written and whose fsync failed is on the disk or
// not, nobody knows.
func TestNothingIsWrittenAfterACommitOfUnknownOutcome(t *testing.T) {
	db := newTest(t)
	put(t, db, "a", "a")
	before := db.transaction(t)
	err := db.afterFailure(before+1, &fs.PathError{Op: "write", Path: "store", Err: syscall.EIO})
	wantError(t, err, syscall.EIO)
	put(t, db, "b", "b") // that one did not reach the file

	err = db.afterFailure(db.transaction(t), syscall.EIO)
	wantError(t, err, syscall.EIO)
	if !strings.Contains(err.Error(), "start contactsd again") {
		t.Fatalf("no hint in %q", err)
	}
	wantError(t, db.Update(putNote("c")), syscall.EIO)
	wantKeys(t, db, "a", "b")
}

// Each caller of a batch learns that the commit failed, also the one that
// decided something on what its neighbours had written.
func TestErrorOfTheCommitGoesToAll(t *testing.T) {
	db := newTest(t)
	db.maxSize = 1 << 15
	big := func(key string) func(*Tx) error {
		return func(tx *Tx) error {
			return notes.Put(tx, []byte(key), note{Text: strings.Repeat("x", 1<<16)})
		}
	}
	errs := together(t, db, putNote("a"), func(*Tx) error { return errOwn }, big("b"))
	for _, err := range errs {
		wantError(t, err, berrors.ErrMaxSizeReached)
	}
	wantKeys(t, db)
	db.maxSize = 0
	for i, err := range together(t, db, putNote("a"), putNote("b")) {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	wantKeys(t, db, "a", "b")
}

func TestOnCommitMayWriteAgain(t *testing.T) {
	db := newTest(t)
	var inner error
	err := db.Update(func(tx *Tx) error {
		tx.OnCommit(func() { inner = db.Update(putNote("second")) })
		return putNote("first")(tx)
	})
	if err := errors.Join(err, inner); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, db, "first", "second")
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{}, notes)
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Update(func(tx *Tx) error { close(started); <-release; return putNote("a")(tx) })
		if err != nil {
			t.Error(err)
		}
	})
	<-started
	wg.Go(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for closed := false; !closed; {
		runtime.Gosched()
		db.mu.Lock()
		closed = db.closed
		db.mu.Unlock()
	}
	wantError(t, db.Update(putNote("late")), ErrClosed)
	close(release)
	wg.Wait()
	wantKeys(t, openTest(t, path, Options{}, notes), "a")
}

// A copy of the files at the moment Update returned holds what was acknowledged,
// even while others go on writing.
func TestAcknowledgedIsInACopyOfTheFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	db := openTest(t, path, Options{}, notes)
	for i := range 3 * withoutWAL {
		key := fmt.Sprint(i)
		err := db.Update(func(tx *Tx) error {
			return errors.Join(putNote(key)(tx), tx.Emit(contact.Event{Type: contact.ContactAdded, ID: key}))
		})
		if err != nil {
			t.Fatal(err)
		}
		crashed := filepath.Join(dir, "crashed"+key)
		if err := Copy(path, crashed); err != nil {
			t.Fatal(err)
		}
		after := openTest(t, crashed, Options{}, notes)
		if got := texts(t, after); got[key] != key || len(got) != i+1 {
			t.Fatalf("after acknowledging %d: %v", i, got)
		}
		if cursor, err := after.Cursor(); cursor != uint64(i+1) || err != nil {
			t.Fatalf("cursor %d, error %v, want %d", cursor, err, i+1)
		}
	}
}

func TestConcurrentWritersAndReaders(t *testing.T) {
	db := openTest(t, filepath.Join(t.TempDir(), "store"), Options{NoSync: true, JournalLimit: 50}, notes, lists)
	const writers, each = 16, 40
	var wg sync.WaitGroup
	var acknowledged atomic.Uint64
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				before, called := acknowledged.Load(), false
				err := db.Update(func(tx *Tx) error {
					key := []byte(fmt.Sprintf("%d", w))
					v, _, err := notes.Get(tx, key)
					if err != nil {
						return err
					}
					v.N++
					tx.OnCommit(func() { called = true })
					err = errors.Join(notes.Put(tx, key, v), tx.Emit(contact.Event{At: int64(v.N), ID: string(key)}))
					if n%7 == 3 && err == nil {
						return errOwn
					}
					return err
				})
				if n%7 == 3 {
					if !errors.Is(err, errOwn) || called {
						t.Errorf("error %v, callback %v", err, called)
					}
					continue
				}
				if err != nil || !called {
					t.Errorf("error %v, callback %v", err, called)
				}
				acknowledged.Add(1)
				if cursor, err := db.Cursor(); err != nil || cursor < before {
					t.Errorf("cursor %d after %d were acknowledged: %v", cursor, before, err)
				}
			}
		})
	}
	wg.Wait()
	want := 0
	for n := range each {
		if n%7 != 3 {
			want++
		}
	}
	err := db.View(func(tx *Tx) error {
		for row, err := range notes.Scan(tx, Range{}) {
			if err != nil {
				return err
			}
			if row.Value.N != want {
				t.Errorf("writer %s: %d, want %d", row.Key, row.Value.N, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cursor, err := db.Cursor(); cursor != writers*uint64(want) || err != nil {
		t.Fatalf("cursor %d, error %v, want %d", cursor, err, writers*want)
	}
}

func TestWorksUnderFakeTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t, filepath.Join(dir, "store"), Options{NoSync: true}, notes)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if err := db.Update(putNote(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(texts(t, db)); n != 200 {
			t.Errorf("%d rows, want 200", n)
		}
	})
}
