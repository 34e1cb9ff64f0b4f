package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

func (a *app) presenceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "presence",
		Short:   "show or set this device's presence, or watch that of the contacts",
		Example: "  contactsctl presence set busy \"in a meeting until 3\"\n  contactsctl presence watch",
		Args:    takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error {
			r, err := a.client.Presence().GetPresence(ctx, &contactsv1.GetPresenceRequest{})
			if err != nil {
				return err
			}
			return a.presence(r.Presence)
		}),
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "set STATE [TEXT]",
		Short: "set the presence: online, away, busy or invisible",
		Long: `set says to your contacts what you are up to, until you set something else.
invisible looks like offline to all of them. Only online becomes away by itself, when
the tray or the page sees you do nothing: see the setting away-after.`,
		Example:   "  contactsctl presence set busy \"in a meeting until 3\"",
		Args:      takes(1, -1),
		ValidArgs: []string{"online", "away", "busy", "invisible"},
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Presence().SetPresence(ctx, &contactsv1.SetPresenceRequest{State: args[0], Text: strings.Join(args[1:], " ")})
			if err != nil {
				return err
			}
			return a.presence(r.Presence)
		}),
	}, &cobra.Command{
		Use:   "watch",
		Short: "follow the presence of all contacts, until Ctrl-C",
		Args:  takes(0, 0),
		RunE:  a.stream(a.watchPresence),
	})
	return cmd
}

func (a *app) presence(p *contactsv1.Presence) error {
	if a.json {
		return a.object(p)
	}
	text := presenceText(p, a.now())
	if p.GetSince() != nil {
		text += ", since " + ago(p.Since, a.now())
	}
	return a.say("%s", text)
}

func (a *app) watchPresence(ctx context.Context, _ []string) error {
	names := a.titles(ctx)
	stream, err := a.client.Presence().WatchPresence(ctx, &contactsv1.WatchPresenceRequest{})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		m := stream.Msg()
		if a.json {
			err = a.object(m)
		} else {
			err = a.say("%s  %s", names.of(m.Contact), a.paint(presenceColor(m.Presence), presenceText(m.Presence, a.now())))
		}
		if err != nil {
			return err
		}
	}
	return ended(ctx, stream.Err())
}

// ended is the error of a stream that is meant to go on for ever. That it went
// on for as long as --timeout says is none.
func ended(ctx context.Context, err error) error {
	if timedOut(ctx, err) {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// timedOut reports whether a stream ended because its time was over, which the
// daemon may say a moment before ctx does.
func timedOut(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || client.Reason(err) == client.ReasonTimeout
}

// titles looks up what contacts are shown as, each once.
type titles struct {
	look  func(odid string) string
	known map[string]string
}

func (a *app) titles(ctx context.Context) *titles {
	return &titles{known: make(map[string]string), look: func(odid string) string {
		r, err := a.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: odid})
		if err != nil {
			return short(odid) // no contact any more
		}
		return safe(title(r.Contact))
	}}
}

func (t *titles) of(odid string) string {
	name, ok := t.known[odid]
	if !ok {
		name = t.look(odid)
		t.known[odid] = name
	}
	return name
}
