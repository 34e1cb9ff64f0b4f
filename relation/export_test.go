package relation

import (
	"testing"

	"contactsd/contact"
	"contactsd/store"
)

// MarkBlocked sets the mark of a block on a device's row.
func MarkBlocked(t testing.TB, db *store.DB, peer contact.ODID) {
	t.Helper()
	err := db.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		e.row.Marks.Blocked = true
		return e.save(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// DropIndex makes of a store one from before there was an index.
func DropIndex(t testing.TB, db *store.DB) {
	t.Helper()
	err := db.Update(func(tx *store.Tx) error {
		var keys [][]byte
		for row, err := range names.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			keys = append(keys, row.Key)
		}
		for _, key := range keys {
			if err := names.Delete(tx, key); err != nil {
				return err
			}
		}
		return totals.Delete(tx, totalsKey())
	})
	if err != nil {
		t.Fatal(err)
	}
}
