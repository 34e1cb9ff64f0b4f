package relation_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/store"
)

// there stands for the presence feature.
type there struct {
	state  map[contact.ODID]string    // of those heard since the start
	seen   map[contact.ODID]time.Time // of the same
	before map[contact.ODID]time.Time // written down
}

func (p there) Each(f func(contact.ODID, string, time.Time)) {
	for peer, state := range p.state {
		f(peer, state, p.seen[peer])
	}
}

func (p there) Sightings(f func(contact.ODID, time.Time)) error {
	for peer, at := range p.before {
		f(peer, at)
	}
	return nil
}

func (p there) stateOf(peer contact.ODID) string { return cmp.Or(p.state[peer], "unknown") }

func (p there) last(peer contact.ODID) time.Time {
	if p.state[peer] != "" {
		return p.seen[peer]
	}
	return p.before[peer]
}

func has(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }

func inGroup(name string) func(there, relation.Contact) bool {
	return func(_ there, c relation.Contact) bool { return slices.Contains(c.Groups, name) }
}

// filters are filters beside what they mean, said as simply as possible.
func filters() map[string]func(there, relation.Contact) bool {
	text := func(part string) func(there, relation.Contact) bool {
		return func(_ there, c relation.Contact) bool {
			return has(c.Remark, part) || has(c.Name, part) || strings.HasPrefix(c.ODID.String(), part)
		}
	}
	return map[string]func(there, relation.Contact) bool{
		"":                 func(there, relation.Contact) bool { return true },
		"an":               text("an"),
		`"X y"`:            text("x y"),
		`"a\"b"`:           text(`a"b`),
		"odid":             text("odid"),
		"odid1q":           text("odid1q"),
		"AN k":             func(p there, c relation.Contact) bool { return text("an")(p, c) && text("k")(p, c) },
		"trust:paired":     func(_ there, c relation.Contact) bool { return c.View.Trust == contact.Paired },
		"relation:pending": func(_ there, c relation.Contact) bool { return c.View.Status == contact.StatusPending },
		"relation:removed": func(_ there, c relation.Contact) bool { return c.View.Status == contact.StatusRemoved },
		"relation:blocked an": func(p there, c relation.Contact) bool {
			return c.View.Status == contact.StatusBlocked && text("an")(p, c)
		},
		"presence:online":       func(p there, c relation.Contact) bool { return p.stateOf(c.ODID) == "online" },
		"presence:unknown":      func(p there, c relation.Contact) bool { return p.stateOf(c.ODID) == "unknown" },
		"source:odid":           func(_ there, c relation.Contact) bool { return c.Source == relation.SourceODID },
		"Source:PAIRING":        func(_ there, c relation.Contact) bool { return c.Source == relation.SourcePairing },
		"app:MAIL":              func(_ there, c relation.Contact) bool { return strings.EqualFold(c.App, "mail") },
		"permission:messages":   func(_ there, c relation.Contact) bool { return c.View.Given.Has(contact.Messages) },
		"permission:status":     func(_ there, c relation.Contact) bool { return c.View.Given.Has(contact.Presence) },
		"group:a":               inGroup("a"),
		`group:"B c"`:           inGroup("b C"),
		"field:CITY":            func(_ there, c relation.Contact) bool { return !c.Fields["city"].IsZero() },
		"field:city=ULM":        func(_ there, c relation.Contact) bool { return c.Fields["city"] == contact.TextValue("Ulm") },
		`field:city="New York"`: func(_ there, c relation.Contact) bool { return c.Fields["city"] == contact.TextValue("New York") },
		"field:n=7":             func(_ there, c relation.Contact) bool { return c.Fields["n"].String() == "7" },
		"field:n=00FF":          func(_ there, c relation.Contact) bool { return c.Fields["n"] == contact.BytesValue([]byte{0, 255}) },
	}
}

