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
