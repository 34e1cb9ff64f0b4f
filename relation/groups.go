package relation

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// ErrNoGroup says that no group is called like that.
var ErrNoGroup = errors.New("no such group")

// groupings has one row: the groups there are. A contact's row names its groups by
// id, so that renaming and deleting one touches no contact; what it names that is
// gone means nothing, and no id is given twice.
var groupings = store.NewTable[grouping]("relation/groups", 1)

// grouping is the groups, in the order in which they were created.
type grouping struct {
	Last   groupID `cbor:"1,keyasint"` // the highest id ever given
	Groups []group `cbor:"2,keyasint"`
}

type groupID uint64

type group struct {
	ID   groupID `cbor:"1,keyasint"`
	Name string  `cbor:"2,keyasint"`
	At   int64   `cbor:"3,keyasint"` // Unix milliseconds
}

// Group is a group of contacts as users see it.
type Group struct {
	Name      string
	Contacts  int // that are in it and not blocked
	CreatedAt time.Time
}

func groupingKey() []byte { return []byte("all") }

func loadGroups(tx *store.Tx) (grouping, error) {
	g, _, err := groupings.Get(tx, groupingKey())
	return g, err
}

// place returns where the group of a name is, in any case; -1 if there is none.
func (g grouping) place(name string) int {
	return slices.IndexFunc(g.Groups, func(o group) bool { return fold(o.Name) == fold(name) })
}

// find returns the group of a name, or an error that wraps ErrNoGroup.
func (g grouping) find(name string) (group, error) {
	i := g.place(name)
	if i < 0 {
		return group{}, fmt.Errorf("%w: %q", ErrNoGroup, name)
	}
	return g.Groups[i], nil
}

// names returns what groups are called; those that are gone are left out.
func (g grouping) names(ids []groupID) (names []string) {
	for _, o := range g.Groups {
		if slices.Contains(ids, o.ID) {
			names = append(names, o.Name)
		}
	}
	return names
}

// known returns those ids whose group is there.
func (g grouping) known(ids []groupID) []groupID {
	return slices.DeleteFunc(slices.Clone(ids), func(id groupID) bool {
		return !slices.ContainsFunc(g.Groups, func(o group) bool { return o.ID == id })
	})
}

// CreateGroup makes an empty group. created is false if there is one of that name,
// in any case. Errors: *contact.LimitError, *contact.InvalidError.
func (s *Service) CreateGroup(name string) (created bool, err error) {
	if err := contact.CheckGroup(name); err != nil {
		return false, err
	}
	err = s.regroup(func(tx *store.Tx, g *grouping) error {
		created = g.place(name) < 0
		if !created {
			return nil
		}
		if len(g.Groups) == contact.MaxGroups {
			return &contact.LimitError{Field: "list of groups", Got: len(g.Groups) + 1, Limit: contact.MaxGroups, Unit: "groups"}
		}
		g.Last++
		g.Groups = append(g.Groups, group{g.Last, name, tx.Now().UnixMilli()})
		return nil
	})
	return created, err
}

// RenameGroup gives a group another name; its contacts stay in it. Errors:
// ErrNoGroup, *contact.LimitError, *contact.InvalidError, also if another group has
// that name.
func (s *Service) RenameGroup(name, to string) error {
	if err := contact.CheckGroup(to); err != nil {
		return err
	}
	return s.regroup(func(_ *store.Tx, g *grouping) error {
		o, err := g.find(name)
		if err != nil {
			return err
		}
		if i := g.place(to); i >= 0 && g.Groups[i].ID != o.ID {
			return &contact.InvalidError{Field: "group", Reason: fmt.Sprintf("there is one called %q already", g.Groups[i].Name)}
		}
		g.Groups[g.place(name)].Name = to
		return nil
	})
}

// DeleteGroup takes away a group, not the contacts in it. Errors: ErrNoGroup.
func (s *Service) DeleteGroup(name string) error {
	return s.regroup(func(_ *store.Tx, g *grouping) error {
		o, err := g.find(name)
		if err != nil {
			return err
		}
		g.Groups = slices.DeleteFunc(g.Groups, func(p group) bool { return p.ID == o.ID })
		return nil
	})
}

// regroup changes the groups and journals it.
func (s *Service) regroup(change func(*store.Tx, *grouping) error) error {
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		g, err := loadGroups(tx)
		if err != nil {
			return err
		}
		was := slices.Clone(g.Groups)
		if err := change(tx, &g); err != nil || slices.Equal(was, g.Groups) {
			return err
		}
		if err := groupings.Put(tx, groupingKey(), g); err != nil {
			return err
		}
		return tx.Emit(contact.Event{Type: contact.GroupsChanged, At: tx.Now().UnixMilli()})
	})
}

// Enter puts contacts into a group; Leave takes them out. err is ErrNoGroup or one
// of the disk, errs says of each contact why it could not be done: ErrNotFound,
// also for a removed one, or ErrBlocked.
func (s *Service) Enter(name string, peers []contact.ODID) (errs []error, err error) {
	return s.move(name, peers, func(ids []groupID, id groupID) []groupID {
		at, found := slices.BinarySearch(ids, id)
		if found {
			return ids
		}
		return slices.Insert(ids, at, id)
	})
}

// Leave is the opposite of Enter.
func (s *Service) Leave(name string, peers []contact.ODID) (errs []error, err error) {
	return s.move(name, peers, func(ids []groupID, id groupID) []groupID {
		return slices.DeleteFunc(ids, func(o groupID) bool { return o == id })
	})
}

func (s *Service) move(name string, peers []contact.ODID, change func([]groupID, groupID) []groupID) (errs []error, err error) {
	errs = make([]error, len(peers))
	err = s.inParts(len(peers), func(tx *store.Tx, i int) error {
		errs[i] = nil // it may run twice
		g, err := loadGroups(tx)
		if err != nil {
			return err
		}
		o, err := g.find(name)
		if err != nil {
			return err
		}
		e, err := loadListed(tx, peers[i])
		if err == nil {
			err = s.describe(tx, &e, func(d *details) { d.Groups = change(g.known(d.Groups), o.ID) })
		}
		if refused(err) {
			errs[i], err = err, nil
		}
		return err
	})
	return errs, err
}

// Groups returns the groups by name.
func (s *Service) Groups() (list []Group, err error) {
	err = s.withLines(func(l *lines) error {
		in := l.count()
		for _, o := range l.known.Groups {
			list = append(list, Group{Name: o.Name, Contacts: in[o.ID], CreatedAt: time.UnixMilli(o.At)})
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(strings.Compare(folded(a.Name), folded(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return list, err
}

// count returns how many listed contacts are in each group.
func (l *lines) count() map[groupID]int {
	var in [contact.MaxGroups]int
	for i := range l.rows {
		for set := l.rows[i].groups; set != 0 && l.rows[i].listed; set &= set - 1 {
			in[bits.TrailingZeros32(set)]++
		}
	}
	sizes := make(map[groupID]int)
	for bit, id := range l.groups {
		if id != 0 {
			sizes[id] = in[bit]
		}
	}
	return sizes
}

// checkGroups adds to d the groups that can't be.
func checkGroups(tx *store.Tx, d *store.Damages) error {
	g, err := loadGroups(tx)
	if err != nil {
		return err
	}
	last := groupID(0)
	for _, o := range g.Groups {
		if o.ID <= last || o.ID > g.Last || contact.CheckGroup(o.Name) != nil {
			d.Add("relation/groups", groupingKey(), "no group can have the id %d and the name %q", o.ID, o.Name)
		}
		last = o.ID
	}
	return nil
}
