package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

// maxText is the daemon's limit; more is read only to be told that it is too much.
const maxText = 64 << 10

// A batch of --lines and --null, well within what the daemon takes.
const (
	maxBatch      = 500
	maxBatchBytes = 1 << 20
)

func (a *app) sendCommand() *cobra.Command {
	var id string
	var lines, null bool
	cmd := &cobra.Command{
		Use:   "send CONTACT TEXT",
		Short: "send a message; it waits in the outbox until it is delivered",
		Long: `send puts a message of at most 64 KiB into the outbox and returns. With - for
TEXT it is read from stdin, without one newline at its end. With --lines each
line of stdin is a message of its own, with --null what ends with a NUL is; those
that are empty are left out. Many are put into the outbox together.`,
		Example: "  contactsctl send ada see you at six\n  uptime | contactsctl send ada -\n  contactsctl send ada --lines <notes.txt",
		Args: func(cmd *cobra.Command, args []string) error {
			if lines || null {
				return takes(1, 1)(cmd, args)
			}
			return takes(2, -1)(cmd, args)
		},
		ValidArgsFunction: a.names,
	}
	many := a.stream(func(ctx context.Context, args []string) error {
		end := byte('\n')
		if null {
			end = 0
		}
		return a.sendMany(ctx, args[0], end)
	})
	one := a.call(func(ctx context.Context, args []string) error {
		text := strings.Join(args[1:], " ")
		if text == "-" {
			b, err := io.ReadAll(io.LimitReader(a.in, maxText+2))
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			text = strings.TrimSuffix(string(b), "\n")
			if len(text) > maxText {
				return usage("send it in parts", "stdin has more than a message: at most %d bytes", maxText)
			}
		}
		return a.send(ctx, id, args[0], text)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if lines || null {
			return many(cmd, args)
		}
		return one(cmd, args)
	}
	cmd.Flags().BoolVar(&lines, "lines", false, "send each line of stdin as a message")
	cmd.Flags().BoolVarP(&null, "null", "0", false, "send what is between NULs in stdin as messages")
	cmd.Flags().StringVar(&id, "id", "", "`UUID` (version 7) of the message; sending again under the same one changes nothing")
	cmd.MarkFlagsMutuallyExclusive("lines", "null", "id")
	return cmd
}

func (a *app) send(ctx context.Context, id, to, text string) error {
	if id == "" {
		made, err := uuid.NewV7()
		if err != nil {
			return err
		}
		id = made.String()
	}
	r, err := a.client.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Id: id, Contact: to, Text: text})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(r)
	}
	return a.say("%s  %s", r.State, r.Id)
}

// sendMany sends what stdin has between two ends, a batch at a time, in order. A
// text that is refused does not keep the others.
func (a *app) sendMany(ctx context.Context, to string, end byte) error {
	r, err := a.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: to})
	if err != nil {
		return err
	}
	in := bufio.NewScanner(a.in)
	in.Buffer(nil, maxText+2)
	in.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		for i, b := range data {
			if b == end {
				return i + 1, data[:i], nil
			}
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	b := batch{a: a, to: r.Contact.Odid}
	for in.Scan() {
		if text := in.Text(); text != "" {
			if err := b.add(ctx, text); err != nil {
				return err
			}
		}
	}
	if err := b.send(ctx); err != nil {
		return err
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return usage("send it in parts", "message %d has more than %d bytes; those before it were sent", b.count+1, maxText)
	case err != nil:
		return fmt.Errorf("read stdin: %w", err)
	case b.failed:
		return errPartly
	}
	return nil
}

// batch is messages that are sent together.
type batch struct {
	a      *app
	to     string
	req    contactsv1.SendManyRequest
	bytes  int
	count  int // in batches that were sent
	failed bool
}

func (b *batch) add(ctx context.Context, text string) error {
	if len(b.req.Messages) == maxBatch || b.bytes+len(text) > maxBatchBytes {
		if err := b.send(ctx); err != nil {
			return err
		}
	}
	if !utf8.ValidString(text) {
		if err := b.send(ctx); err != nil {
			return err
		}
		return usage("", "message %d is not valid UTF-8; those before it were sent", b.count+1)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	b.req.Messages = append(b.req.Messages, &contactsv1.SendMessageRequest{Id: id.String(), Contact: b.to, Text: text})
	b.bytes += len(text)
	return nil
}

func (b *batch) send(ctx context.Context) error {
	if len(b.req.Messages) == 0 {
		return nil
	}
	r, err := b.a.client.Messages().SendMany(ctx, &b.req)
	if err != nil {
		return err
	}
	for i, m := range r.Results {
		b.failed = b.failed || !m.Ok
		switch {
		case b.a.json:
			err = b.a.object(m)
		case m.Ok:
			err = b.a.say("%s  %s", m.State, m.Id)
		default:
			b.a.warn("message %d: %s", b.count+i+1, safe(m.Error))
		}
		if err != nil {
			return err
		}
	}
	b.count += len(r.Results)
	b.req.Messages, b.bytes = nil, 0
	return nil
}
