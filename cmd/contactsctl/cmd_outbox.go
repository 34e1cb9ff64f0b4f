package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"contactsd/api"
	contactsv1 "contactsd/api/contacts/v1"
)

// outboxOptions says what of the outbox is meant.
type outboxOptions struct {
	contact string
	limit   uint32 // 0 for all
	all     bool
}

func (a *app) outboxCommand() *cobra.Command {
	var opt outboxOptions
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "show the messages that wait, and why",
		Long: `outbox shows for whom messages wait, how many, and why the oldest of them does.
With --contact it shows the messages of that contact, oldest first, with what
each waits for and the id by which it is cancelled. With --json it shows all
messages, of all contacts if none is named.`,
		Example: "  contactsctl outbox\n  contactsctl outbox --contact ada --limit 0",
		Args:    takes(0, 0),
		RunE: a.stream(func(ctx context.Context, _ []string) error {
			switch {
			case a.json:
				return a.outboxJSON(ctx, opt.contact)
			case opt.contact != "":
				return a.outboxOf(ctx, opt)
			}
			return a.queues(ctx, opt.limit)
		}),
	}
	cmd.Flags().StringVar(&opt.contact, "contact", "", "show the messages of `CONTACT` one by one")
	cmd.Flags().Uint32VarP(&opt.limit, "limit", "n", 50, "show the first `N` contacts, or messages; 0 for all")
	cmd.RegisterFlagCompletionFunc("contact", a.names)
	cmd.AddCommand(a.cancelCommand())
	return cmd
}

func (a *app) cancelCommand() *cobra.Command {
	var opt outboxOptions
	cmd := &cobra.Command{
		Use:   "cancel ID...",
		Short: "take messages out of the outbox",
		Long: `cancel takes messages out of the outbox: those that are named, or with --contact
and --all whatever waits for a contact. One that is on its way already may arrive
all the same; then it stays queued until that is known. Of several each is
cancelled on its own: exit code 1 says that some could not be.`,
		Example: "  contactsctl outbox cancel 01a20060-36be-72af-aaed-d01ed70b5163\n" +
			"  contactsctl outbox cancel --contact ada --all",
		ValidArgsFunction: a.waiting,
		Args: func(cmd *cobra.Command, args []string) error {
			if opt.all || opt.contact != "" {
				return takes(0, 0)(cmd, args)
			}
			return takes(1, -1)(cmd, args)
		},
		RunE: a.stream(func(ctx context.Context, args []string) error {
			switch {
			case opt.all:
				return a.cancelAll(ctx, opt.contact)
			case len(args) == 1:
				return a.cancelOne(ctx, args[0])
			}
			return a.cancelMany(ctx, args)
		}),
	}
	cmd.Flags().StringVar(&opt.contact, "contact", "", "`CONTACT` whose messages are meant")
	cmd.Flags().BoolVar(&opt.all, "all", false, "cancel all that wait for the contact")
	cmd.MarkFlagsRequiredTogether("contact", "all")
	cmd.RegisterFlagCompletionFunc("contact", a.names)
	return cmd
}

// queues shows one line for each contact.
func (a *app) queues(ctx context.Context, limit uint32) error {
	names := a.titles(ctx)
	var rows [][]cell
	req := &contactsv1.ListQueuesRequest{}
	more := true
	for more && (limit == 0 || len(rows) < int(limit)) {
		req.PageSize = pageSize
		if limit > 0 {
			req.PageSize = min(pageSize, limit-uint32(len(rows)))
		}
		r, err := a.client.Messages().ListQueues(ctx, req)
		if err != nil {
			return err
		}
		for _, q := range r.Queues {
			rows = append(rows, []cell{
				{names.of(q.Contact), plain},
				{fmt.Sprint(q.Messages), plain},
				{ago(q.OldestAt, a.now()), plain},
				{safe(q.Waiting), plain},
			})
		}
		req.PageToken = r.NextPageToken
		more = r.NextPageToken != ""
	}
	return a.page([]string{"to", "messages", "oldest", "waits because"}, rows, more)
}

