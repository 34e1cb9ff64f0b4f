package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/node"
	"contactsd/relation"
)

// What the contacts of a long list have: each tenth is in a group and has a field.
const (
	describedEvery = 10
	cities         = 100
)

// listLimit is what a page may take, in ms.
const listLimit = 20

// lists measures a page of a list, filtered and sorted in several ways, with few,
// some and many contacts, and what the first list costs.
func (b *bench) lists(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range []int{fewContacts, someContacts, b.manyContacts} {
		f, err := b.fill(fmt.Sprintf("list-%d", n), load{contacts: n, described: true})
		if err != nil {
			return nil, err
		}
		measured, err := b.list(ctx, f, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

func (b *bench) list(ctx context.Context, f *filled, n int) (rows []row, err error) {
	if err := f.Start(ctx); err != nil {
		return nil, err
	}
	defer f.Stop(syscall.SIGTERM)
	time.Sleep(calm)
	with := ", with " + count(n) + " contacts"
	before, err := rssAnon(f.PID())
	if err != nil {
		return nil, err
	}
	page := func(req *contactsv1.ListContactsRequest) (*contactsv1.ListContactsResponse, error) {
		return f.Contacts().ListContacts(ctx, req)
	}
	cpu, err := cpuTime(f.PID())
	if err != nil {
		return nil, err
	}
	began := time.Now()
	first, err := page(&contactsv1.ListContactsRequest{})
	if err != nil {
		return nil, err
	}
	if int(first.Total) != n {
		return nil, fmt.Errorf("%d contacts are listed, want %d", first.Total, n)
	}
	took := time.Since(began)
	used, err := cpuTime(f.PID())
	if err != nil {
		return nil, err
	}
	after, err := rssAnon(f.PID())
	if err != nil {
		return nil, err
	}
	rows = append(rows, compare("first list"+with, took.Seconds()*1000, "ms", "20 µs a contact", max(listLimit, 0.02*float64(n))))
	many := n == b.manyContacts
	if many {
		rows = append(rows,
			compare("CPU of the first list"+with, (used-cpu).Seconds()*1000, "ms", "20 µs a contact", 0.02*float64(n)),
			compare("memory of a contact in lists, of "+count(n), float64(after-before)*1.024/float64(n), "KB", "limit", 1.6))
	}
	nobody, err := newPeer() // so that the place in the token counts
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name string
		req  *contactsv1.ListContactsRequest
	}{
		{"page by name", &contactsv1.ListContactsRequest{}},
		{"page by time added", &contactsv1.ListContactsRequest{Sort: "-added"}},
		{"page by last seen", &contactsv1.ListContactsRequest{Sort: "-seen"}},
		{"page by relation", &contactsv1.ListContactsRequest{Sort: "relation"}},
		{"page by source", &contactsv1.ListContactsRequest{Sort: "source"}},
		{"page of a text", &contactsv1.ListContactsRequest{Filter: "contact 0"}},
		{"page of a group", &contactsv1.ListContactsRequest{Filter: "group:friends", Sort: "trust"}},
		{"page of a field", &contactsv1.ListContactsRequest{Filter: `field:city="city 0"`}},
		{"page by presence and application", &contactsv1.ListContactsRequest{Filter: "presence:unknown app:bench permission:messages", Sort: "-seen"}},
		{"last page", &contactsv1.ListContactsRequest{PageToken: fmt.Sprintf("%d:%s", max(n-100, 1), nobody), Sort: "-name"}},
		{"page after a change", nil},
	} {
		cpu, err := cpuTime(f.PID())
		if err != nil {
			return nil, err
		}
		pages := 10 * b.runs
		took, err := turns(pages, []*filled{f}, func(f *filled, i int) (time.Duration, error) {
			req := c.req
			if req == nil {
				name := fmt.Sprintf("changed %06d", i)
				if _, err := f.Contacts().SetContact(ctx, &contactsv1.SetContactRequest{Contact: f.peers[i%n].String(), Remark: &name}); err != nil {
					return 0, err
				}
				req = &contactsv1.ListContactsRequest{}
			}
			began := time.Now()
			_, err := page(req)
			return time.Since(began), err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		used, err := cpuTime(f.PID())
		if err != nil {
			return nil, err
		}
		rows = append(rows, compare(c.name+with, took[0], "ms", "limit", listLimit))
		if many { // which tells more when others use the machine
			rows = append(rows, compare("CPU of a "+c.name+with, (used-cpu).Seconds()*1000/float64(pages), "ms", "limit", listLimit))
		}
	}
	return rows, nil
}

// describe gives contacts groups and fields.
func describe(n *node.Node, peers []contact.ODID) error {
	if _, err := n.Relation.CreateGroup("friends"); err != nil {
		return err
	}
	return each((len(peers)+describedEvery-1)/describedEvery, fillers, func(i int) error {
		city := contact.TextValue(fmt.Sprintf("City %d", i%cities))
		return n.Relation.Edit(peers[i*describedEvery], relation.Edit{
			Groups: &[]string{"friends"}, Fields: map[string]contact.Value{"city": city, "n": contact.NumberValue(uint64(i))},
		})
	})
}
