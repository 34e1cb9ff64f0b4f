package main

import (
	"context"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) blockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "block CONTACT...",
		Short: "have nothing more to do with devices",
		Long: `block ends all contact with devices, whether they are contacts or not (name one
that is none by its whole ODID). To them it looks as if they had been removed.
What you know of a contact is kept, and what is queued for it waits. Each is
blocked on its own: exit code 1 says that some could not be. At most 1000 are.`,
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
		Long: `unblock ends blocks. Who was a contact is one again, untrusted and allowed
nothing; pair with it to trust it again.`,
		Args: takes(1, -1),
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Contacts().UnblockContacts(ctx, &contactsv1.UnblockContactsRequest{Contacts: args})
			if err != nil {
				return err
			}
			return a.results(r.Results, "unblocked")
		}),
	}
}

func (a *app) blocklistCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "blocklist",
		Short: "list who is blocked",
		Args:  takes(0, 0),
		RunE:  a.call(a.blocklist),
	}
}

func (a *app) blocklist(ctx context.Context, _ []string) error {
	blocked, err := a.contacts(ctx, listOptions{all: true, filter: "relation:blocked"})
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, blocked)
	case len(blocked) == 0:
		return a.aside("nobody is blocked")
	}
	rows := make([][]cell, 0, len(blocked))
	for _, c := range blocked {
		rows = append(rows, []cell{{safe(title(c)), plain}, {c.Odid, dim}})
	}
	return a.table([]string{"name", "odid"}, rows)
}
