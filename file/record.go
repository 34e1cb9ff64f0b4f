package file

import (
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The tables. Keys are drawn in the package comment.
var (
	transferTable = store.NewTable[record]("file.transfer", 1)
	pageTable     = store.NewTable[page]("file.page", 1)
	workTable     = store.NewTable[uint64]("file.work", 1) // Unix milliseconds since when
)

// Tables returns what this package keeps, for store.Open.
func Tables() []store.Definition {
	return []store.Definition{transferTable, pageTable, workTable}
}

// record is a transfer on the disk. Times are Unix milliseconds, 0 for none.
type record struct {
	ID        ID           `cbor:"1,keyasint"`
	Contact   contact.ODID `cbor:"2,keyasint"`
	Direction Direction    `cbor:"3,keyasint"`
	State     State        `cbor:"4,keyasint"`
	Offer     offer        `cbor:"5,keyasint"` // out: whole once it is prepared
	At        uint64       `cbor:"6,keyasint"`
	Ended     uint64       `cbor:"7,keyasint,omitempty"`
	// Path is what is sent, or where it was received.
	Path   string `cbor:"8,keyasint,omitempty"`
	Folder string `cbor:"9,keyasint,omitempty"`  // in: where it goes
	Final  string `cbor:"10,keyasint,omitempty"` // in: the name it is about to get, or has
	// Done is how many bytes had moved when it last stopped; to be shown only.
	Done uint64 `cbor:"11,keyasint,omitempty"`
	Note string `cbor:"12,keyasint,omitempty"`
	// Owes: the contact has yet to be told of the state.
	Owes bool `cbor:"13,keyasint,omitempty"`
	// Unsent: out; the offer has yet to be handed to the outbox.
	Unsent bool `cbor:"14,keyasint,omitempty"`
	// Lost: out; what was offered is no longer there, so that nobody can have it.
	Lost bool `cbor:"15,keyasint,omitempty"`
}

// page is a page of a manifest, as it travels.
type page struct {
	Data []byte `cbor:"1,keyasint"`
}

func pageKey(id ID, kind pageKind, n uint64) []byte {
	return store.Key(id[:], []byte{byte(kind)}, store.Uint64(n))
}

func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// work says what a transfer has to be done for it, none if nothing.
type work uint8

const (
	workNone work = iota
	workPrepare
	workPull
	workTell
)

func (r record) work() work {
	switch {
	case r.Direction == Out && (r.State == Preparing || r.Unsent):
		return workPrepare
	case r.Owes:
		return workTell
	case r.Direction == In && r.State == Active:
		return workPull
	}
	return workNone
}

func get(tx *store.Tx, id ID) (record, error) {
	r, found, err := transferTable.Get(tx, id[:])
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return r, err
}

// put writes a transfer, and has what is to be done for it done.
func (s *Service) put(tx *store.Tx, r record) error {
	if err := transferTable.Put(tx, r.ID[:], r); err != nil {
		return err
	}
	tx.OnCommit(func() { s.arrange(r) })
	if r.work() == workNone {
		return workTable.Delete(tx, r.ID[:])
	}
	return workTable.Put(tx, r.ID[:], millis(tx.Now()))
}

// turn gives a transfer another state, with its event.
func (s *Service) turn(tx *store.Tx, r *record, to State, note string) error {
	r.State, r.Note = to, note
	if r.Ended = 0; to.Final() {
		r.Ended = millis(tx.Now())
	}
	if err := s.put(tx, *r); err != nil {
		return err
	}
	return emit(tx, contact.FileState, *r)
}

func emit(tx *store.Tx, t contact.EventType, r record) error {
	return tx.Emit(contact.Event{Type: t, At: tx.Now().UnixMilli(), Contact: r.Contact, ID: r.ID.String(), State: r.State.String()})
}

// dropPages forgets the manifest of a transfer.
func dropPages(tx *store.Tx, id ID) error {
	var keys [][]byte
	for row, err := range pageTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return err
		}
		keys = append(keys, row.Key)
	}
	for _, key := range keys {
		if err := pageTable.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// loadPage returns a page that is kept, nil if it is not.
func (s *Service) loadPage(id ID, kind pageKind, n uint64) (data []byte, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		p, _, err := pageTable.Get(tx, pageKey(id, kind, n))
		data = p.Data
		return err
	})
	return data, err
}

// savedPage is a page with its place.
type savedPage struct {
	kind pageKind
	n    uint64
	data []byte
}

// savePages keeps pages, together.
func (s *Service) savePages(id ID, pages []savedPage) error {
	if len(pages) == 0 {
		return nil
	}
	return s.db.Update(func(tx *store.Tx) error {
		for _, p := range pages {
			if err := pageTable.Put(tx, pageKey(id, p.kind, p.n), page{p.data}); err != nil {
				return err
			}
		}
		return nil
	})
}
