package store

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// heed returns a done function, and what it was told.
func heed() (done func(error), told chan error) {
	told = make(chan error, 1)
	return func(err error) { told <- err }, told
}

func TestLaterSharesTheCommitOfOthers(t *testing.T) {
	db := newTest(t)
	before := db.transaction(t)
	done, told := heed()
	errs := together(t, db, putNote("now"), func(tx *Tx) error {
		return errOwn // whatever becomes of the others
	})
	if errs[0] != nil || !errors.Is(errs[1], errOwn) {
		t.Fatal(errs)
	}
	busy, release := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	write := func(first func(), key string) {
		work.Go(func() {
			if err := db.Update(func(tx *Tx) error { first(); return putNote(key)(tx) }); err != nil {
				t.Error(err)
			}
		})
	}
	write(func() { close(busy); <-release }, "first")
	<-busy
	db.Later(putNote("later"), done)
	write(func() {}, "second")
	for queued := 0; queued < 2; runtime.Gosched() { // second, and who sees to it that there is a commit
		db.mu.Lock()
		queued = len(db.queue)
		db.mu.Unlock()
	}
	close(release)
	work.Wait()
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	wantKeys(t, db, "now", "first", "later", "second")
	if n := db.transaction(t) - before; n != 3 {
		t.Fatalf("%d commits, want 3", n)
	}
}

func TestLaterGetsACommitOfItsOwnIfNobodyWrites(t *testing.T) {
	db := newTest(t)
	done, told := heed()
	db.Later(putNote("a"), done)
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	wantKeys(t, db, "a")
}

func TestLaterKeepsTheOrderAndOnesFailureIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newTest(t)
		var ran []int
		var errs [5]error
		committed := 0
		for i := range errs {
			db.Later(func(tx *Tx) error {
				ran = append(ran, i)
				tx.OnCommit(func() { committed++ })
				err := putNote(fmt.Sprint(i))(tx)
				switch i {
				case 2:
					return errOwn
				case 3:
					panic(errOwn)
				}
				return err
			}, func(err error) { errs[i] = err })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantKeys(t, db, "0", "1", "4")
		for i, err := range errs {
			if bad := i == 2 || i == 3; errors.Is(err, errOwn) != bad || (err != nil) != bad {
				t.Errorf("%d: %v", i, err)
			}
		}
		if committed != 3 {
			t.Errorf("%d were told of the commit", committed)
		}
		if !slices.Equal(ran[:3], []int{0, 1, 2}) {
			t.Errorf("ran in the order %v", ran)
		}
	})
}

func TestCloseLeavesNothingForLater(t *testing.T) {
	db := newTest(t)
	path := db.bolt.Path()
	done, told := heed()
	db.Later(putNote("last"), done)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	done, told = heed()
	db.Later(putNote("too late"), done)
	if err := <-told; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	db, err := Open(path, Options{NoSync: true}, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantKeys(t, db, "last")
}

func TestNothingForLaterIsLostAmongWriters(t *testing.T) {
	db := newTest(t)
	const writers, each = 8, 200
	var work sync.WaitGroup
	var told atomic.Int64
	for w := range writers {
		work.Go(func() {
			for i := range each {
				fn := putNote(fmt.Sprint(w, " ", i))
				if i%2 == 0 {
					if err := db.Update(fn); err != nil {
						t.Error(err)
					}
					continue
				}
				db.Later(fn, func(err error) {
					if err != nil {
						t.Error(err)
					}
					told.Add(1)
				})
			}
		})
	}
	work.Wait()
	if err := db.Update(func(*Tx) error { return nil }); err != nil { // takes along what waits
		t.Fatal(err)
	}
	for told.Load() != writers*each/2 {
		runtime.Gosched()
	}
	if n := len(texts(t, db)); n != writers*each {
		t.Fatalf("%d rows, want %d", n, writers*each)
	}
}

// tally is what functions have in common: a number that is written as one note.
type tally struct {
	n, saved int
	err      error
}

type tallyKey struct{}

func tallyOf(tx *Tx) *tally {
	tx.Touch()
	return tx.Common(tallyKey{}, func() Common {
		n, _, err := notes.Get(tx, []byte("tally"))
		return &tally{n: n.N, saved: n.N, err: err}
	}).(*tally)
}

func (c *tally) Flush(tx *Tx) error {
	if c.n == c.saved || c.err != nil {
		return c.err
	}
	return notes.Put(tx, []byte("tally"), note{Text: "tally", N: c.n})
}

func readTally(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.View(func(tx *Tx) error { n = tallyOf(tx).n; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatIsCommonIsReadAndWrittenOnce(t *testing.T) {
	db := newTest(t)
	made, before := 0, db.transaction(t)
	var fns []func(*Tx) error
	for range 50 {
		fns = append(fns, func(tx *Tx) error {
			tx.Common("made", func() Common { made++; return &tally{} })
			tallyOf(tx).n++
			return nil
		})
	}
	for _, err := range together(t, db, fns...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := readTally(t, db); n != 50 || made != 1 || db.transaction(t)-before != 1 {
		t.Fatalf("counted %d, made %d times, %d commits", n, made, db.transaction(t)-before)
	}
	if err := db.Update(func(tx *Tx) error { tallyOf(tx); return nil }); err != nil || db.transaction(t)-before != 1 {
		t.Fatalf("nothing was changed: %v, %d commits", err, db.transaction(t)-before)
	}
}

func TestFailureTakesBackWhatIsCommon(t *testing.T) {
	db := newTest(t)
	add := func(tx *Tx) error { tallyOf(tx).n++; return nil }
	errs := together(t, db, add, func(tx *Tx) error {
		tallyOf(tx).n += 100
		return errOwn
	}, add)
	if errs[0] != nil || !errors.Is(errs[1], errOwn) || errs[2] != nil {
		t.Fatal(errs)
	}
	if n := readTally(t, db); n != 2 {
		t.Fatalf("counted %d", n)
	}
}

func TestPanicOfAFlushIsAnErrorOfEverybody(t *testing.T) {
	db := newTest(t)
	errs := together(t, db, putNote("a"), func(tx *Tx) error {
		tx.Common("bad", func() Common { return bad{} })
		return nil
	})
	for _, err := range errs {
		if !errors.Is(err, errOwn) {
			t.Fatal(errs)
		}
	}
	put(t, db, "b", "b")
	wantKeys(t, db, "b")
}

type bad struct{}

func (bad) Flush(*Tx) error { panic(errOwn) }

func TestFailedFlushFailsTheCommit(t *testing.T) {
	db := newTest(t)
	errs := together(t, db, putNote("a"), func(tx *Tx) error { tallyOf(tx).err = errOwn; return nil })
	for _, err := range errs {
		if !errors.Is(err, errOwn) {
			t.Fatal(errs)
		}
	}
	wantKeys(t, db)
}

// Whoever sees to the commit runs the functions, and one of them may end it.
func TestLaterGoesOnAfterAFunctionThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newTest(t)
		var first, second, third error = errOwn, errOwn, errOwn
		db.Later(func(*Tx) error { runtime.Goexit(); return nil }, func(err error) { first = err })
		db.Later(putNote("beside it"), func(err error) { second = err })
		synctest.Wait()
		db.Later(putNote("after it"), func(err error) { third = err })
		synctest.Wait()
		if !errors.Is(first, errExited) || second != nil || third != nil {
			t.Fatal(first, second, third)
		}
		wantKeys(t, db, "beside it", "after it")
	})
}
