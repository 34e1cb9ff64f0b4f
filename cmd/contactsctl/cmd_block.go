package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) blockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "block CONTACT...",
		Short: "have nothing more to do with devices",
		Long: `block ends all contact with devices, whether they are contacts or not (name one
that is none by its whole ODID). To them it looks as if they had been removed.
What you know of a contact is kept, and what is queued for it waits. It takes
nothing back: what a device has read or received, it has.

Each is blocked on its own: exit code 1 says that some could not be. How many
can be is a setting (contactsctl settings set max-blocked=...).`,
		Example:           "  contactsctl block bob\n  contactsctl block odid1…",
		Args:              takes(1, -1),
		ValidArgsFunction: a.allNames,
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Contacts().BlockContacts(ctx, &contactsv1.BlockContactsRequest{Contacts: args})
			if err != nil {
				return err
			}
			return a.results(r.Results, "blocked")
		}),
	}
}

func (a *app) unblockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unblock CONTACT...",
		Short: "end blocks",
		Long: `unblock ends blocks, and says of each device what it is now.

Comes back:   a contact that was blocked, with your name for it, and old messages;
              what was queued for it goes out, if it lets you.
Does not:     trust and permissions (pair with it for both), what it wrote while it
              was blocked and did not keep, a contact that you had removed before.`,
		Args: takes(1, -1),
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Contacts().UnblockContacts(ctx, &contactsv1.UnblockContactsRequest{Contacts: args})
			if err != nil {
				return err
			}
			if a.json {
				return a.results(r.Results, "unblocked")
			}
			return a.unblocked(r)
		}),
	}
}

// unblocked prints what became of each device.
func (a *app) unblocked(r *contactsv1.UnblockContactsResponse) error {
	left := r.Unblocked
	for i, result := range r.Results {
		if result.Ok && len(left) > 0 {
			result.Item += ": " + becameText(left[0])
			left = left[1:]
		}
		if err := a.results(r.Results[i:i+1], "unblocked"); err != nil && !errors.Is(err, errPartly) {
			return err
		}
	}
	for _, result := range r.Results {
		if !result.Ok {
			return errPartly
		}
	}
	return nil
}

// becameText says what came back and what did not.
func becameText(u *contactsv1.Unblocked) string {
	switch {
	case u.Listed:
		return "a contact again, untrusted and allowed nothing; pair with it to trust it"
	case u.Relation == "removed":
		return "it stays removed; add it or pair with it to have it back"
	case u.Relation == "pending":
		return "its request waits again"
	}
	return "a stranger again"
}

func (a *app) blocklistCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "blocklist",
		Short: "list who is blocked",
		Long: `blocklist lists the devices that are blocked, who was blocked last first, and how
many there are of how many there may be (contactsctl settings set max-blocked=...).`,
		Args: takes(0, 0),
		RunE: a.call(a.blocklist),
	}
}

func (a *app) blocklist(ctx context.Context, _ []string) error {
	var blocked []*contactsv1.BlockedDevice
	req := &contactsv1.ListBlockedRequest{PageSize: pageSize}
	var r *contactsv1.ListBlockedResponse
	for {
		var err error
		if r, err = a.client.Blocklist().ListBlocked(ctx, req); err != nil {
			return err
		}
		blocked = append(blocked, r.Blocked...)
		if r.NextPageToken == "" {
			break
		}
		req.PageToken = r.NextPageToken
	}
	switch {
	case a.json:
		return array(a, blocked)
	case len(blocked) == 0:
		return a.aside("nobody is blocked")
	}
	rows := make([][]cell, 0, len(blocked))
	for _, b := range blocked {
		was := "no contact"
		if b.Contact {
			was = "contact"
		}
		name := cmp.Or(b.Remark, b.Name, short(b.Odid))
		rows = append(rows, []cell{{safe(name), plain}, {was, plain}, {ago(b.BlockedAt, a.now()), plain}, {b.Odid, dim}})
	}
	if err := a.table([]string{"name", "was", "blocked", "odid"}, rows); err != nil {
		return err
	}
	return a.aside(fmt.Sprintf("%d of at most %d", r.Total, r.Limit))
}
