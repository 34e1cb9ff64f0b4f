package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
)

// counted is a log that counts its syncs, and fails when told to.
type counted struct {
	medium
	syncs int
	fail  error
	full  int // how many writes fail from now on
}

func (c *counted) WriteAt(b []byte, at int64) (int, error) {
	if c.full > 0 {
		c.full--
		n, _ := c.medium.WriteAt(b[:len(b)-1], at)
		return n, &fs.PathError{Op: "write", Path: "log", Err: syscall.ENOSPC}
	}
	return c.medium.WriteAt(b, at)
}

func (c *counted) Sync() error {
	c.syncs++
	return errors.Join(c.fail, c.medium.Sync())
}

func countedStore(t *testing.T) (*DB, *counted) {
	t.Helper()
	var log *counted
	opt := logging()
	opt.tuning.wal = func(w *wal) {
		log = &counted{medium: w.file}
		w.file = log
	}
	db := openTest(t, filepath.Join(t.TempDir(), "store"), opt, notes)
	put(t, db, "first", "text")
	put(t, db, "second", "text")
	if log == nil || !db.unsettled() {
		t.Fatal("there is no log")
	}
	return db, log
}

// bbolt itself syncs nothing then.
func TestCommitIsOneSyncOfTheLog(t *testing.T) {
	db, log := countedStore(t)
	log.syncs = 0
	for n := range 50 {
		put(t, db, fmt.Sprint(n), "text")
		if log.syncs != n+1 || !db.bolt.NoSync || db.wal.records != uint64(n+2) {
			t.Fatalf("commit %d: %d syncs of the log, bbolt syncs none: %v, %d records", n, log.syncs, db.bolt.NoSync, db.wal.records)
		}
	}
}

