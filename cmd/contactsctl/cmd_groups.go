package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) groupsCommand() *cobra.Command {
	groups := &cobra.Command{
		Use:   "groups",
		Short: "list and change the groups that contacts are in",
		Long: `groups lists the groups, with how many contacts are in each. There are at most
32, with names of 1 to 30 bytes that differ in more than case; a contact may be in
several. "contactsctl list --group NAME" lists who is in one.`,
		Example: "  contactsctl groups create work\n  contactsctl groups add work ada bob",
		Args:    takes(0, 0),
		RunE:    a.call(a.listGroups),
	}
	groups.AddCommand(
		&cobra.Command{
			Use:   "create GROUP",
			Short: "make an empty group",
			Args:  takes(1, 1),
			RunE:  a.call(a.createGroup),
		},
		&cobra.Command{
			Use:               "rename GROUP NAME",
			Short:             "give a group another name; its contacts stay in it",
			Args:              takes(2, 2),
			ValidArgsFunction: a.completeGroup,
			RunE: a.call(func(ctx context.Context, args []string) error {
				_, err := a.client.Groups().RenameGroup(ctx, &contactsv1.RenameGroupRequest{Group: args[0], To: args[1]})
				return a.did(err, "renamed", args[1])
			}),
		},
		&cobra.Command{
			Use:               "delete GROUP",
			Short:             "take a group away, not the contacts in it",
			Args:              takes(1, 1),
			ValidArgsFunction: a.completeGroup,
			RunE: a.call(func(ctx context.Context, args []string) error {
				_, err := a.client.Groups().DeleteGroup(ctx, &contactsv1.DeleteGroupRequest{Group: args[0]})
				return a.did(err, "deleted", args[0])
			}),
		},
		&cobra.Command{
			Use:               "add GROUP CONTACT...",
			Short:             "put contacts into a group",
			Args:              takes(2, -1),
			ValidArgsFunction: a.completeMembers,
			RunE: a.call(func(ctx context.Context, args []string) error {
				r, err := a.client.Groups().EnterGroup(ctx, &contactsv1.EnterGroupRequest{Group: args[0], Contacts: args[1:]})
				if err != nil {
					return err
				}
				return a.results(r.Results, "added")
			}),
		},
		&cobra.Command{
			Use:               "remove GROUP CONTACT...",
			Short:             "take contacts out of a group; they stay contacts",
			Args:              takes(2, -1),
			ValidArgsFunction: a.completeMembers,
			RunE: a.call(func(ctx context.Context, args []string) error {
				r, err := a.client.Groups().LeaveGroup(ctx, &contactsv1.LeaveGroupRequest{Group: args[0], Contacts: args[1:]})
				if err != nil {
					return err
				}
				return a.results(r.Results, "removed")
			}),
		})
	return groups
}

func (a *app) listGroups(ctx context.Context, _ []string) error {
	r, err := a.client.Groups().ListGroups(ctx, &contactsv1.ListGroupsRequest{})
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, r.Groups)
	case len(r.Groups) == 0:
		return a.aside("no groups; make one: contactsctl groups create NAME")
	}
	rows := make([][]cell, 0, len(r.Groups))
	for _, g := range r.Groups {
		rows = append(rows, []cell{{safe(g.Name), plain}, {strconv.FormatUint(uint64(g.Contacts), 10), plain}})
	}
	return a.table([]string{"group", "contacts"}, rows)
}

func (a *app) createGroup(ctx context.Context, args []string) error {
	r, err := a.client.Groups().CreateGroup(ctx, &contactsv1.CreateGroupRequest{Group: args[0]})
	switch {
	case err != nil:
		return err
	case a.json:
		return a.object(r)
	case !r.Created:
		return a.aside("there is one of that name already")
	}
	return a.did(nil, "created", args[0])
}

// did tells what was done, unless it failed. In JSON there is nothing to tell.
func (a *app) did(err error, what, item string) error {
	switch {
	case err != nil:
		return err
	case a.json:
		return a.value(struct{}{})
	}
	return a.say("%s %s", what, safe(item))
}

// groupNames returns the groups there are, for completion.
func (a *app) groupNames(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	r, err := a.client.Groups().ListGroups(ctx, &contactsv1.ListGroupsRequest{})
	if err != nil {
		return nil
	}
	for _, g := range r.Groups {
		if g.Name == safe(g.Name) {
			names = append(names, g.Name)
		}
	}
	return names
}

// completeGroup completes the first argument with a group.
func (a *app) completeGroup(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.groupNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

// completeMembers completes the first argument with a group, others with contacts.
func (a *app) completeMembers(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeGroup(cmd, args, start)
	}
	return a.allNames(cmd, args, start)
}
