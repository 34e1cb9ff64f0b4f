package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) pairCommand() *cobra.Command {
	var at string
	var allow []string
	cmd := &cobra.Command{
		Use:   "pair CODE|LINK",
		Short: "pair with the device that shows the code or link",
		Long: `pair makes this device and the one that shows CODE or LINK trusted contacts.
It looks for that device on the local network, or where the link or --at says:
contactsctl status, over there, lists its addresses. If more than three devices
on the network show a code it lists them, and --at takes the ODID of one.

A link goes in quotes, since a shell takes ? and & for its own. Other users of
this machine can see the arguments of programs: with - the code or link is read
from the input instead.`,
		Example: "  contactsctl pair 482-193\n  contactsctl pair 482193 --at 192.168.1.7:4001\n  contactsctl pair 'contacts:odid1…#…'\n  contactsctl pair -",
		Args:    takes(1, -1),
		RunE: a.callFor(pairTimeout, func(ctx context.Context, args []string) error {
			code := strings.Join(args, " ") // people type the parts apart
			if code == "-" {
				line, err := bufio.NewReader(io.LimitReader(a.in, maxCode)).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("read the code: %w", err)
				}
				code = line
			}
			return a.pair(ctx, &contactsv1.EnterCodeRequest{Code: code, At: at, Permissions: split(allow)})
		}),
	}
	cmd.Flags().StringVar(&at, "at", "", "`ADDRESS` where the other device is: a multiaddr, IP:PORT, its ODID, or ODID@ADDRESS")
	cmd.Flags().StringSliceVar(&allow, "allow", nil, "`PERMISSIONS` beyond messages and status: audio, video")
	return cmd
}

// maxCode is how many bytes of input are read for a code or link.
const maxCode = 4 << 10

func (a *app) pair(ctx context.Context, req *contactsv1.EnterCodeRequest) error {
	r, err := a.client.Pairing().EnterCode(ctx, req)
	if err != nil {
		return err
	}
	if !r.Confirmed {
		if a.json {
			if err := a.object(r.Contact); err != nil {
				return err
			}
		}
		return &told{exitFailed, "the other device has not confirmed the pairing yet; that continues by itself", "look later with: contactsctl list"}
	}
	return a.paired(r.Contact)
}

// split takes lists with commas apart.
func split(lists []string) []string {
	var words []string
	for _, l := range lists {
		for word := range strings.SplitSeq(l, ",") {
			if word = strings.TrimSpace(word); word != "" {
				words = append(words, word)
			}
		}
	}
	return words
}

func (a *app) paired(c *contactsv1.Contact) error {
	if a.json {
		return a.object(c)
	}
	t := trustCell(c)
	return a.say("%s with %s (%s)", a.paint(t.color, t.text), safe(title(c)), short(c.Odid))
}
