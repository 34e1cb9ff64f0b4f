package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

func (a *app) filesCommand() *cobra.Command {
	var contact string
	var limit uint32
	var follow bool
	cmd := &cobra.Command{
		Use:   "files",
		Short: "send and receive files",
		Long: `files shows the files and folders that were sent and offered, oldest first. With
--follow it goes on with how far they are, on a terminal as bars.

What a contact offers waits until you accept it. A file appears in its folder
under its name when it is whole, and never in place of another one.`,
		Example: "  contactsctl files send ada report.pdf photos/\n  contactsctl files --follow\n  contactsctl files accept 01a20060-36be-72af-aaed-d01ed70b5163 --into ~/papers",
		Args:    takes(0, 0),
	}
	cmd.Flags().StringVar(&contact, "contact", "", "show those of `CONTACT` only")
	cmd.Flags().Uint32VarP(&limit, "limit", "n", 50, "show the newest `N`; 0 for all")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	cmd.RegisterFlagCompletionFunc("contact", a.names)
	page := a.call(func(ctx context.Context, _ []string) error { return a.files(ctx, contact, limit) })
	onward := a.stream(func(ctx context.Context, _ []string) error { return a.followFiles(ctx, contact, limit) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if follow {
			return onward(cmd, args)
		}
		return page(cmd, args)
	}
	cmd.AddCommand(a.filesSendCommand(), a.filesAcceptCommand(),
		a.filesActCommand("reject", "tell the sender that a file is not wanted", func(ctx context.Context, id string) (*contactsv1.File, error) {
			r, err := a.client.Files().RejectFile(ctx, &contactsv1.RejectFileRequest{Id: id})
			return r.GetFile(), err
		}),
		a.filesActCommand("pause", "stop a transfer for a while, from either side", func(ctx context.Context, id string) (*contactsv1.File, error) {
			r, err := a.client.Files().PauseFile(ctx, &contactsv1.PauseFileRequest{Id: id})
			return r.GetFile(), err
		}),
		a.filesActCommand("resume", "go on with a transfer that was paused", func(ctx context.Context, id string) (*contactsv1.File, error) {
			r, err := a.client.Files().ResumeFile(ctx, &contactsv1.ResumeFileRequest{Id: id})
			return r.GetFile(), err
		}),
		a.filesActCommand("cancel", "give a transfer up, from either side", func(ctx context.Context, id string) (*contactsv1.File, error) {
			r, err := a.client.Files().CancelFile(ctx, &contactsv1.CancelFileRequest{Id: id})
			return r.GetFile(), err
		}),
		a.filesClearCommand())
	return cmd
}

func (a *app) filesSendCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "send CONTACT PATH...",
		Short: "offer files or folders to a contact",
		Long: `send offers files, or folders with all in them, and returns. They are sent from
where they are when the contact accepts, so leave them there and do not change
them until then. Links within a folder are left out.`,
		Example: "  contactsctl files send ada report.pdf photos/",
		Args:    takes(2, -1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.names(cmd, args, start)
		},
		RunE: a.call(func(ctx context.Context, args []string) error {
			if id != "" && len(args) > 2 {
				return usage("send one at a time", "--id names one transfer only")
			}
			return a.sendFiles(ctx, id, args[0], args[1:])
		}),
	}
	cmd.Flags().StringVar(&id, "id", "", "`UUID` (version 7) of the transfer; sending again under the same one changes nothing")
	return cmd
}

func (a *app) sendFiles(ctx context.Context, id, to string, paths []string) error {
	return a.each(paths, func(path string) (*contactsv1.File, error) {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", path, err)
		}
		id := id
		if id == "" {
			made, err := uuid.NewV7()
			if err != nil {
				return nil, err
			}
			id = made.String()
		}
		r, err := a.client.Files().SendFile(ctx, &contactsv1.SendFileRequest{Id: id, Contact: to, Path: abs})
		return r.GetFile(), err
	})
}