func TestStoreIsBrokenAfterTheLogWasNotSynced(t *testing.T) {
	db, log := countedStore(t)
	log.fail = syscall.EIO
	err := db.Update(putNote("a"))
	if wantError(t, err, syscall.EIO); !strings.Contains(err.Error(), "start contactsd again") {
		t.Fatalf("no hint in %q", err)
	}
	log.fail = nil
	wantError(t, db.Update(putNote("b")), syscall.EIO)
	if got := texts(t, db); len(got) != 2 {
		t.Fatalf("%v", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !hasLog(t, db.path) {
		t.Fatal("the log is gone, and with it what only it may hold")
	}
	// Whether a is there, nobody knew.
	got := texts(t, openTest(t, db.path, Options{}, notes))
	if delete(got, "a"); len(got) != 2 {
		t.Fatalf("%v", got)
	}
}

// Not every disk can write over what is there when it is full.
func TestFullDiskAtTheLogIsNotTheEnd(t *testing.T) {
	for _, records := range []int{0, 2} {
		t.Run(fmt.Sprintf("after %d records", records), func(t *testing.T) {
			db, log := countedStore(t)
			if err := db.settle(); err != nil {
				t.Fatal(err)
			}
			for n := range records {
				put(t, db, fmt.Sprint(n), "text")
			}
			log.full = 1
			err := db.Update(putNote("full"))
			if wantError(t, err, ErrFull); !strings.Contains(err.Error(), "then try again") {
				t.Fatalf("no hint in %q", err)
			}
			copied := filepath.Join(t.TempDir(), "store")
			if err := Copy(db.path, copied); err != nil {
				t.Fatal(err)
			}
			wantNotes(t, copied, Options{}, records+2)
			if err := db.Update(putNote("freed")); err != nil {
				t.Fatal(err)
			}
			if got := texts(t, db); len(got) != records+3 {
				t.Fatalf("%v", got)
			}
			if log.full = 2; db.Update(putNote("lost")) == nil {
				t.Fatal("written to a full disk")
			}
			log.full = 0
			if err := db.Update(putNote("later")); err == nil {
				t.Fatal("written after what may be a record")
			}
		})
	}
}

// The mapping begins small and has to grow again and again, which bbolt can't do
// while the pages of a checkpoint are kept.
func TestFileOutgrowsItsMapping(t *testing.T) {
	opt := logging()
	opt.tuning.mapped = minMapped
	path := filepath.Join(quickDir(t), "store")
	db := openTest(t, path, opt, notes)
	text := strings.Repeat("x", 60_000)
	var readers sync.WaitGroup
	many := 0
	for size := int64(0); size < 20<<20; many++ {
		err := db.Update(func(tx *Tx) error { return notes.Put(tx, fmt.Append(nil, many), note{Text: text}) })
		if err != nil {
			t.Fatal(err)
		}
		if many%20 == 0 {
			readers.Go(func() { texts(t, db) })
		}
		if err := db.view(func(b *bbolt.Tx) error { size = b.Size(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
	// One that is larger than the mapping as a whole.
	err := db.Update(func(tx *Tx) error {
		for n := range 40 {
			if err := notes.Put(tx, fmt.Append(nil, "big", n), note{Text: strings.Repeat("x", MaxRecordSize-100)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	copied := path + ".copy"
	if err := Copy(path, copied); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, copied, Options{}, many+40)
}

// What bbolt has mapped is not told: the size that is reckoned with must not be more.
func TestMappingIsReckonedAsBboltDoes(t *testing.T) {
	path := filepath.Join(quickDir(t), "bolt")
	b, err := bbolt.Open(path, fileMode, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for n := range 300 {
		err := b.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return bucket.Put(fmt.Append(nil, n), make([]byte, 20_000))
		})
		if err != nil {
			t.Fatal(err)
		}
		var size int64
		_ = b.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
		if mapped := int(mappedBy(b)); mapSize(int(size)) > mapped {
			t.Fatalf("%d bytes: reckoned with %d, bbolt has %d", size, mapSize(int(size)), mapped)
		}
	}
}

// Sums of such sizes do not fit into an int of 32 bits.
func TestMappingAboveAGibibyteIsReckoned(t *testing.T) {
	const gib = 1 << 30
	for size, want := range map[int]int64{gib - 1: gib, gib: gib, gib + 1: 2 * gib, 2*gib - 1: 2 * gib} {
		if got := mapSize(size); int64(got) != min(want, math.MaxInt) {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
}

// logState asks the one who writes.
func logState(t *testing.T, db *DB) (unsettled, watched bool) {
	t.Helper()
	err := db.Update(func(*Tx) error {
		unsettled, watched = db.unsettled(), db.watched
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return unsettled, watched
}

func TestIdleStoreNeedsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, log := countedStore(t)
		for range 5 {
			put(t, db, "a", "text")
			time.Sleep(idleAfter / 2)
			synctest.Wait()
		}
		if unsettled, _ := logState(t, db); !unsettled {
			t.Fatal("a checkpoint was made while it was written to")
		}
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		if unsettled, watched := logState(t, db); unsettled || watched {
			t.Fatal("no checkpoint was made")
		}
		syncs, commits := log.syncs, db.transaction(t)
		time.Sleep(time.Hour)
		if log.syncs != syncs || db.transaction(t) != commits {
			t.Fatal("it does something, with nothing to do")
		}
	})
}

func TestWhatIsReplacedDoesNotMakeTheFileGrowForEver(t *testing.T) {
	path := filepath.Join(quickDir(t), "store")
	db := openTest(t, path, logging(), notes)
	for n := range 5000 {
		put(t, db, fmt.Sprint(n%50), strings.Repeat("x", n%900))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 3*maxGrowth {
		t.Fatalf("%d bytes for 50 notes", info.Size())
	}
}

// The log has everything, and who has nothing to write needs no more than that.
func TestIdleStoreOnAFullDiskDoesNotTryForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := logging()
		var full atomic.Bool
		var tries atomic.Int32
		opt.Probe.Commit = func() error {
			tries.Add(1)
			if full.Load() {
				return syscall.ENOSPC
			}
			return nil
		}
		db := openTest(t, filepath.Join(t.TempDir(), "store"), opt, notes)
		put(t, db, "first", "text")
		put(t, db, "second", "text")
		full.Store(true)
		tries.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := tries.Load(); n != 1 {
			t.Fatalf("%d tries", n)
		}
		full.Store(false)
		put(t, db, "third", "text")
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		if unsettled, _ := logState(t, db); unsettled {
			t.Fatal("no checkpoint was made when there was space")
		}
	})
}
