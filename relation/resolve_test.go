package relation_test

import (
	"errors"
	"testing"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/store"
)

// A contact chooses its own name. One that calls itself like the ODID of another
// must not get what is meant for that one.
func TestNoNameStandsAboveAnODID(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{})
		calls := func(name string) {
			err := a.db.Update(func(tx *store.Tx) error {
				return a.CommitPairing(tx, relation.Pairing{Peer: c.odid(), Name: name, ID: contact.PairID{byte(len(name))}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		calls(b.odid().Short())
		var many *relation.AmbiguousError
		if got, err := a.Resolve(b.odid().Short()); !errors.As(err, &many) || len(many.Candidates) != 2 {
			t.Errorf("the start of an ODID that is a name, too: %s, %v; want both as candidates", got.ODID.Short(), err)
		}
		calls(b.odid().String())
		if got, err := a.Resolve(b.odid().String()); err != nil || got.ODID != b.odid() {
			t.Errorf("a whole ODID: %s, %v", got.ODID.Short(), err)
		}
		a.remove(b, false)
		if got, err := a.Resolve(b.odid().String()); err != nil || got.ODID != b.odid() || !got.Removed {
			t.Errorf("the ODID of a removed contact: %s, %v", got.ODID.Short(), err)
		}
		if err := a.SetRemark(c.odid(), "Cleo"); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Resolve("cleo"); err != nil || got.ODID != c.odid() {
			t.Errorf("a remark: %s, %v", got.ODID.Short(), err)
		}
	})
}
