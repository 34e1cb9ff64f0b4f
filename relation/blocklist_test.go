package relation_test

import (
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

// TestBlocklistInPages: who was blocked last comes first, nobody twice and nobody
// not at all, also when it changes between two pages.
func TestBlocklistInPages(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		if page, total, err := a.Blocklist(relation.BlockedAfter{}, 10); len(page) != 0 || total != 0 || err != nil {
			t.Fatalf("%v, %d, %v", page, total, err)
		}
		a.add(b, relation.AddOptions{Remark: "Bobby"})
		a.block(b)
		since := time.Now()
		peer := func(i int) contact.ODID { return contact.ODID{1, byte(i)} }
		for i := range 9 {
			if i%2 == 0 { // two have the same time
				time.Sleep(time.Minute)
			}
			if err := a.Block(peer(i)); err != nil {
				t.Fatal(err)
			}
		}
		var got []contact.ODID
		var after relation.BlockedAfter
		for range 10 {
			page, total, err := a.Blocklist(after, 3)
			if err != nil || total != 10-len(got)/6 {
				t.Fatalf("%d in all, %v", total, err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got = append(got, p.ODID)
				was := p.ODID == b.odid()
				if p.KeepsContact != was || p.Reported || p.View.Status != contact.StatusBlocked || was && (p.Remark != "Bobby" || !p.At.Equal(since.Truncate(time.Millisecond))) {
					t.Errorf("%+v", p)
				}
			}
			after = relation.BlockedAfter{At: page[len(page)-1].At, ODID: page[len(page)-1].ODID}
			if len(got) == 6 { // the one that the next page comes after goes
				if err := a.Unblock(after.ODID); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []contact.ODID{peer(8), peer(6), peer(7), peer(4), peer(5), peer(2), peer(3), peer(0), peer(1), b.odid()}
		if len(got) != len(want) {
			t.Fatalf("%d in the pages", len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d: %v", i, got[i][:2])
			}
		}
	})
}
