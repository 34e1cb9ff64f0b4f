package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"contactsd/contact"
	"contactsd/node"
	"contactsd/store"
)

// kept runs two devices that paired and wrote to each other, and returns the path
// of the first one's store once both have halted.
func kept(t *testing.T) (path string, self contact.ODID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ana")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ana, bob := w.deviceAt("Ana", path), w.device("Bob")
		bob.types(ana, ana.showsCode())
		ana.writes(bob, "one")
		bob.halts()
		ana.writes(bob, "waits")
		ana.halts()
		self = ana.id.Self()
	})
	return path, self
}

func TestCheckOfAWholeDevice(t *testing.T) {
	path, self := kept(t)
	r, err := node.Check(path, self)
	if err != nil || len(r.Damage) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	rows := make(map[string]int)
	for _, s := range r.Tables {
		rows[s.Name] = s.Rows
	}
	if rows["message.history"] != 2 || rows["message.outbox"] != 1 || rows["relation/devices"] != 1 || rows["journal"] == 0 {
		t.Fatalf("%v", rows)
	}
}

// raw is any record, as bytes that are kept as they are.
type raw map[int]any

func TestCheckSeesWhatTablesSayOfEachOtherThatCanNotBe(t *testing.T) {
	first := func(tx *store.Tx, table store.Table[raw]) store.Row[raw] {
		for row, err := range table.Scan(tx, store.Range{}) {
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
		t.Fatal("empty table")
		return store.Row[raw]{}
	}
	for _, c := range []struct {
		table, want string
		damage      func(tx *store.Tx, table store.Table[raw]) error
	}{
		{"message.outbox", "queued and not in the outbox", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Delete(tx, first(tx, table).Key)
		}},
		{"message.history", "no such message in the history", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Delete(tx, first(tx, table).Key)
		}},
		{"message.id", "its id leads elsewhere", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Delete(tx, first(tx, table).Key)
		}},
		{"message.peer", "messages are counted", func(tx *store.Tx, table store.Table[raw]) error {
			row := first(tx, table)
			row.Value[2] = 7
			return table.Put(tx, row.Key, row.Value)
		}},
		{"relation/devices", "statement: ", func(tx *store.Tx, table store.Table[raw]) error {
			row := first(tx, table)
			signed := row.Value[2].(map[any]any)
			signed[uint64(2)].([]byte)[5] ^= 1
			return table.Put(tx, row.Key, row.Value)
		}},
		{"relation/contacts", "its contact is missing", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Delete(tx, first(tx, table).Key)
		}},
		{"relation/names", "not to be found by its name", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Delete(tx, first(tx, table).Key)
		}},
		{"relation/names", "1 names of nobody", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Put(tx, append([]byte("NOBODY\x00"), make([]byte, 32)...), raw{})
		}},
		{"relation/groups", "no group can have the id 3", func(tx *store.Tx, table store.Table[raw]) error {
			return table.Put(tx, []byte("all"), raw{1: 2, 2: []any{raw{1: 3, 2: "g", 3: 1}}})
		}},
		{"relation/totals", "of them paired, and 0 blocked devices; there are", func(tx *store.Tx, table store.Table[raw]) error {
			row := first(tx, table)
			row.Value[1] = 7
			return table.Put(tx, row.Key, row.Value)
		}},
	} {
		t.Run(c.want, func(t *testing.T) {
			path, self := kept(t)
			table := store.NewTable[raw](c.table, 1)
			switch c.table {
			case "relation/contacts":
				table = store.NewTable[raw](c.table, 3)
			case "relation/totals":
				table = store.NewTable[raw](c.table, 2)
			}
			db, err := store.Open(path, store.Options{}, table)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *store.Tx) error { return c.damage(tx, table) })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			r, err := node.Check(path, self)
			if err != nil || len(r.Damage) == 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			found := false
			for _, d := range r.Damage {
				found = found || strings.Contains(d.String(), c.want)
			}
			if !found {
				t.Fatalf("%v does not say %q", r.Damage, c.want)
			}
		})
	}
	path, _ := kept(t)
	r, err := node.Check(path, contact.ODID{1})
	if err != nil || len(r.Damage) == 0 {
		t.Fatalf("the store of another device: %+v, %v", r, err)
	}
}

// Time stands still in a bubble, so that all restores are of one moment. Each keeps
// the store that was there, and its log.
func TestRestoresOfOneMomentKeepEachStore(t *testing.T) {
	path, self := kept(t)
	home := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		names := make(map[string]bool)
		for _, was := range []string{"first", "second", "third"} {
			for _, name := range store.Files(home) {
				if err := os.WriteFile(name, []byte(was), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before, err := node.Restore(path, home, self)
			if err != nil {
				t.Fatal(err)
			}
			if names[before] {
				t.Errorf("%s is kept as %s, as was another", was, before)
			}
			names[before] = true
			for _, name := range store.Files(before) {
				if held, err := os.ReadFile(name); err != nil || string(held) != was {
					t.Errorf("%s holds %q, want %q: %v", name, held, was, err)
				}
			}
		}
	})
}

func TestRestoreTakesOnlyWhatIsWhole(t *testing.T) {
	path, self := kept(t)
	dir := t.TempDir()
	copied, home := filepath.Join(dir, "copy"), filepath.Join(dir, "store")
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(copied, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if before, err := node.Restore(copied, home, self); err != nil || before != "" {
		t.Fatalf("%q, %v", before, err)
	}
	before, err := node.Restore(copied, home, self)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{home, before, copied} {
		if r, err := node.Check(p, self); err != nil || len(r.Damage) > 0 {
			t.Fatalf("%s: %+v, %v", p, r, err)
		}
	}
	for name, c := range map[string]struct {
		self contact.ODID
		size int
		want error
	}{
		"cut":        {self, len(data) / 2, store.ErrCorrupt},
		"empty":      {self, 0, store.ErrCorrupt},
		"of another": {contact.ODID{1}, len(data), store.ErrCorrupt},
	} {
		if err := os.WriteFile(copied, data[:c.size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := node.Restore(copied, home, c.self); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if r, err := node.Check(home, self); err != nil || len(r.Damage) > 0 {
			t.Fatalf("%s: the store was touched: %+v, %v", name, r, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*restoring*"))
	if err != nil || len(left) > 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
}
