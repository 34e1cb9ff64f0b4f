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
		for _, table := range []store.Table[struct{}]{names, paireds} {
			if err := clear(tx, table); err != nil {
				return err
			}
		}
		return totals.Delete(tx, totalsKey())
	})
	if err != nil {
		t.Fatal(err)
	}
}

func clear(tx *store.Tx, table store.Table[struct{}]) error {
	var keys [][]byte
	for row, err := range table.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		keys = append(keys, row.Key)
	}
	for _, key := range keys {
		if err := table.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// Walk reads the devices of a store as a round does that began at a place, in parts.
func Walk(db *store.DB, began contact.ODID, limit int) (parts [][]contact.ODID, err error) {
	r := &round{began: began, next: began[:]}
	for more := true; more && err == nil; {
		var part []contact.ODID
		err = db.View(func(tx *store.Tx) error {
			rows, left, err := r.part(tx, limit)
			for _, row := range rows {
				part = append(part, contact.ODID(row.Key))
			}
			more = left
			return err
		})
		parts = append(parts, part)
	}
	return parts, err
}

// PutPlaces notes devices of which nothing else is known.
func PutPlaces(t testing.TB, db *store.DB, peers []contact.ODID) {
	t.Helper()
	err := db.Update(func(tx *store.Tx) error {
		for _, peer := range peers {
			if err := places.Put(tx, peer[:], whereabouts{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// HasRoster reports whether what lists need is in memory.
func (s *Service) HasRoster() bool {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	return s.roster.lines != nil
}

// MarkMany marks more devices than the roster reads anew one by one.
func (s *Service) MarkMany() {
	for i := range maxMarks + 1 {
		s.roster.marks.put(contact.ODID{1, byte(i), byte(i >> 8), byte(i >> 16)})
	}
}
