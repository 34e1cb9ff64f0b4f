package relation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/store"
)

// Contact is a contact as users and clients see it.
type Contact struct {
	ODID    contact.ODID
	Name    string // theirs, "" until it is known
	Remark  string // the user's own
	Source  Source
	App     string // keyword of the application it came by
	Wording string // of the request it came by
	AddedAt time.Time
	Groups  []string // names, in the order in which the groups were created
	Fields  map[string]contact.Value
	View    contact.View
	Removed bool // only a tombstone is left
}

// Title is what the contact is shown as: remark, else name, else short ODID.
func (c Contact) Title() string { return cmp.Or(c.Remark, c.Name, c.ODID.Short()) }

// enlist makes e a contact with these details and ends its tombstone.
func (s *Service) enlist(tx *store.Tx, e *entry, d details) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now := tx.Now().UnixMilli()
	d.Devices, d.AddedAt = []contact.ODID{e.peer}, now
	e.row.Contact = id[:]
	e.row.Marks.Removed = false
	e.row.Marks.AddedSeq = e.mine.Seq
	if err := errors.Join(e.keep(tx, details{}, d), tally(tx, 1, 0)); err != nil {
		return err
	}
	return tx.Emit(contact.Event{Type: contact.ContactAdded, At: now, Contact: e.peer, Detail: string(d.Source)})
}

// Remove takes a contact off the list and leaves a tombstone: only an explicit
// add or a pairing brings it back. With both, the peer is asked to do the same.
func (s *Service) Remove(peer contact.ODID, both bool) error {
	return s.update(peer, func(tx *store.Tx, e *entry) error {
		var part uint64
		if both {
			part = e.row.Marks.TheirsSeq
		}
		if err := s.charge(tx, e, contact.ActRemove); err != nil {
			return err
		}
		return s.drop(tx, e, part)
	})
}

// drop removes a listed contact, for the user or because the peer asked both to part.
func (s *Service) drop(tx *store.Tx, e *entry, part uint64) error {
	before := e.view()
	if err := s.issue(e, s.next(e).Unlist(part)); err != nil {
		return err
	}
	if err := s.bury(tx, e); err != nil {
		return err
	}
	tx.OnCommit(func() { s.touch(e.peer) })
	return s.settle(tx, e, before)
}

// bury leaves a tombstone of the entry's contact.
func (s *Service) bury(tx *store.Tx, e *entry) error {
	if err := e.discard(tx); err != nil {
		return err
	}
	e.refuse()
	e.row.Contact, e.row.Marks.OldPair = nil, nil
	e.row.Marks.Removed = true
	return s.cfg.DropStaged(tx, e.peer, tx.Now())
}

// Narrow withdraws permissions from a contact. It acts at once on this side;
// the contact is told when it can be reached.
func (s *Service) Narrow(peer contact.ODID, withdraw contact.Permissions) error {
	return s.update(peer, func(tx *store.Tx, e *entry) error {
		if e.mine.Grants&withdraw == 0 {
			return nil
		}
		if err := s.charge(tx, e, contact.ActNarrow); err != nil {
			return err
		}
		before := e.view()
		if err := s.describe(tx, e, func(d *details) { d.Chosen = true }); err != nil {
			return err
		}
		if err := s.issue(e, s.next(e).Narrow(withdraw)); err != nil {
			return err
		}
		tx.OnCommit(func() { s.touch(peer) })
		return s.settle(tx, e, before)
	})
}

// update runs f on a listed contact; ErrBlocked or ErrNotFound if peer is none.
func (s *Service) update(peer contact.ODID, f func(*store.Tx, *entry) error) error {
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := loadListed(tx, peer)
		if err != nil {
			return err
		}
		return f(tx, &e)
	})
}

// loadListed returns the entry of a contact; ErrBlocked or ErrNotFound if peer is none.
func loadListed(tx *store.Tx, peer contact.ODID) (entry, error) {
	e, err := load(tx, peer)
	switch {
	case err != nil:
		return entry{}, err
	case e.blocked():
		return entry{}, fmt.Errorf("change %s: %w", peer.Short(), ErrBlocked)
	case !e.listed():
		return entry{}, fmt.Errorf("%w: %s", ErrNotFound, peer.Short())
	}
	return e, nil
}

func (s *Service) assemble(tx *store.Tx, e *entry) (Contact, error) {
	d, _, err := e.details(tx)
	if err != nil || len(d.Groups) == 0 {
		return e.contact(d, grouping{}), err
	}
	g, err := loadGroups(tx)
	return e.contact(d, g), err
}

// contact is the entry and its details, as users see them.
func (e *entry) contact(d details, g grouping) Contact {
	return Contact{
		ODID:    e.peer,
		Name:    d.Name,
		Remark:  d.Remark,
		Source:  d.Source,
		App:     d.App,
		Wording: d.Wording,
		AddedAt: time.UnixMilli(d.AddedAt),
		Groups:  g.names(d.Groups),
		Fields:  d.Fields,
		View:    e.view(),
		Removed: e.row.Marks.Removed,
	}
}

// Get returns a contact, what is left of a removed one, or a blocked device;
// ErrNotFound otherwise.
func (s *Service) Get(peer contact.ODID) (c Contact, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		if len(e.row.Contact) == 0 && !e.row.Marks.Removed && !e.blocked() {
			return fmt.Errorf("%w: %s", ErrNotFound, peer.Short())
		}
		c, err = s.assemble(tx, &e)
		return err
	})
	return c, err
}

// List returns the contacts by title, with the removed and blocked ones if all.
func (s *Service) List(all bool) ([]Contact, error) {
	var list []Contact
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		list = list[:0]
		for row, err := range devices.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			e, err := takeApart(contact.ODID(row.Key), row.Value, true)
			if err != nil {
				return err
			}
			if !e.listed() && !(all && (e.row.Marks.Removed || e.blocked())) {
				continue
			}
			c, err := s.assemble(tx, &e)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	})
	sortByTitle(list)
	return list, err
}

// sortByTitle makes each title once: that of a contact without a name is costly.
func sortByTitle(list []Contact) {
	titles := make(map[contact.ODID]string, len(list))
	for _, c := range list {
		titles[c.ODID] = folded(c.Title())
	}
	slices.SortFunc(list, func(a, b Contact) int {
		return cmp.Or(cmp.Compare(titles[a.ODID], titles[b.ODID]), slices.Compare(a.ODID[:], b.ODID[:]))
	})
}