// outboxOf shows the messages that wait for one contact.
func (a *app) outboxOf(ctx context.Context, opt outboxOptions) error {
	var rows [][]cell
	req := &contactsv1.ListOutboxRequest{Contact: opt.contact}
	more := true
	for more && (opt.limit == 0 || len(rows) < int(opt.limit)) {
		req.PageSize = pageSize
		if opt.limit > 0 {
			req.PageSize = min(pageSize, opt.limit-uint32(len(rows)))
		}
		r, err := a.client.Messages().ListOutbox(ctx, req)
		if err != nil {
			return err
		}
		for _, m := range r.Messages {
			rows = append(rows, []cell{{m.Id, dim}, {ago(m.SentAt, a.now()), plain}, {safe(m.Waiting), plain}})
		}
		req.PageToken = r.NextPageToken
		more = r.NextPageToken != ""
	}
	return a.page([]string{"id", "sent", "waits because"}, rows, more)
}

// page shows a table that may be the first part of a longer one.
func (a *app) page(head []string, rows [][]cell, more bool) error {
	if len(rows) == 0 {
		return a.aside("nothing waits")
	}
	if err := a.table(head, rows); err != nil || !more {
		return err
	}
	return a.aside("there are more: --limit 0 shows all")
}

// eachWaiting calls f with the messages that wait, a page at a time.
func (a *app) eachWaiting(ctx context.Context, contact string, f func([]*contactsv1.Message) error) error {
	req := &contactsv1.ListOutboxRequest{Contact: contact, PageSize: pageSize}
	for {
		r, err := a.client.Messages().ListOutbox(ctx, req)
		if err != nil {
			return err
		}
		if err := f(r.Messages); err != nil || r.NextPageToken == "" {
			return err
		}
		req.PageToken = r.NextPageToken
	}
}

// outboxJSON writes an array as it comes: there may be a million.
func (a *app) outboxJSON(ctx context.Context, contact string) error {
	before := "["
	err := a.eachWaiting(ctx, contact, func(list []*contactsv1.Message) error {
		for _, m := range list {
			b, err := api.MarshalJSON(m)
			if err == nil {
				_, err = a.out.Write(append([]byte(before), b...))
			}
			if err != nil {
				return err
			}
			before = ","
		}
		return nil
	})
	if err != nil {
		return err
	}
	end := "]\n"
	if before == "[" {
		end = "[]\n"
	}
	_, err = io.WriteString(a.out, end)
	return err
}

func (a *app) cancelOne(ctx context.Context, id string) error {
	r, err := a.client.Messages().CancelMessage(ctx, &contactsv1.CancelMessageRequest{Id: id})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(r.Message)
	}
	return a.say("%s  %s", r.Message.State, r.Message.Id)
}

func (a *app) cancelMany(ctx context.Context, ids []string) error {
	r, err := a.client.Messages().CancelMessages(ctx, &contactsv1.CancelMessagesRequest{Ids: ids})
	if err != nil {
		return err
	}
	failed := false
	for _, c := range r.Results {
		failed = failed || !c.Ok
		switch {
		case a.json:
		case c.Ok:
			err = a.say("%s  %s", c.State, c.Id)
		default:
			a.warn("%s: %s", safe(c.Id), safe(c.Error))
		}
		if err != nil {
			return err
		}
	}
	if a.json {
		if err := array(a, r.Results); err != nil {
			return err
		}
	}
	if failed {
		return errPartly
	}
	return nil
}

// cancelled is what became of all messages of a contact.
type cancelled struct {
	Cancelled int `json:"cancelled"`
	// Queued are on their way already.
	Queued int `json:"queued"`
	// Late were delivered, or failed, before they could be cancelled.
	Late int `json:"late"`
}

func (a *app) cancelAll(ctx context.Context, contact string) error {
	var n cancelled
	err := a.eachWaiting(ctx, contact, func(list []*contactsv1.Message) error {
		req := &contactsv1.CancelMessagesRequest{}
		for _, m := range list {
			req.Ids = append(req.Ids, m.Id)
		}
		r, err := a.client.Messages().CancelMessages(ctx, req)
		if err != nil {
			return err
		}
		for _, c := range r.Results {
			switch {
			case !c.Ok:
				n.Late++
			case c.State == "cancelled":
				n.Cancelled++
			default:
				n.Queued++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.value(n)
	}
	if err := a.say("cancelled %s", counted(n.Cancelled)); err != nil || n.Queued == 0 {
		return err
	}
	return a.aside(counted(n.Queued) + " may have arrived already, and stay queued until that is known")
}

// counted is "1 message" or "3 messages".
func counted(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprint(n, " messages")
}
