package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// showing are the choices of show-code.
type showing struct {
	once, link, qr, noAddresses bool
	only                        string
}

func (a *app) showCodeCommand() *cobra.Command {
	var opt showing
	cmd := &cobra.Command{
		Use:   "show-code",
		Short: "show the code or link that another device enters to pair with this one",
		Long: `show-code opens the pairing window and shows its code until a device has
entered it. Codes change every 30 seconds; each is accepted as long as its
countdown runs. Ctrl-C closes the window.

After 20 wrong codes, or 60 in 24 hours, codes have nine digits, and after 300
wrong ones of those links alone are accepted. From the third wrong code on the
devices that try to pair are listed; on a terminal, a number and Enter has that
one alone be served, Enter alone serves all again.

With --link it shows a link in place of codes, with --qr the link as a QR code
too. A link pairs once, while it is shown; with --once it is accepted for 5
minutes. Whoever has it can pair: give it to nobody else.`,
		Example: "  contactsctl show-code\n  contactsctl show-code --once --json\n  contactsctl show-code --qr",
		Args:    takes(0, 0),
		RunE:    a.stream(func(ctx context.Context, _ []string) error { return a.showCode(ctx, opt) }),
	}
	f := cmd.Flags()
	f.BoolVar(&opt.once, "once", false, "print one code and leave the window open until it expires")
	f.BoolVar(&opt.link, "link", false, "show a link in place of a code")
	f.BoolVar(&opt.qr, "qr", false, "show a link, as a QR code too")
	f.BoolVar(&opt.noAddresses, "no-addresses", false, "leave out of the link where this device can be reached")
	f.StringVar(&opt.only, "only", "", "let the device of this `ODID` alone pair")
	return cmd
}

// screen is what show-code has on a terminal: one line that is redrawn each
// second, and below it nothing.
type screen struct {
	a       *app
	opt     showing
	code    *contactsv1.Code
	why     string
	waiting []*contactsv1.WaitingDevice
}

func (s *screen) draw() {
	if s.code == nil || s.code.Link != "" {
		return
	}
	left := max(0, s.code.ExpiresAt.AsTime().Sub(s.a.now()).Round(time.Second))
	fmt.Fprintf(s.a.out, "\r\x1b[K  %s   %s", s.a.paint(bold, safe(s.code.Code)), s.a.paint(dim, fmt.Sprintf("%d s left", left/time.Second)))
}

func (s *screen) clear() {
	if s.code != nil && s.code.Link == "" {
		fmt.Fprint(s.a.out, "\r\x1b[K")
	}
}

func (a *app) showCode(ctx context.Context, opt showing) error {
	opt.link = opt.link || opt.qr
	if opt.noAddresses && !opt.link {
		return usage("codes never tell addresses", "--no-addresses goes with --link or --qr only")
	}
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := a.client.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{
		Once: opt.once, Link: opt.link, NoAddresses: opt.noAddresses, Only: opt.only,
	})
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
	drawn := &screen{a: a, opt: opt}
	redraw := a.live && !a.json && !opt.once
	var typed <-chan string
	if redraw {
		what, argument := "code", "CODE"
		if opt.link {
			what, argument = "link", "'LINK'"
		}
		fmt.Fprintf(a.talk, "Enter this %s on the other device: contactsctl pair %s\nCtrl-C closes the window.\n", what, argument)
		typed = a.lines(ctx)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if redraw {
				drawn.draw()
			}
		case line := <-typed:
			drawn.choose(ctx, line)
		case u, ok := <-updates:
			if !ok {
				drawn.clear()
				return a.closed(asked, stream.Err())
			}
			if redraw && u.GetPaired() == nil {
				if err := drawn.update(u); err != nil {
					return err
				}
				continue
			}
			drawn.clear()
			if c := u.GetCode(); c != nil {
				if err := drawn.explain(c); err != nil {
					return err
				}
			}
			done, err := a.shown(u, opt)
			if done || err != nil {
				return err
			}
		}
	}
}

