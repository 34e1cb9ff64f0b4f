package relation_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/store"
)

// finds returns whom a text names by looking at every contact.
func (d *device) finds(text string) (found []contact.ODID) {
	d.t.Helper()
	list, err := d.List(true)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, blocked := range []bool{false, true} {
		for _, c := range list {
			if c.View.Status == contact.StatusBlocked != blocked || c.View.Status == contact.StatusRemoved {
				continue
			}
			called := strings.EqualFold(c.Remark, text) || strings.EqualFold(c.Name, text)
			if called || len(text) >= 9 && strings.HasPrefix(c.ODID.String(), strings.ToLower(text)) {
				found = append(found, c.ODID)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return found
}

// agrees fails the test unless Resolve finds what looking at everybody does, and
// the count and the index are right.
func (d *device) agrees(text string) {
	d.t.Helper()
	want := d.finds(text)
	got, err := d.Resolve(text)
	var many *relation.AmbiguousError
	var who []contact.ODID
	switch {
	case errors.As(err, &many):
		for _, c := range many.Candidates {
			who = append(who, c.ODID)
		}
	case err == nil:
		who = []contact.ODID{got.ODID}
	case !errors.Is(err, relation.ErrNotFound) && !errors.Is(err, contact.ErrODIDLength):
		d.t.Fatalf("%q: %v", text, err)
	}
	if !slices.Equal(who, want) {
		d.t.Fatalf("%q names %v, want %v", text, who, want)
	}
	list, err := d.List(false)
	if err != nil {
		d.t.Fatal(err)
	}
	if n, err := d.Count(); n != len(list) || err != nil {
		d.t.Fatalf("%d contacts are counted, %v; there are %d", n, err, len(list))
	}
	d.whole()
}

func (d *device) whole() {
	d.t.Helper()
	var damage store.Damages
	err := d.db.View(func(tx *store.Tx) error { return relation.Check(tx, d.odid(), &damage) })
	if err != nil || len(damage) > 0 {
		d.t.Fatalf("%v, %v", damage, err)
	}
}

// Whatever is done with contacts, they are found by what they are called.
func TestContactsAreFoundAfterAllThatHappensToThem(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		var peers []contact.ODID
		for i := range 12 {
			id, err := identity.FromSeed([32]byte{'i', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, id.Self())
		}
		texts := []string{"ana", "ANA", "Ána", "ſam", "SAM", "Kim", "\u212aim", "straße", "x", peers[0].Short(), "nobody at all"}
		for _, p := range peers {
			texts = append(texts, p.String()[:9], strings.ToUpper(p.String()[:20]), p.String()[:62])
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 600 {
			peer, text := peers[rnd.IntN(len(peers))], texts[rnd.IntN(11)]
			var err error
			switch rnd.IntN(7) {
			case 0:
				_, _, err = a.Add(peer, relation.AddOptions{Remark: text})
			case 1:
				err = a.SetRemark(peer, text)
			case 2:
				err = a.SetRemark(peer, "")
			case 3:
				err = a.db.Update(func(tx *store.Tx) error {
					return a.CommitPairing(tx, relation.Pairing{Peer: peer, Name: text, ID: contact.PairID{byte(rnd.Uint32())}})
				})
			case 4:
				err = a.Remove(peer, false)
			case 5:
				err = a.Block(peer)
			case 6:
				err = a.Unblock(peer)
			}
			if err != nil && !errors.Is(err, relation.ErrBlocked) && !errors.Is(err, relation.ErrNotFound) {
				t.Fatal(err)
			}
			a.agrees(texts[rnd.IntN(len(texts))])
		}
		for _, text := range texts {
			a.agrees(text)
		}
	})
}

func TestStoreFromBeforeTheIndexGetsOne(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c, e := w.device('a'), w.device('b'), w.device('c'), w.device('e')
		a.add(b, relation.AddOptions{Remark: "Bea"})
		a.commit(e, pairOne, 0)
		e.commit(a, pairOne, 0)
		settle()
		a.add(c, relation.AddOptions{Remark: "Cleo"})
		if err := a.Block(c.odid()); err != nil {
			t.Fatal(err)
		}
		relation.DropIndex(t, a.db)
		if _, err := a.Resolve("Bea"); !errors.Is(err, relation.ErrNotFound) {
			t.Fatalf("found without an index: %v", err)
		}
		a.whole() // it is no damage
		a.halt()
		a.start()
		for _, text := range []string{"bea", "cleo", "dora", b.odid().Short()} {
			a.agrees(text)
		}
		if n, err := a.Count(); n != 2 || err != nil {
			t.Errorf("%d contacts, %v; want 2", n, err)
		}
		if n := a.paired(); n != 1 {
			t.Errorf("%d are paired, want 1", n)
		}
	})
}
