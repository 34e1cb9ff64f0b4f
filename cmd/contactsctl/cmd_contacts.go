package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

const pageSize = 1000

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
	ask := &contactsv1.AskContactRequest{}
	cmd := &cobra.Command{
		Use:   "permissions CONTACT [ask PERMISSION... --wording TEXT | narrow PERMISSION...]",
		Short: "show what a contact may do here, ask it for more, or withdraw some of it",
		Long: `permissions shows what a contact may do here and what this device may do there.
"ask" asks the contact to be allowed more: messages, audio, video, status. It is
granted the same here, at once, unless --one-way; if it says no, that ends.
"narrow" withdraws permissions at once.`,
		Example:           "  contactsctl permissions ada ask video --wording \"so we see each other\"\n  contactsctl permissions ada narrow status audio",
		Args:              takes(1, -1),
		ValidArgsFunction: a.nameThen("ask", "narrow", "messages", "audio", "video", "status"),
		RunE:              a.call(func(ctx context.Context, args []string) error { return a.permissions(ctx, args, ask) }),
	}
	cmd.Flags().StringVar(&ask.Wording, "wording", "", "what you say when you ask, a `TEXT` of at most 100 characters")
	cmd.Flags().BoolVar(&ask.OneWay, "one-way", false, "ask, and do not grant the same")
	return cmd
}

func (a *app) permissions(ctx context.Context, args []string, ask *contactsv1.AskContactRequest) error {
	if len(args) == 1 {
		r, err := a.client.Contacts().GetPermissions(ctx, &contactsv1.GetPermissionsRequest{Contact: args[0]})
		if err != nil {
			return err
		}
		return a.showPermissions(r.Permissions)
	}
	names := split(args[2:])
	switch {
	case args[1] != "ask" && args[1] != "narrow":
		return usage("use: contactsctl permissions CONTACT ask|narrow PERMISSION...", "unknown action %q", args[1])
	case len(names) == 0:
		return usage("name one or more of messages, audio, video, status", "no permission named")
	case args[1] == "ask":
		ask.Contact, ask.Permissions = args[0], names
		return a.ask(ctx, ask)
	}
	r, err := a.client.Contacts().NarrowPermissions(ctx, &contactsv1.NarrowPermissionsRequest{Contact: args[0], Permissions: names})
	if err != nil {
		return err
	}
	return a.showPermissions(r.Permissions)
}

func (a *app) showPermissions(p *contactsv1.ContactPermissions) error {
	if a.json {
		return a.object(p)
	}
	return a.fields([2]string{"may here", list(p.PermissionsGiven)}, [2]string{"you may", list(p.PermissionsReceived)})
}