func (a *app) filesAcceptCommand() *cobra.Command {
	var into string
	cmd := &cobra.Command{
		Use:     "accept ID...",
		Short:   "receive files that were offered",
		Long:    "accept receives what was offered, or tries again what failed. It goes on by itself,\nalso after a restart of either side.",
		Example: "  contactsctl files accept 01a20060-36be-72af-aaed-d01ed70b5163 --into ~/papers",
		Args:    takes(1, -1),
		RunE: a.call(func(ctx context.Context, ids []string) error {
			folder := into
			if into != "" {
				abs, err := filepath.Abs(into)
				if err != nil {
					return fmt.Errorf("find %s: %w", into, err)
				}
				folder = abs
			}
			return a.each(ids, func(id string) (*contactsv1.File, error) {
				r, err := a.client.Files().AcceptFile(ctx, &contactsv1.AcceptFileRequest{Id: id, Folder: folder})
				return r.GetFile(), err
			})
		}),
		ValidArgsFunction: a.transfers,
	}
	cmd.Flags().StringVar(&into, "into", "", "`FOLDER` to receive into (default: the setting files-folder)")
	cmd.RegisterFlagCompletionFunc("into", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) filesClearCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clear [ID...]",
		Short: "take transfers that are over out of the list",
		Long: `clear takes those transfers out of the list that are named, or all that are over.
What was received stays where it is. Without it they go after some time by
themselves: see the setting files-kept.`,
		Example: "  contactsctl files clear\n  contactsctl files clear 01a20060-36be-72af-aaed-d01ed70b5163",
		Args:    takes(0, -1),
		RunE: a.call(func(ctx context.Context, ids []string) error {
			r, err := a.client.Files().ClearFiles(ctx, &contactsv1.ClearFilesRequest{Ids: ids})
			if err != nil {
				return err
			}
			if a.json {
				return a.object(r)
			}
			return a.say("cleared  %d", r.Cleared)
		}),
	}
}

// filesActCommand is a command that does one thing with each transfer.
func (a *app) filesActCommand(name, short string, do func(ctx context.Context, id string) (*contactsv1.File, error)) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID...",
		Short:   short,
		Example: "  contactsctl files " + name + " 01a20060-36be-72af-aaed-d01ed70b5163",
		Args:    takes(1, -1),
		RunE: a.call(func(ctx context.Context, ids []string) error {
			return a.each(ids, func(id string) (*contactsv1.File, error) { return do(ctx, id) })
		}),
		ValidArgsFunction: a.transfers,
	}
}

// each does one thing for each of some items. Of several each succeeds or fails
// on its own.
func (a *app) each(items []string, do func(string) (*contactsv1.File, error)) error {
	failed := false
	for _, item := range items {
		f, err := do(item)
		if err != nil && len(items) == 1 {
			return err
		}
		if err != nil {
			failed = true
			a.warn("%s: %s", safe(item), safe(client.Explain(err).Text))
			continue
		}
		if a.json {
			err = a.object(f)
		} else {
			err = a.say("%s  %s  %s", f.State, f.Id, safe(f.Name))
		}
		if err != nil {
			return err
		}
	}
	if failed {
		return errPartly
	}
	return nil
}

// transfers completes the ids of transfers that are not over.
func (a *app) transfers(cmd *cobra.Command, _ []string, _ string) (words []cobra.Completion, _ cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	r, err := a.client.Files().ListFiles(ctx, &contactsv1.ListFilesRequest{PageSize: pageSize})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, f := range r.Files {
		if f.EndedAt == nil || f.State == "failed" {
			words = append(words, cobra.CompletionWithDesc(f.Id, safe(f.Name)+" "+f.State))
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// listFiles returns the newest limit transfers, or all for 0, oldest first.
func (a *app) listFiles(ctx context.Context, contact string, limit uint32) ([]*contactsv1.File, error) {
	var all []*contactsv1.File
	req := &contactsv1.ListFilesRequest{Contact: contact}
	for {
		req.PageSize = pageSize
		if limit > 0 {
			req.PageSize = min(pageSize, limit-uint32(len(all)))
		}
		r, err := a.client.Files().ListFiles(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(r.Files, all...)
		if r.NextPageToken == "" || limit > 0 && uint32(len(all)) >= limit {
			return all, nil
		}
		req.PageToken = r.NextPageToken
	}
}

func (a *app) files(ctx context.Context, contact string, limit uint32) error {
	all, err := a.listFiles(ctx, contact, limit)
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside("no files")
	}
	names := a.titles(ctx)
	var rows [][]cell
	for _, f := range all {
		rows = append(rows, []cell{
			{f.Id, dim},
			{map[string]string{"in": "from ", "out": "to "}[f.Direction] + names.of(f.Odid), plain},
			{safe(f.Name), bold},
			{byteText(f.Size), plain},
			{fileState(f), plain},
		})
	}
	return a.table([]string{"id", "contact", "name", "size", "state"}, rows)
}

// fileState is where a transfer stands, for a person.
func fileState(f *contactsv1.File) string {
	s := f.State
	switch {
	case s == "active" && f.Size > 0:
		s += fmt.Sprintf(" %d %%", f.Done*100/f.Size)
	case s == "done" && f.Direction == "in":
		s += ": " + safe(f.Path)
	}
	if f.Waiting != "" {
		s += ": " + safe(f.Waiting)
	}
	return s
}

// byteText is a size as people read it, in powers of 1000.
func byteText(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n)/1000, "kMGT"
	for v >= 999.5 && len(units) > 1 {
		v, units = v/1000, units[1:]
	}
	if v < 10 {
		return fmt.Sprintf("%.1f %cB", v, units[0])
	}
	return fmt.Sprintf("%.0f %cB", v, units[0])
}
