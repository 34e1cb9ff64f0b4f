package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) messagesCommand() *cobra.Command {
	var follow bool
	var limit uint32
	cmd := &cobra.Command{
		Use:               "messages CONTACT",
		Short:             "show the messages with a contact, oldest first",
		Example:           "  contactsctl messages ada --follow\n  contactsctl messages ada --limit 0 --json",
		Args:              takes(1, 1),
		ValidArgsFunction: a.names,
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	cmd.Flags().Uint32VarP(&limit, "limit", "n", 50, "show the newest `N`; 0 for all")
	page := a.call(func(ctx context.Context, args []string) error { return a.messages(ctx, args[0], limit) })
	onward := a.stream(func(ctx context.Context, args []string) error { return a.followMessages(ctx, args[0], limit) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if follow {
			return onward(cmd, args)
		}
		return page(cmd, args)
	}
	return cmd
}

// history returns the newest limit messages, or all for 0, oldest first.
func (a *app) history(ctx context.Context, contact string, limit uint32) ([]*contactsv1.Message, error) {
	var all []*contactsv1.Message
	req := &contactsv1.ListMessagesRequest{Contact: contact}
	for {
		req.PageSize = pageSize
		if limit > 0 {
			req.PageSize = min(pageSize, limit-uint32(len(all)))
		}
		r, err := a.client.Messages().ListMessages(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(r.Messages, all...)
		if r.NextPageToken == "" || limit > 0 && uint32(len(all)) >= limit {
			return all, nil
		}
		req.PageToken = r.NextPageToken
	}
}

func (a *app) messages(ctx context.Context, contact string, limit uint32) error {
	all, err := a.history(ctx, contact, limit)
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside("no messages")
	}
	names := a.titles(ctx)
	for _, m := range all {
		if err := a.message(m, names); err != nil {
			return err
		}
	}
	return nil
}

// message prints one message for a person.
func (a *app) message(m *contactsv1.Message, names *titles) error {
	who := names.of(m.Contact)
	state := ""
	if m.Direction == "out" {
		who = "you"
		state = "  [" + m.State + "]"
		if m.State == "queued" && m.Waiting != "" {
			state = "  [queued: " + safe(m.Waiting) + "]"
		}
	}
	text := safeText(m.Text, "    ")
	if m.Kind == "file" {
		text = "file " + text + ", see: contactsctl files"
	}
	at := m.SentAt.AsTime().Local().Format("2006-01-02 15:04:05")
	return a.say("%s  %s: %s%s", a.paint(dim, at), a.paint(bold, who), text, a.paint(dim, state))
}

func (a *app) followMessages(ctx context.Context, contact string, limit uint32) error {
	// The stream stands before the history is read, so nothing falls between.
	stream, err := a.client.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		return err
	}
	defer stream.Close()
	if !stream.Receive() {
		return ended(ctx, stream.Err())
	}
	c, err := a.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: contact})
	if err != nil {
		return err
	}
	odid := c.Contact.Odid
	all, err := a.history(ctx, odid, limit)
	if err != nil {
		return err
	}
	f := follower{app: a, names: a.titles(ctx), states: make(map[string]string)}
	for _, m := range all {
		if err := f.take(m); err != nil {
			return err
		}
	}
	for stream.Receive() {
		e := stream.Msg().Event
		if e == nil || e.Contact != odid || !strings.HasPrefix(e.Type, "message.") {
			continue
		}
		r, err := a.client.Messages().GetMessage(ctx, &contactsv1.GetMessageRequest{Id: e.Id})
		if err != nil {
			return err
		}
		if err := f.take(r.Message); err != nil {
			return err
		}
	}
	return ended(ctx, stream.Err())
}

// follower prints messages as they come and change, each change once.
type follower struct {
	*app
	names  *titles
	states map[string]string // by id: the state that was printed
}

func (f *follower) take(m *contactsv1.Message) error {
	was, known := f.states[m.Id]
	if known && was == m.State {
		return nil
	}
	f.states[m.Id] = m.State
	switch {
	case f.json:
		return f.object(m)
	case known && m.Direction == "out":
		text := []rune(safe(m.Text))
		if len(text) > 40 {
			text = append(text[:39], '…')
		}
		return f.say("%s", f.paint(dim, fmt.Sprintf("%s  %s: %s", f.now().Format(time.DateTime), m.State, string(text))))
	case known:
		return nil // a person has seen the message
	}
	return f.message(m, f.names)
}