// naive lists by looking at every contact.
func (d *device) naive(p there, all bool, filter, sort string) (peers []contact.ODID) {
	d.t.Helper()
	list, err := d.List(all)
	if err != nil {
		d.t.Fatal(err)
	}
	fits := filters()[filter]
	list = slices.DeleteFunc(list, func(c relation.Contact) bool { return !fits(p, c) })
	key, reverse := strings.CutPrefix(sort, "-")
	slices.SortStableFunc(list, func(a, b relation.Contact) int {
		switch key {
		case "added":
			return a.AddedAt.Compare(b.AddedAt)
		case "seen":
			return p.last(a.ODID).Compare(p.last(b.ODID))
		case "trust":
			return cmp.Compare(a.View.Trust, b.View.Trust)
		case "relation":
			return cmp.Compare(a.View.Status, b.View.Status)
		case "source":
			return cmp.Compare(a.Source, b.Source)
		}
		return 0
	})
	if reverse {
		slices.Reverse(list)
	}
	for _, c := range list {
		peers = append(peers, c.ODID)
	}
	return peers
}

// pages lists page by page.
func (d *device) pages(p there, all bool, filter, sort string, size int) (peers []contact.ODID) {
	d.t.Helper()
	q := relation.Query{All: all, Presence: p, Limit: size}
	var err error
	if q.Filter, err = relation.ParseFilter(filter); err != nil {
		d.t.Fatal(err)
	}
	if q.Sort, err = relation.ParseSort(sort); err != nil {
		d.t.Fatal(err)
	}
	for {
		page, err := d.Page(q)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, c := range page.Contacts {
			peers = append(peers, c.ODID)
		}
		if page.Next == 0 {
			if page.Total != len(peers) {
				d.t.Fatalf("%q by %q: %d in all, %d on pages", filter, sort, page.Total, len(peers))
			}
			return peers
		}
		q.Place, q.After = page.Next, page.Last
	}
}

// Whatever is done with contacts, lists from memory are those that looking at
// every contact makes; after a restart too.
func TestListIsWhatLookingAtEveryContactMakes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		peers := []contact.ODID{b.odid(), c.odid()}
		for i := range 12 {
			id, err := identity.FromSeed([32]byte{'r', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, id.Self())
		}
		b.add(a, relation.AddOptions{})
		now := there{make(map[contact.ODID]string), make(map[contact.ODID]time.Time), make(map[contact.ODID]time.Time)}
		for _, peer := range peers[:7] {
			now.before[peer] = time.Unix(int64(peer[3]), 0)
		}
		rnd := rand.New(rand.NewPCG(3, 4))
		one := func(list ...string) string { return list[rnd.IntN(len(list))] }
		for step := range 500 {
			peer := peers[rnd.IntN(len(peers))]
			text := one("Ana", "ANKE", "x Y z", `a"b`, "k", "", "Ärger", "\u212aim", "ſam")
			var err error
			switch rnd.IntN(16) {
			case 0, 1, 2:
				_, _, err = a.Add(peer, relation.AddOptions{Remark: text, App: one("", "Mail", "book"), Source: relation.Source(one("", "profile", "import")), OneWay: rnd.IntN(3) == 0})
			case 3:
				err = a.Edit(peer, relation.Edit{Remark: &text})
			case 4:
				err = a.Edit(peer, relation.Edit{App: ptr(one("mail", ""))})
			case 5:
				city := contact.TextValue(one("", "Ulm", "New York"))
				err = a.Edit(peer, relation.Edit{Fields: map[string]contact.Value{"city": city}})
			case 6:
				n := []contact.Value{{}, contact.NumberValue(7), contact.BytesValue([]byte{0, 255}), contact.TextValue("7")}[rnd.IntN(4)]
				err = a.Edit(peer, relation.Edit{Fields: map[string]contact.Value{"n": n}})
			case 7:
				_, err = a.Enter(one("a", "b c"), peers[:rnd.IntN(len(peers))])
			case 8:
				_, err = a.Leave(one("a", "b c"), []contact.ODID{peer})
			case 9:
				if rnd.IntN(5) == 0 {
					err = a.DeleteGroup(one("a", "b C"))
				}
			case 10:
				err = a.db.Update(func(tx *store.Tx) error {
					return a.CommitPairing(tx, relation.Pairing{Peer: peer, Name: text, ID: contact.PairID{byte(rnd.Uint32())}})
				})
			case 11:
				err = a.Remove(peer, false)
			case 12:
				err = a.Block(peer)
			case 13, 14:
				err = a.Unblock(peer)
			case 15:
				now.state[peer], now.seen[peer] = one("online", "away"), time.Unix(rnd.Int64N(200), 0)
			}
			if err != nil && !errors.Is(err, relation.ErrBlocked) && !errors.Is(err, relation.ErrNotFound) && !errors.Is(err, relation.ErrRemoved) && !errors.Is(err, relation.ErrNoGroup) {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b C"} {
				if _, err := a.CreateGroup(name); err != nil {
					t.Fatal(err)
				}
			}
			for _, peer := range peers { // presence forgets who is no contact
				if v := a.viewOf(peer); v.Status != contact.StatusAccepted && v.Status != contact.StatusPending {
					delete(now.before, peer)
				}
			}
			switch {
			case step%120 == 60:
				a.halt()
				a.start()
			case step%40 == 20:
				settle() // the others answer
			case step == 301:
				a.MarkMany()
			}
			for filter := range filters() {
				if step%10 != 9 && rnd.IntN(6) > 0 {
					continue
				}
				all, sort := rnd.IntN(2) == 0, one("", "name", "-name", "added", "-added", "seen", "-seen", "trust", "-trust", "relation", "source", "-source")
				got, want := a.pages(now, all, filter, sort, 1+rnd.IntN(6)), a.naive(now, all, filter, sort)
				if !slices.Equal(got, want) {
					t.Fatalf("step %d, %q by %q, all %v: %v, want %v", step, filter, sort, all, got, want)
				}
			}
			groups, err := a.Groups()
			if err != nil || len(groups) != 2 {
				t.Fatal(groups, err)
			}
			for _, g := range groups {
				want := 0
				list, err := a.List(false)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range list {
					if slices.Contains(c.Groups, g.Name) {
						want++
					}
				}
				if g.Contacts != want {
					t.Fatalf("group %s of %d, want %d", g.Name, g.Contacts, want)
				}
			}
		}
	})
}

