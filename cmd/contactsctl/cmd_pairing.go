package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) showCodeCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "show-code",
		Short: "show the code that another device enters to pair with this one",
		Long: `show-code opens the pairing window and shows its code until a device has
entered it. Codes change every 30 seconds; each is accepted as long as its
countdown runs. Ctrl-C closes the window.`,
		Example: "  contactsctl show-code\n  contactsctl show-code --once --json",
		Args:    takes(0, 0),
		RunE:    a.stream(func(ctx context.Context, _ []string) error { return a.showCode(ctx, once) }),
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one code and leave the window open until it expires")
	return cmd
}

// countdown redraws the code each second, on a terminal only.
type countdown struct {
	a    *app
	code *contactsv1.Code
}

func (c *countdown) draw() {
	if c.code == nil {
		return
	}
	left := max(0, c.code.ExpiresAt.AsTime().Sub(c.a.now()).Round(time.Second))
	fmt.Fprintf(c.a.out, "\r\x1b[K  %s   %s", c.a.paint(bold, safe(c.code.Code)), c.a.paint(dim, fmt.Sprintf("%d s left", left/time.Second)))
}

func (c *countdown) clear() {
	if c.code != nil {
		fmt.Fprint(c.a.out, "\r\x1b[K")
	}
}

func (a *app) showCode(ctx context.Context, once bool) error {
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := a.client.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{Once: once})
	if err != nil {
		return err
	}
	defer stream.Close()
	updates := make(chan *contactsv1.ShowCodeResponse)
	go func() {
		defer close(updates)
		for stream.Receive() {
			select {
			case updates <- stream.Msg():
			case <-ctx.Done():
				return
			}
		}
	}()
	drawn := &countdown{a: a}
	redraw := a.live && !a.json && !once
	if redraw {
		fmt.Fprintln(a.talk, "Enter this code on the other device: contactsctl pair CODE\nCtrl-C closes the window.")
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			drawn.draw()
		case u, ok := <-updates:
			if !ok {
				drawn.clear()
				return a.closed(asked, stream.Err())
			}
			if redraw && u.GetCode() != nil {
				drawn.code = u.GetCode()
				drawn.draw()
				continue
			}
			drawn.clear()
			done, err := a.shown(u)
			if done || err != nil {
				return err
			}
		}
	}
}

// closed says of a window that closed before anybody paired why it did.
func (a *app) closed(ctx context.Context, err error) error {
	switch {
	case timedOut(ctx, err):
		return &told{exitFailed, "nobody paired in time", "show a code for longer, with another --timeout or none"}
	case ctx.Err() != nil && !a.json:
		a.aside("the window is closed: nobody can pair by the code any more")
	}
	return err
}

// shown prints one update and reports whether it was the last.
func (a *app) shown(u *contactsv1.ShowCodeResponse) (done bool, err error) {
	switch u := u.Update.(type) {
	case *contactsv1.ShowCodeResponse_Code:
		if a.json {
			return false, a.object(u.Code)
		}
		return false, a.say("%s  accepted until %s (%d s)", safe(u.Code.Code),
			u.Code.ExpiresAt.AsTime().Local().Format(time.TimeOnly), u.Code.SecondsLeft)
	case *contactsv1.ShowCodeResponse_Paired:
		return true, a.paired(u.Paired)
	}
	return false, nil
}

func (a *app) paired(c *contactsv1.Contact) error {
	if a.json {
		return a.object(c)
	}
	t := trustCell(c)
	return a.say("%s with %s (%s)", a.paint(t.color, t.text), safe(title(c)), short(c.Odid))
}

func (a *app) pairCommand() *cobra.Command {
	var at string
	var allow []string
	cmd := &cobra.Command{
		Use:   "pair CODE",
		Short: "pair with the device that shows the code",
		Long: `pair makes this device and the one that shows CODE trusted contacts. It looks
for that device on the local network, or where --at says: contactsctl status, over there, lists
its addresses.`,
		Example: "  contactsctl pair 482-193\n  contactsctl pair 482193 --at 192.168.1.7:4001",
		Args:    takes(1, -1),
		RunE: a.callFor(pairTimeout, func(ctx context.Context, args []string) error {
			// People type the two halves apart.
			return a.pair(ctx, &contactsv1.EnterCodeRequest{Code: strings.Join(args, " "), At: at, Permissions: split(allow)})
		}),
	}
	cmd.Flags().StringVar(&at, "at", "", "`ADDRESS` where the other device is: a multiaddr, IP:PORT, or its ODID")
	cmd.Flags().StringSliceVar(&allow, "allow", nil, "`PERMISSIONS` beyond messages and status: audio, video")
	return cmd
}

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
