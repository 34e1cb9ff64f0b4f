package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A probe sees a file that holds what was committed, before anybody is told.
func TestProbeSeesWhatIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "store"), filepath.Join(dir, "copy")
	var told, synced int
	probe := Probe{Synced: func() {
		if told > synced {
			t.Error("somebody was told first")
		}
		synced++
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(copied, b, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}}
	db, err := Open(path, Options{NoSync: true, Probe: probe}, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 3 {
		if err := db.Update(func(tx *Tx) error { return notes.Put(tx, Uint64(uint64(told)), note{Text: "Ana"}) }); err != nil {
			t.Fatal(err)
		}
		told++
		count := 0
		again, err := Open(copied, Options{ReadOnly: true}, notes)
		if err != nil {
			t.Fatal(err)
		}
		err = again.View(func(tx *Tx) error {
			for _, err := range notes.Scan(tx, Range{}) {
				if err != nil {
					return err
				}
				count++
			}
			return nil
		})
		if err := errors.Join(err, again.Close()); err != nil || count != told {
			t.Fatalf("the copy holds %d rows of %d, %v", count, told, err)
		}
	}
	if synced != 3 {
		t.Errorf("%d syncs of 3 commits", synced)
	}
}

func TestProbeFillsTheDisk(t *testing.T) {
	full := false
	probe := Probe{Commit: func() error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	}}
	db, err := Open(filepath.Join(t.TempDir(), "store"), Options{NoSync: true, Probe: probe}, notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	put := func(name string) error {
		return db.Update(func(tx *Tx) error { return notes.Put(tx, []byte("one"), note{Text: name}) })
	}
	if err := put("Ana"); err != nil {
		t.Fatal(err)
	}
	full = true
	if err := put("Bob"); !errors.Is(err, ErrFull) {
		t.Errorf("on a full disk: %v", err)
	}
	var got note
	if err := db.View(func(tx *Tx) (err error) { got, _, err = notes.Get(tx, []byte("one")); return err }); err != nil || got.Text != "Ana" {
		t.Errorf("after a full disk: %+v, %v", got, err)
	}
	full = false
	if err := put("Cal"); err != nil {
		t.Errorf("with space again: %v", err)
	}
}
