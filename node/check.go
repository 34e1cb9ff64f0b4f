package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"contactsd/contact"
	"contactsd/credit"
	"contactsd/message"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/spam"
	"contactsd/store"
)

// Check examines the store at path, which no daemon uses, and changes nothing:
// every page and record, the signature of every statement, and what the tables
// say about each other. self is the device's ODID, zero if it is not known. The
// error is that of store.Check.
func Check(path string, self contact.ODID) (store.Report, error) {
	r, err := store.Check(path, Tables()...)
	if err != nil || len(r.Damage) > 0 {
		return r, err
	}
	db, err := store.Open(path, store.Options{ReadOnly: true}, Tables()...)
	if err != nil {
		return r, err
	}
	err = db.View(func(tx *store.Tx) error {
		return errors.Join(relation.Check(tx, self, &r.Damage), message.Check(tx, &r.Damage), credit.Check(tx, &r.Damage),
			spam.Check(tx, self, &r.Damage))
	})
	return r, errors.Join(err, db.Close())
}

// Restore puts a copy of a store in the place of the one at path, which no daemon
// uses, and begins a new epoch of messages, a new presence key and a new journal
// in it: what the device sent and told after the copy was made had the old ones.
// The store that was there is kept beside it; kept is its path, "" if there was
// none. Where one of the two was not closed, its log goes with it. The copy is
// examined first, and a damaged one is an error that wraps store.ErrCorrupt.
func Restore(copied, path string, self contact.ODID) (kept string, err error) {
	r, err := Check(copied, self)
	switch {
	case errors.Is(err, store.ErrOlder):
	case err != nil:
		return "", err
	case len(r.Damage) > 0:
		return "", fmt.Errorf("%w: %s: %s", store.ErrCorrupt, copied, r.Damage[0])
	}
	next := path + ".restoring"
	clear := func() {
		for _, name := range store.Files(next) {
			os.Remove(name)
		}
	}
	clear() // of an attempt that was cut off
	defer clear()
	if err := store.Copy(copied, next); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	db, err := store.Open(next, store.Options{}, Tables()...)
	if err != nil {
		return "", err
	}
	begin := func(tx *store.Tx) error {
		return errors.Join(message.NewEpoch(tx), presence.NewKey(tx), tx.NewJournal())
	}
	if err := errors.Join(db.Update(begin), db.Close()); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		if kept, err = keep(path); err != nil {
			return "", fmt.Errorf("restore: %w", err)
		}
	}
	if err := os.Rename(next, path); err != nil {
		return kept, fmt.Errorf("restore: %w", err)
	}
	// A log that the store before left is not of this one, which was closed: it would
	// be taken for none.
	if err := os.Remove(store.Files(path)[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return kept, fmt.Errorf("restore: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return kept, fmt.Errorf("restore: %w", err)
	}
	return kept, errors.Join(dir.Sync(), dir.Close())
}

// keep gives the files of the store at path a second name, that of the moment, and
// returns it.
func keep(path string) (string, error) {
	name := path + ".before-" + time.Now().UTC().Format("20060102T150405.000")
	kept := name
	for n := 2; ; n++ {
		err := os.Link(path, kept)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return kept, err
		}
		kept = fmt.Sprintf("%s-%d", name, n)
	}
	err := os.Link(store.Files(path)[1], store.Files(kept)[1])
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was closed
	}
	return kept, err
}
