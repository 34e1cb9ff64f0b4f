package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

const pageSize = 1000

type listOptions struct {
	all          bool
	sort, filter string
}

func (a *app) listCommand() *cobra.Command {
	var opt listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the contacts",
		Long: `list shows the contacts.

Trust:     paired (● by a code), untrusted (○ by an ODID alone).
Relation:  accepted, or pending as long as the other side has not accepted;
           pending, left if it removed you.
Presence:  online, away, busy, offline, or unknown if they don't tell.`,
		Example: "  contactsctl list --filter presence:online\n  contactsctl list --sort -seen",
		Args:    takes(0, 0),
		RunE:    a.call(func(ctx context.Context, _ []string) error { return a.list(ctx, opt) }),
	}
	f := cmd.Flags()
	f.BoolVar(&opt.all, "all", false, "removed and blocked ones too")
	f.StringVar(&opt.sort, "sort", "", "`KEY` to sort by: name, added or seen; -name and so on for the other way round")
	f.StringVar(&opt.filter, "filter", "", "part of a remark or name, start of an ODID, or `WORD` like trust:paired, relation:pending, presence:online")
	cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]cobra.Completion{"name", "added", "seen"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// contacts returns all pages of the list.
func (a *app) contacts(ctx context.Context, opt listOptions) ([]*contactsv1.Contact, error) {
	var all []*contactsv1.Contact
	req := &contactsv1.ListContactsRequest{All: opt.all, Sort: opt.sort, Filter: opt.filter, PageSize: pageSize}
	for {
		r, err := a.client.Contacts().ListContacts(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Contacts...)
		if r.NextPageToken == "" {
			return all, nil
		}
		req.PageToken = r.NextPageToken
	}
}

func (a *app) list(ctx context.Context, opt listOptions) error {
	contacts, err := a.contacts(ctx, opt)
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, contacts)
	case len(contacts) == 0 && opt.filter != "":
		return a.aside("no contact fits")
	case len(contacts) == 0:
		return a.aside("no contacts; pair with a device: contactsctl show-code here, contactsctl pair CODE there")
	}
	rows := make([][]cell, 0, len(contacts))
	for _, c := range contacts {
		odid := short(c.Odid)
		if c.Relation == "removed" {
			odid = c.Odid // nothing shorter names it any more
		}
		rows = append(rows, []cell{
			{safe(title(c)), plain},
			trustCell(c),
			{relationText(c), plain},
			{presenceText(c.Presence, a.now()), presenceColor(c.Presence)},
			{odid, dim},
		})
	}
	return a.table([]string{"name", "trust", "relation", "presence", "odid"}, rows)
}

func (a *app) removeCommand() *cobra.Command {
	var both bool
	cmd := &cobra.Command{
		Use:   "remove CONTACT...",
		Short: "remove contacts",
		Long: `remove takes contacts off the list. Nothing the other side does brings them
back; adding or pairing does. The other side keeps you on its list and sees that
you left; --both asks it to remove you as well, which it does unless its user
does not want that, or added you again meanwhile. Each is removed on its own: exit code 1 says that
some could not be.`,
		Example:           "  contactsctl remove ada\n  contactsctl remove ada bob --both",
		Args:              takes(1, -1),
		ValidArgsFunction: a.allNames,
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Contacts().RemoveContacts(ctx, &contactsv1.RemoveContactsRequest{Contacts: args, Both: both})
			if err != nil {
				return err
			}
			return a.results(r.Results, "removed")
		}),
	}
	cmd.Flags().BoolVar(&both, "both", false, "ask the other side to remove this device as well")
	return cmd
}

// results prints what became of each item of a batch.
func (a *app) results(results []*contactsv1.Result, did string) error {
	failed := false
	for _, r := range results {
		failed = failed || !r.Ok
	}
	if a.json {
		if err := array(a, results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			if !r.Ok {
				a.warn("%s: %s", safe(r.Item), safe(strings.TrimSuffix(r.Error, fmt.Sprintf(": %q", r.Item))))
				continue
			}
			if err := a.say("%s %s", did, safe(r.Item)); err != nil {
				return err
			}
		}
	}
	if failed {
		return errPartly
	}
	return nil
}

func (a *app) permissionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "permissions CONTACT [narrow PERMISSION...]",
		Short: "show what a contact may do here, or withdraw some of it",
		Long: `permissions shows what a contact may do here and what this device may do there.
"narrow" withdraws permissions at once: messages, audio, video, status.`,
		Example:           "  contactsctl permissions ada narrow status audio",
		Args:              takes(1, -1),
		ValidArgsFunction: a.nameThen("narrow", "messages", "audio", "video", "status"),
		RunE:              a.call(a.permissions),
	}
}

func (a *app) permissions(ctx context.Context, args []string) error {
	var p *contactsv1.ContactPermissions
	switch {
	case len(args) == 1:
		r, err := a.client.Contacts().GetPermissions(ctx, &contactsv1.GetPermissionsRequest{Contact: args[0]})
		if err != nil {
			return err
		}
		p = r.Permissions
	case args[1] != "narrow":
		return usage("use: contactsctl permissions CONTACT narrow PERMISSION...", "unknown action %q", args[1])
	case len(split(args[2:])) == 0:
		return usage("name one or more of messages, audio, video, status", "nothing to withdraw")
	default:
		r, err := a.client.Contacts().NarrowPermissions(ctx, &contactsv1.NarrowPermissionsRequest{Contact: args[0], Permissions: split(args[2:])})
		if err != nil {
			return err
		}
		p = r.Permissions
	}
	if a.json {
		return a.object(p)
	}
	return a.fields([2]string{"may here", list(p.PermissionsGiven)}, [2]string{"you may", list(p.PermissionsReceived)})
}