func (d *device) viewOf(peer contact.ODID) (v contact.View) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		v, _, err = d.View(tx, peer)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestRosterIsLetGoOf(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.add(b, relation.AddOptions{})
		if a.HasRoster() {
			t.Error("there before anybody listed")
		}
		for range 2 {
			if got := a.pages(there{}, false, "", "", 10); len(got) != 1 {
				t.Errorf("listed %v", got)
			}
			time.Sleep(4 * time.Minute)
			a.pages(there{}, false, "", "", 10)
			time.Sleep(4 * time.Minute)
			if !a.HasRoster() {
				t.Error("gone while it is used")
			}
			time.Sleep(2 * time.Minute)
			if a.HasRoster() {
				t.Error("kept for nobody")
			}
		}
	})
}

// Lists while others write see each contact once, and what was done before.
func TestListsAreRightWhileOthersWrite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		var peers []contact.ODID
		for i := range 40 {
			id, err := identity.FromSeed([32]byte{'c', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, id.Self())
		}
		var writers sync.WaitGroup
		for k := range 4 {
			writers.Go(func() {
				for i := k; i < len(peers); i += 4 {
					if _, _, err := a.Add(peers[i], relation.AddOptions{Remark: fmt.Sprint("x", i)}); err != nil {
						t.Error(err)
					}
					got := a.pages(there{}, false, fmt.Sprintf("%q", fmt.Sprint("x", i)), "", 100)
					if !slices.Contains(got, peers[i]) {
						t.Errorf("added and not listed: %d", i)
					}
					if i%3 == 0 {
						if err := a.Remove(peers[i], false); err != nil {
							t.Error(err)
						}
						if got := a.pages(there{}, false, "", "-added", 1000); slices.Contains(got, peers[i]) {
							t.Errorf("removed and listed: %d", i)
						}
					}
				}
			})
		}
		writers.Wait()
		if got, want := a.pages(there{}, true, "", "", 1000), a.naive(there{}, true, "", ""); !slices.Equal(got, want) {
			t.Errorf("%d, want %d", len(got), len(want))
		}
	})
}
