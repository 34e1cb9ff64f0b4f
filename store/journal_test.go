package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"contactsd/contact"
)

func emit(t testing.TB, db *DB, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := db.Update(func(tx *Tx) error { return tx.Emit(event(n)) }); err != nil {
			t.Fatal(err)
		}
	}
}

func event(n int) contact.Event {
	return contact.Event{Type: contact.MessageQueued, At: int64(n), ID: fmt.Sprint(n)}
}

func wantEvents(t testing.TB, db *DB, after uint64, limit, from, to int) {
	t.Helper()
	got, err := db.Events(after, limit)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != to-from+1 {
		t.Fatalf("%d events after %d, want %d to %d", len(got), after, from, to)
	}
	for i, e := range got {
		if e.Cursor != uint64(from+i) || e.Event != event(from+i) {
			t.Fatalf("after %d: got %+v, want event %d", after, e, from+i)
		}
	}
}

func TestEventsAreReadByCursor(t *testing.T) {
	db := newTest(t)
	wantEvents(t, db, 0, 10, 1, 0)
	_, err := db.Events(1, 10)
	wantError(t, err, ErrCursor)
	emit(t, db, 1, 10)
	wantEvents(t, db, 0, 100, 1, 10)
	wantEvents(t, db, 0, 3, 1, 3)
	wantEvents(t, db, 3, 3, 4, 6)
	wantEvents(t, db, 9, 3, 10, 10)
	wantEvents(t, db, 10, 3, 11, 10)
	for _, ahead := range []uint64{11, 1 << 63, ^uint64(0)} {
		_, err = db.Events(ahead, 10)
		wantError(t, err, ErrCursor)
	}
	if _, err := db.Events(0, 0); err == nil {
		t.Fatal("limit 0: no error")
	}
}

func TestJournalKeepsTheNewestAndNeverReusesACursor(t *testing.T) {
	for _, limit := range []int{1, 2, 7, 8, 100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			opt := Options{NoSync: true, JournalLimit: limit}
			db := openTest(t, path, opt)
			last := 3*limit + 5
			for n := 1; n <= last; n++ {
				emit(t, db, n, n)
				wantEvents(t, db, uint64(max(n-limit, 0)), last, max(n-limit, 0)+1, n)
			}
			_, err := db.Events(uint64(last-2*limit-1), 1)
			wantError(t, err, ErrCursor)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openTest(t, path, opt)
			if cursor, err := db.Cursor(); cursor != uint64(last) || err != nil {
				t.Fatalf("cursor %d, error %v after reopening, want %d", cursor, err, last)
			}
			emit(t, db, last+1, last+1)
			wantEvents(t, db, uint64(last), 10, last+1, last+1)
		})
	}
}

func TestLoweredLimitIsReachedInSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{NoSync: true})
	const many = 3 * maxPruneChunk
	err := db.Update(func(tx *Tx) error {
		for n := range many {
			if err := tx.Emit(event(n + 1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, path, Options{NoSync: true, JournalLimit: 8})
	emit(t, db, many+1, many+4)
	wantEvents(t, db, many+4-8, 100, many+4-8+1, many+4)
	_, err = db.Events(many+4-8-1, 100)
	wantError(t, err, ErrCursor)
}

func TestEmittedTellsOfDurableEventsOnly(t *testing.T) {
	db := newTest(t)
	told := db.Emitted()
	if db.Emitted() != told {
		t.Fatal("two channels for the same event")
	}
	silent := func(when string) {
		select {
		case <-told:
			t.Fatalf("told %s", when)
		default:
		}
	}
	put(t, db, "a", "a")
	silent("of a write without event")
	wantError(t, db.Update(func(tx *Tx) error { _ = tx.Emit(event(1)); return errOwn }), errOwn)
	silent("of an event that was rolled back")
	err := db.Update(func(tx *Tx) error {
		tx.OnCommit(func() {
			select {
			case <-told:
			default:
				t.Error("not told before the callbacks")
			}
		})
		err := tx.Emit(event(1))
		silent("before the commit")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if db.Emitted() == told {
		t.Fatal("the same channel again")
	}
	wantEvents(t, db, 0, 10, 1, 1)
}

// Whoever is told finds the event, even if the disk is slow.
func TestEmittedComesAfterTheEventCanBeRead(t *testing.T) {
	db := newTest(t)
	for n := 1; n <= 30; n++ {
		told := db.Emitted()
		read := make(chan error)
		go func() {
			<-told
			entries, err := db.Events(uint64(n-1), 10)
			if err == nil && len(entries) != 1 {
				err = fmt.Errorf("%d events", len(entries))
			}
			read <- err
		}()
		emit(t, db, n, n)
		if err := <-read; err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewJournalGivesNoCursorTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{}, notes, lists)
	emit(t, db, 1, 300)
	if err := db.Update(func(tx *Tx) error { return tx.NewJournal() }); err != nil {
		t.Fatal(err)
	}
	begin, err := db.Cursor()
	if err != nil || begin < 1e15 {
		t.Fatalf("goes on with %d, %v", begin, err)
	}
	for _, old := range []uint64{0, 299, 300, 301, begin - 1} {
		_, err := db.Events(old, 10)
		wantError(t, err, ErrCursor)
	}
	emit(t, db, 1, 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, path, Options{}, notes, lists)
	for _, old := range []uint64{0, 300, begin - 1} {
		_, err := db.Events(old, 10)
		wantError(t, err, ErrCursor)
	}
	got, err := db.Events(begin, 10)
	if err != nil || len(got) != 1 || got[0].Cursor != begin+1 {
		t.Fatalf("%+v, %v", got, err)
	}
}
