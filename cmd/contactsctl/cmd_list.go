package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

type listOptions struct {
	all                 bool
	sort, filter, group string
}

func (a *app) listCommand() *cobra.Command {
	var opt listOptions
	sorts := []cobra.Completion{"name", "added", "seen", "trust", "relation", "source"}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the contacts",
		Long: `list shows the contacts.

Trust:     paired (● by a code), untrusted (○ by an ODID alone).
Relation:  accepted, or pending as long as the other side has not accepted;
           pending, left if it removed you.
Presence:  online, away, busy, offline, or unknown if they don't tell.

A filter is one or more words, all of which must fit:
  TEXT                 part of your name for it or of its own, or the start of
                       its ODID
  trust:paired         or untrusted
  relation:pending     or accepted, and with --all blocked, reported, removed
  presence:online      or away, busy, offline, unknown
  permission:video     it may do that here; or messages, audio, status
  group:work           it is in the group
  source:import        or pairing, odid, profile, conversation, request
  app:mail             it came by that application
  field:phone          it has a field; field:city=Ulm of that value
What has spaces is put in double quotes: group:"close family". Case does not
matter.`,
		Example: "  contactsctl list --filter presence:online\n  contactsctl list --filter 'ada group:work' --sort -seen\n  contactsctl list --group \"close family\"",
		Args:    takes(0, 0),
		RunE:    a.call(func(ctx context.Context, _ []string) error { return a.list(ctx, opt) }),
	}
	f := cmd.Flags()
	f.BoolVar(&opt.all, "all", false, "removed and blocked ones too")
	f.StringVar(&opt.sort, "sort", "", "`KEY` to sort by: name, added, seen, trust, relation or source; -name and so on for the other way round")
	f.StringVar(&opt.filter, "filter", "", "`WORDS` that must fit, as in 'ada trust:paired'")
	f.StringVar(&opt.group, "group", "", "only those in the group `NAME`")
	cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(sorts, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("group", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.groupNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// words returns the filter with the group in it.
func (opt listOptions) words() string {
	if opt.group == "" {
		return opt.filter
	}
	return strings.TrimSpace(opt.filter + " group:" + quoted(opt.group))
}

// quoted is a text as one word of a filter.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// contacts returns all pages of the list.
func (a *app) contacts(ctx context.Context, opt listOptions) ([]*contactsv1.Contact, error) {
	var all []*contactsv1.Contact
	req := &contactsv1.ListContactsRequest{All: opt.all, Sort: opt.sort, Filter: opt.words(), PageSize: pageSize}
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
	case len(contacts) == 0 && opt.words() != "":
		return a.aside("no contact fits")
	case len(contacts) == 0:
		return a.aside("no contacts; pair with a device: contactsctl show-code here, contactsctl pair CODE there")
	}
	return a.table(a.contactTable(contacts))
}

// contactTable has a column of groups only if somebody is in one.
func (a *app) contactTable(contacts []*contactsv1.Contact) (head []string, rows [][]cell) {
	head = []string{"name", "trust", "relation", "presence", "odid"}
	grouped := false
	for _, c := range contacts {
		grouped = grouped || len(c.Groups) > 0
	}
	if grouped {
		head = []string{"name", "trust", "relation", "presence", "groups", "odid"}
	}
	for _, c := range contacts {
		odid := short(c.Odid)
		if c.Relation == "removed" {
			odid = c.Odid // nothing shorter names it any more
		}
		row := []cell{
			{safe(title(c)), plain},
			trustCell(c),
			{relationText(c), plain},
			{presenceText(c.Presence, a.now()), presenceColor(c.Presence)},
		}
		if grouped {
			row = append(row, cell{safe(strings.Join(c.Groups, ", ")), plain})
		}
		rows = append(rows, append(row, cell{odid, dim}))
	}
	return head, rows
}
