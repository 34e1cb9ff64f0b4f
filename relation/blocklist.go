package relation

import (
	"cmp"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Blocked is a device on the blocklist.
type Blocked struct {
	Contact      // what is kept of it; no more than the ODID if it was no contact
	At           time.Time
	Reported     bool
	KeepsContact bool // it was a contact, and unblocking makes it one again
}

// BlockedAfter is where a page of the blocklist begins: after this device, blocked
// at this time. The zero value is the beginning.
type BlockedAfter struct {
	At   time.Time
	ODID contact.ODID
}

// Blocklist returns at most limit blocked devices, who was blocked last first, and
// how many there are.
func (s *Service) Blocklist(after BlockedAfter, limit int) (page []Blocked, total int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		all, err := blockedSince(tx)
		if err != nil {
			return err
		}
		total, page = len(all), nil
		from := 0
		if !after.ODID.IsZero() {
			i, found := slices.BinarySearchFunc(all, after, newestFirst)
			if from = i; found {
				from++
			}
		}
		for _, at := range all[from:min(from+limit, len(all))] {
			e, err := load(tx, at.ODID)
			if err != nil {
				return err
			}
			c, err := s.assemble(tx, &e)
			if err != nil {
				return err
			}
			page = append(page, Blocked{Contact: c, At: at.At, Reported: e.row.Marks.Reported, KeepsContact: len(e.row.Contact) > 0})
		}
		return nil
	})
	return page, total, err
}

// blockedSince returns all blocked devices and since when they are, the newest first.
func blockedSince(tx *store.Tx) ([]BlockedAfter, error) {
	var all []BlockedAfter
	for row, err := range blocks.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, BlockedAfter{time.UnixMilli(row.Value.At), contact.ODID(row.Key)})
	}
	slices.SortFunc(all, newestFirst)
	return all, nil
}

func newestFirst(a, b BlockedAfter) int {
	return cmp.Or(b.At.Compare(a.At), slices.Compare(a.ODID[:], b.ODID[:]))
}
