package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
)

func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "show two devices pair, meet, part and message each other",
		Long: `demo starts two daemons in temporary homes on loopback, Ana's and Bob's, and
tells what happens between them: pairing, presence, messages that wait while Bob's
daemon is killed, and a removal. It touches nothing else and cleans up.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Who reads no further, as head does, must not leave the homes behind.
			reading, stop := signal.NotifyContext(cmd.Context(), syscall.SIGPIPE)
			defer stop()
			ctx, cancel := context.WithTimeout(reading, time.Minute)
			defer cancel()
			err := demo(ctx, cmd.OutOrStdout())
			if err != nil && reading.Err() != nil {
				return errInterrupted
			}
			return err
		},
	}
}

func demo(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "contactsd-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ana := devices.New(program, filepath.Join(dir, "ana"), "Ana")
	bob := devices.New(program, filepath.Join(dir, "bob"), "Bob")
	defer ana.Stop(syscall.SIGTERM)
	defer bob.Stop(syscall.SIGTERM)
	for _, chapter := range []func(context.Context, io.Writer, *devices.Device, *devices.Device) error{begin, pair, meet, write, part} {
		if err := chapter(ctx, out, ana, bob); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, "That was all real: two processes, two stores, one loopback. Now yours: contactsd")
	return nil
}

func begin(ctx context.Context, out io.Writer, ana, bob *devices.Device) error {
	fmt.Fprintln(out, "1. Two devices, two homes, no server")
	for _, who := range []*devices.Device{ana, bob} {
		if err := who.Start(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "   %s's device is %s…\n", who.Name, who.ODID[:20])
	}
	return nil
}

func pair(ctx context.Context, out io.Writer, ana, bob *devices.Device) error {
	fmt.Fprintln(out, "2. A code makes them trusted contacts")
	address, err := ana.Address(ctx, "/quic-v1/")
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	shown, err := ana.Pairing().ShowCode(watching, &contactsv1.ShowCodeRequest{})
	if err != nil {
		return err
	}
	defer shown.Close()
	if !shown.Receive() {
		return fmt.Errorf("no code: %w", shown.Err())
	}
	code := shown.Msg().GetCode().GetCode()
	fmt.Fprintf(out, "   Ana's device shows %s; Bob types it\n", code)
	began := time.Now()
	entered, err := bob.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: code, At: address})
	if err != nil {
		return err
	}
	took := time.Since(began)
	for shown.Receive() {
		if c := shown.Msg().GetPaired(); c != nil {
			fmt.Fprintf(out, "   after %d ms each lists the other: for Bob, Ana is %s; for Ana, Bob is %s\n",
				took.Milliseconds(), entered.GetContact().GetTrust(), c.GetTrust())
			return nil
		}
	}
	return fmt.Errorf("the window closed without a pairing: %w", shown.Err())
}

func meet(ctx context.Context, out io.Writer, ana, bob *devices.Device) error {
	fmt.Fprintln(out, "3. Contacts see each other")
	_, err := ana.Presence().SetPresence(ctx, &contactsv1.SetPresenceRequest{State: "busy", Text: "in a meeting"})
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := sees(ctx, bob, ana, "busy")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   Ana says she is busy; %d ms later Bob sees: %s, %q\n", time.Since(began).Milliseconds(), p.GetState(), p.GetText())
	return nil
}

func write(ctx context.Context, out io.Writer, ana, bob *devices.Device) error {
	fmt.Fprintln(out, "4. Messages wait for whoever is away")
	bob.Stop(syscall.SIGKILL)
	fmt.Fprintln(out, "   Bob's daemon is killed with -9")
	var last string
	for _, text := range []string{"Are you there?", "I will be late", "See you at eight"} {
		sent, err := ana.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: bob.ODID, Text: text})
		if err != nil {
			return err
		}
		last = sent.GetId()
		fmt.Fprintf(out, "   Ana writes %q: %s\n", text, sent.GetState())
	}
	if err := bob.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "   Bob's daemon starts again")
	err := devices.Until(ctx, "the messages to be delivered", func() (bool, error) {
		m, err := ana.Messages().GetMessage(ctx, &contactsv1.GetMessageRequest{Id: last})
		return m != nil && m.GetMessage().GetState() == "delivered", err
	})
	if err != nil {
		return err
	}
	got, err := bob.Messages().ListMessages(ctx, &contactsv1.ListMessagesRequest{Contact: ana.ODID})
	if err != nil {
		return err
	}
	for _, m := range got.GetMessages() {
		fmt.Fprintf(out, "   Bob reads %q\n", m.GetText())
	}
	return nil
}

func part(ctx context.Context, out io.Writer, ana, bob *devices.Device) error {
	fmt.Fprintln(out, "5. Consent can be taken back")
	_, err := ana.Contacts().RemoveContacts(ctx, &contactsv1.RemoveContactsRequest{Contacts: []string{bob.ODID}})
	if err != nil {
		return err
	}
	err = devices.Until(ctx, "Bob to hear of it", func() (bool, error) {
		c, err := bob.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: ana.ODID})
		return c != nil && c.GetContact().GetRelation() == "pending", err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "   Ana removes Bob; for Bob, Ana is now pending and untrusted")
	if _, err := bob.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: ana.ODID, Text: "Ana?"}); err != nil {
		return err
	}
	waiting, err := bob.Messages().ListOutbox(ctx, &contactsv1.ListOutboxRequest{})
	if err != nil {
		return err
	}
	for _, m := range waiting.GetMessages() {
		fmt.Fprintf(out, "   Bob's %q waits: %s\n", m.GetText(), m.GetWaiting())
	}
	return nil
}

// sees waits until other is seen by who in this state.
func sees(ctx context.Context, who, other *devices.Device, state string) (p *contactsv1.Presence, err error) {
	err = devices.Until(ctx, other.Name+" to be seen "+state, func() (bool, error) {
		got, err := who.Presence().GetPresence(ctx, &contactsv1.GetPresenceRequest{Contact: other.ODID})
		if err != nil {
			return false, err
		}
		p = got.GetPresence()
		return p.GetState() == state, nil
	})
	return p, err
}