// lines sends what is typed, line by line, if anybody types.
func (a *app) lines(ctx context.Context) <-chan string {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	lines := make(chan string)
	go func() {
		for scan := bufio.NewScanner(in); scan.Scan(); {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// update takes an update to the screen.
func (s *screen) update(u *contactsv1.ShowCodeResponse) error {
	s.clear()
	if c := u.GetCode(); c != nil {
		s.code = c
		if err := s.explain(c); err != nil {
			return err
		}
		if c.Link != "" {
			return s.a.link(c, s.opt)
		}
	}
	if w := u.GetWaiting(); w != nil {
		s.waiting = w.Devices
		if err := s.a.listWaiting(w); err != nil {
			return err
		}
	}
	s.draw()
	return nil
}

// explain says why codes have nine digits, once.
func (s *screen) explain(c *contactsv1.Code) error {
	why := reason(c)
	if s.a.json || why == s.why {
		return nil
	}
	if s.why = why; why == "" {
		return nil
	}
	return s.a.aside(why)
}

// choose has the device of a number alone be served, or all for an empty line.
func (s *screen) choose(ctx context.Context, line string) {
	line = strings.TrimSpace(line)
	odid := ""
	if line != "" {
		n, err := strconv.Atoi(line)
		if err != nil || n < 1 || n > len(s.waiting) {
			s.a.warn("there are %d devices in the list: type the number of one, or nothing for all", len(s.waiting))
			return
		}
		odid = s.waiting[n-1].Odid
	}
	if _, err := s.a.client.Pairing().ServeOnly(ctx, &contactsv1.ServeOnlyRequest{Odid: odid}); err != nil {
		s.a.warn("%s", safe(client.Explain(err).Text))
	}
}

// reason says why a window accepts no codes of six digits, "" if it does.
func reason(c *contactsv1.Code) string {
	if c.Why == "" {
		return ""
	}
	s := "Codes have nine digits now"
	if c.Accepts == "link" {
		s = "Links alone are accepted now"
	}
	s += ": too many wrong ones were entered"
	if c.Why == "day_limit" {
		return s + fmt.Sprintf(" in 24 hours. Six digits again from %s.", c.SixDigitsAt.AsTime().Local().Format("2006-01-02 15:04"))
	}
	return s + " since this window was opened."
}

// waiting lists the devices that try to pair.
func (a *app) listWaiting(w *contactsv1.Waiting) error {
	var b strings.Builder
	b.WriteString("Devices that try to pair:\n")
	for i, d := range w.Devices {
		fmt.Fprintf(&b, "%3d  %s", i+1, safe(d.Odid))
		if d.Name != "" {
			fmt.Fprintf(&b, "  %s", safe(d.Name))
		}
		if d.WrongCodes > 0 {
			fmt.Fprintf(&b, "  wrong codes: %d", d.WrongCodes)
		}
		if d.Only {
			b.WriteString("  served alone")
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(a.talk, b.String())
	return err
}

// link prints a link, and its QR code if that was asked for.
func (a *app) link(c *contactsv1.Code, opt showing) error {
	if opt.qr {
		drawn, err := a.drawQR(c.Link)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(a.out, drawn); err != nil {
			return err
		}
	}
	return a.say("%s", safe(c.Link))
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
func (a *app) shown(u *contactsv1.ShowCodeResponse, opt showing) (done bool, err error) {
	switch u := u.Update.(type) {
	case *contactsv1.ShowCodeResponse_Code:
		if a.json {
			return false, a.object(u.Code)
		}
		if u.Code.Link != "" {
			return false, a.link(u.Code, opt)
		}
		return false, a.say("%s  accepted until %s (%d s)", safe(u.Code.Code),
			u.Code.ExpiresAt.AsTime().Local().Format(time.TimeOnly), u.Code.SecondsLeft)
	case *contactsv1.ShowCodeResponse_Waiting:
		if a.json {
			return false, a.object(u.Waiting)
		}
		return false, a.listWaiting(u.Waiting)
	case *contactsv1.ShowCodeResponse_Paired:
		return true, a.paired(u.Paired)
	}
	return false, nil
}
