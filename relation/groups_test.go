package relation_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
)

func ptr[T any](v T) *T { return &v }

func (d *device) get(peer contact.ODID) relation.Contact {
	d.t.Helper()
	c, err := d.Get(peer)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// limited fails the test unless err names this limit.
func limited(t *testing.T, err error, want string) {
	t.Helper()
	var limit *contact.LimitError
	if !errors.As(err, &limit) || limit.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestContactHasFields(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{Remark: "Bea", Source: relation.SourceConversation, App: "mail"})
		fields := map[string]contact.Value{
			"phone": contact.TextValue("123"), "key": contact.BytesValue([]byte{0, 1}), "age": contact.NumberValue(0),
		}
		if err := a.Edit(b.odid(), relation.Edit{Fields: fields}); err != nil {
			t.Fatal(err)
		}
		a.halt()
		a.start()
		c := a.get(b.odid())
		if c.Remark != "Bea" || c.Source != relation.SourceConversation || c.App != "mail" || !maps.Equal(c.Fields, fields) {
			t.Errorf("%+v", c)
		}
		err := a.Edit(b.odid(), relation.Edit{Remark: ptr("Beate"), App: ptr(""), Fields: map[string]contact.Value{"phone": {}, "city": contact.TextValue("Ulm")}})
		if err != nil {
			t.Fatal(err)
		}
		c = a.get(b.odid())
		if c.Remark != "Beate" || c.App != "" || len(c.Fields) != 3 || c.Fields["city"] != contact.TextValue("Ulm") || !c.Fields["phone"].IsZero() {
			t.Errorf("%+v", c)
		}
		a.whole()
	})
}

func TestLimitsOfAContactAreErrors(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		field := func(key, value string) error {
			return a.Edit(b.odid(), relation.Edit{Fields: map[string]contact.Value{key: contact.TextValue(value)}})
		}
		limited(t, field("k", strings.Repeat("x", 501)), "field k of 501 bytes, at most 500")
		limited(t, field(strings.Repeat("k", 31), "x"), "name of a field of 31 bytes, at most 30")
		limited(t, a.Edit(b.odid(), relation.Edit{App: ptr("telephone")}), "app of 9 letters, at most 8")
		for range 2 {
			for i := range contact.MaxFields {
				if err := field(fmt.Sprint("k", i), strings.Repeat("x", 500)); err != nil {
					t.Fatal(err)
				}
			}
		}
		limited(t, field("more", "x"), "contact of 65 fields, at most 64")
		for i := range contact.MaxGroups {
			if created, err := a.CreateGroup(fmt.Sprint("group ", i)); err != nil || !created {
				t.Fatal(created, err)
			}
		}
		_, err := a.CreateGroup("more")
		limited(t, err, "list of groups of 33 groups, at most 32")
		_, err = a.CreateGroup(strings.Repeat("x", 31))
		limited(t, err, "group of 31 bytes, at most 30")
		var invalid *contact.InvalidError
		for _, err := range []error{field("a-b", "x"), field("", "x"), field("k", "\xff"), a.RenameGroup("group 1", " x"), a.RenameGroup("group 1", "GROUP 2"),
			a.Edit(b.odid(), relation.Edit{App: ptr("app7")})} {
			if !errors.As(err, &invalid) {
				t.Errorf("%v is no *contact.InvalidError", err)
			}
		}
	})
}

