package server

import (
	"fmt"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/relation"
)

// BenchmarkReadWholeList pages through 10,000 contacts, as a client that shows
// all of them does.
func BenchmarkReadWholeList(b *testing.B) {
	u := newWorld(b).user("ada")
	const n = 10_000
	for i := range n {
		if _, _, err := u.node.Relation.Add(identityOf(b), relation.AddOptions{Remark: fmt.Sprint("contact ", i)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		req := &contactsv1.ListContactsRequest{PageSize: maxPage}
		got := 0
		for {
			r, err := u.Contacts().ListContacts(u.ctx(), req)
			if err != nil {
				b.Fatal(err)
			}
			got += len(r.Contacts)
			if req.PageToken = r.NextPageToken; req.PageToken == "" {
				break
			}
		}
		if got != n {
			b.Fatalf("%d contacts", got)
		}
	}
}
