package server

import (
	"fmt"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/message"
	"contactsd/relation"
	"contactsd/store"
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

// BenchmarkSendMany puts messages of 1 KiB into the outbox through the socket, in
// batches, with the disk as it is.
func BenchmarkSendMany(b *testing.B) {
	for _, size := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			u := newWorld(b).userWith("ada", store.Options{})
			peer := identityOf(b)
			if _, _, err := u.node.Relation.Add(peer, relation.AddOptions{}); err != nil {
				b.Fatal(err)
			}
			text := strings.Repeat("x", 1024)
			sent := 0
			for b.Loop() {
				req := &contactsv1.SendManyRequest{}
				for range size {
					id, err := message.NewID()
					if err != nil {
						b.Fatal(err)
					}
					req.Messages = append(req.Messages, &contactsv1.SendMessageRequest{Id: id.String(), Contact: peer.String(), Text: text})
				}
				r, err := u.Messages().SendMany(b.Context(), req)
				if err != nil {
					b.Fatal(err)
				}
				for _, m := range r.Results {
					if m.Ok {
						sent++
					}
				}
				if sent > 90_000 { // near the limit of what may wait
					b.StopTimer()
					u = newWorld(b).userWith("ada", store.Options{})
					if _, _, err := u.node.Relation.Add(peer, relation.AddOptions{}); err != nil {
						b.Fatal(err)
					}
					sent = 0
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