func TestGroupsAreKeptByThemselves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{})
		a.add(c, relation.AddOptions{})
		groups := func(want ...relation.Group) {
			t.Helper()
			got, err := a.Groups()
			if err != nil || !slices.EqualFunc(got, want, func(a, b relation.Group) bool { return a.Name == b.Name && a.Contacts == b.Contacts }) {
				t.Fatalf("groups %+v, %v, want %+v", got, err, want)
			}
		}
		for _, name := range []string{"work", "Family", "FAMILY"} {
			if _, err := a.CreateGroup(name); err != nil {
				t.Fatal(err)
			}
		}
		groups(relation.Group{Name: "Family"}, relation.Group{Name: "work"})
		errs, err := a.Enter("family", []contact.ODID{b.odid(), a.odid(), c.odid()})
		if err != nil || errs[0] != nil || !errors.Is(errs[1], relation.ErrNotFound) || errs[2] != nil {
			t.Fatalf("%v, %v", errs, err)
		}
		if err := a.Edit(b.odid(), relation.Edit{Groups: ptr([]string{"WORK", "Family", "work"})}); err != nil {
			t.Fatal(err)
		}
		if got := a.get(b.odid()).Groups; !slices.Equal(got, []string{"work", "Family"}) {
			t.Errorf("groups of b: %v", got)
		}
		if err := a.RenameGroup("family", "Kin"); err != nil {
			t.Fatal(err)
		}
		groups(relation.Group{Name: "Kin", Contacts: 2}, relation.Group{Name: "work", Contacts: 1})
		if err := a.DeleteGroup("kin"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.CreateGroup("Kin"); err != nil { // nobody is in it by an id of the old one
			t.Fatal(err)
		}
		a.halt()
		a.start()
		groups(relation.Group{Name: "Kin"}, relation.Group{Name: "work", Contacts: 1})
		if errs, err := a.Leave("work", []contact.ODID{b.odid(), c.odid()}); err != nil || errs[0] != nil || errs[1] != nil {
			t.Errorf("%v, %v", errs, err)
		}
		groups(relation.Group{Name: "Kin"}, relation.Group{Name: "work"})
		_, err = a.Enter("nobody", []contact.ODID{b.odid()})
		for _, err := range []error{err, a.DeleteGroup("x"), a.RenameGroup("x", "y"), a.Edit(b.odid(), relation.Edit{Groups: &[]string{"x"}})} {
			if !errors.Is(err, relation.ErrNoGroup) {
				t.Errorf("%v, want ErrNoGroup", err)
			}
		}
		a.whole()
	})
}

// Nothing but an explicit add brings a removed contact back.
func TestTombstoneStandsAboveGroupsAndImports(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		if _, err := a.CreateGroup("g"); err != nil {
			t.Fatal(err)
		}
		a.add(b, relation.AddOptions{})
		if _, err := a.Enter("g", []contact.ODID{b.odid()}); err != nil {
			t.Fatal(err)
		}
		a.remove(b, false)
		for range 2 {
			errs, err := a.Enter("g", []contact.ODID{b.odid()})
			if err != nil || !errors.Is(errs[0], relation.ErrNotFound) {
				t.Errorf("enter: %v, %v", errs, err)
			}
			errs, err = a.AddAll([]relation.Addition{{Peer: b.odid(), AddOptions: relation.AddOptions{Source: relation.SourceImport}}})
			if err != nil || !errors.Is(errs[0], relation.ErrRemoved) {
				t.Errorf("import: %v, %v", errs, err)
			}
			if err := a.Edit(b.odid(), relation.Edit{Remark: ptr("x")}); !errors.Is(err, relation.ErrNotFound) {
				t.Errorf("edit: %v", err)
			}
			a.is(b, contact.StatusRemoved, contact.Untrusted)
			settle()
			a.halt()
			a.start()
		}
		a.add(b, relation.AddOptions{Source: relation.SourceProfile})
		if c := a.get(b.odid()); c.Source != relation.SourceProfile || len(c.Groups) != 0 {
			t.Errorf("added again: %+v", c)
		}
		a.whole()
	})
}

func TestManyAreAddedEachOnItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		var list []relation.Addition
		for i := range 150 {
			id, err := identity.FromSeed([32]byte{'m', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, relation.Addition{Peer: id.Self(), AddOptions: relation.AddOptions{Remark: fmt.Sprint("m", i), Source: relation.SourceImport, App: "book"}})
		}
		list[3].Peer = a.odid()
		list[70].Remark = strings.Repeat("x", 97)
		list[71].Source = relation.SourcePairing
		if err := a.Block(list[140].Peer); err != nil {
			t.Fatal(err)
		}
		for range 2 { // again changes nothing
			errs, err := a.AddAll(list)
			if err != nil {
				t.Fatal(err)
			}
			var limit *contact.LimitError
			var invalid *contact.InvalidError
			for i, err := range errs {
				good := err == nil
				switch i {
				case 3:
					good = errors.Is(err, relation.ErrSelf)
				case 70:
					good = errors.As(err, &limit)
				case 71:
					good = errors.As(err, &invalid)
				case 140:
					good = errors.Is(err, relation.ErrBlocked)
				}
				if !good {
					t.Errorf("item %d: %v", i, err)
				}
			}
			if n, err := a.Count(); n != 146 || err != nil {
				t.Errorf("%d contacts, %v", n, err)
			}
		}
		if c := a.get(list[149].Peer); c.Remark != "m149" || c.Source != relation.SourceImport || c.App != "book" {
			t.Errorf("%+v", c)
		}
		a.whole()
	})
}
