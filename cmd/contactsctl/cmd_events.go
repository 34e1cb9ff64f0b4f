package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) eventsCommand() *cobra.Command {
	var after string
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "show what changed",
		Long: `events shows the newest changes, or those after a cursor. With --follow it goes
on with each change as it happens; presence, which is not kept, then comes
without a cursor. A cursor that is too old is refused: read the lists anew.`,
		Example: "  contactsctl events --after 0\n  contactsctl events --after 117 --follow --json",
		Args:    takes(0, 0),
	}
	cmd.Flags().StringVar(&after, "after", "", "`CURSOR` of the last event seen; 0 for the beginning")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	past := a.call(func(ctx context.Context, _ []string) error { return a.pastEvents(ctx, after) })
	onward := a.stream(func(ctx context.Context, _ []string) error { return a.followEvents(ctx, after) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if follow {
			return onward(cmd, args)
		}
		return past(cmd, args)
	}
	return cmd
}

func (a *app) pastEvents(ctx context.Context, after string) error {
	names := a.titles(ctx)
	req := &contactsv1.ListEventsRequest{After: after, PageSize: pageSize}
	if after == "" {
		req.PageSize = 50
	}
	for {
		r, err := a.client.Events().ListEvents(ctx, req)
		if err != nil {
			return err
		}
		for _, e := range r.Events {
			if err := a.event(e, names); err != nil {
				return err
			}
		}
		if len(r.Events) < int(req.PageSize) || after == "" {
			return nil
		}
		req.After = r.Cursor
	}
}

func (a *app) followEvents(ctx context.Context, after string) error {
	names := a.titles(ctx)
	stream, err := a.client.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{After: after})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		if e := stream.Msg().Event; e != nil {
			if err := a.event(e, names); err != nil {
				return err
			}
		}
	}
	return ended(ctx, stream.Err())
}

func (a *app) event(e *contactsv1.Event, names *titles) error {
	if a.json {
		return a.object(e)
	}
	line := e.At.AsTime().Local().Format("2006-01-02 15:04:05") + "  " + pad(e.Cursor, 6) + "  " + pad(safe(e.Type), 17)
	if e.Contact != "" {
		line += "  " + names.of(e.Contact)
	}
	if e.Presence != nil {
		line += "  " + presenceText(e.Presence, a.now())
	}
	for _, s := range []string{e.State, e.Detail, e.Id} {
		if s != "" {
			line += "  " + safe(s)
		}
	}
	return a.say("%s", strings.TrimRight(line, " "))
}
