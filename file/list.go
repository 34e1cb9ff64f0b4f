package file

import (
	"cmp"

	"contactsd/contact"
	"contactsd/store"
)

// Query selects a page of transfers.
type Query struct {
	Contact contact.ODID // only with this contact; zero for all
	Before  ID           // only older ones; zero for the newest
	Limit   int          // at most MaxPage, 0 for 100
}

// Page is part of the transfers, the oldest first.
type Page struct {
	Transfers []Transfer
	More      bool // there are older ones
}

const defaultPage = 100

// List returns the newest transfers, or those before one of them. The error is a
// *contact.LimitError for a page that is too long.
func (s *Service) List(q Query) (Page, error) {
	if q.Limit > MaxPage || q.Limit < 0 {
		return Page{}, &contact.LimitError{Field: "page size", Got: q.Limit, Limit: MaxPage, Unit: "transfers"}
	}
	limit := cmp.Or(q.Limit, defaultPage)
	scan := store.Range{Reverse: true}
	if q.Before != (ID{}) {
		scan.Before = q.Before[:]
	}
	var page Page
	err := s.db.View(func(tx *store.Tx) error {
		for row, err := range transferTable.Scan(tx, scan) {
			if err != nil {
				return err
			}
			if !q.Contact.IsZero() && row.Value.Contact != q.Contact {
				continue
			}
			if len(page.Transfers) == limit {
				page.More = true
				break
			}
			page.Transfers = append(page.Transfers, s.transfer(row.Value))
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	for i, j := 0, len(page.Transfers)-1; i < j; i, j = i+1, j-1 {
		page.Transfers[i], page.Transfers[j] = page.Transfers[j], page.Transfers[i]
	}
	return page, nil
}

// Get returns one transfer. The error wraps ErrNotFound.
func (s *Service) Get(id ID) (Transfer, error) {
	var r record
	err := s.db.View(func(tx *store.Tx) (err error) {
		r, err = get(tx, id)
		return err
	})
	if err != nil {
		return Transfer{}, err
	}
	return s.transfer(r), nil
}

// transfer adds to a record what is known of it at the moment.
func (s *Service) transfer(r record) Transfer {
	t := Transfer{
		ID: r.ID, Contact: r.Contact, Direction: r.Direction, State: r.State,
		Name: safeName(r.Offer.Name), Type: oneLine(r.Offer.Type), Size: r.Offer.Size, Files: r.Offer.Files, Dir: r.Offer.Dir,
		Done: r.Done, Path: cmp.Or(r.Path, r.Folder), Note: oneLine(r.Note),
		At: fromMillis(r.At), Ended: fromMillis(r.Ended),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, l := s.moving.by[r.ID], s.lanes[r.ID]
	switch {
	case m != nil:
		t.Done, t.Rate = m.done, m.rate
	case l != nil && !t.State.Final():
		t.Waiting = oneLine(l.trouble)
	}
	return t
}
