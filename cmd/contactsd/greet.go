package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"contactsd/node"
	"contactsd/pairing"
)

// greet tells whoever started the daemon what it is and what to do next, with
// ctl as the command that reaches it. On a terminal it also shows one code, until
// a device has paired by it or nobody did in a few minutes.
func greet(ctx context.Context, out *os.File, d *device, socket, ctl string) {
	n := d.node
	fmt.Fprintf(out, "This device  %s\n", n.Identity.Self())
	fmt.Fprintf(out, "Its name     %s   (%s profile set name=…)\n", n.Name(), ctl)
	fmt.Fprintf(out, "Socket       %s\n", socket)
	if d.page != nil {
		fmt.Fprintf(out, "Its page     %s   (%s open)\n", d.page.URL(), ctl)
	}
	if !term.IsTerminal(int(out.Fd())) {
		return
	}
	fmt.Fprintf(out, "\nTo pair, type this code on the other device: contactsctl pair CODE\n")
	showCode(ctx, out, n, ctl, os.Getenv("TERM") != "dumb")
}

// showCode keeps one line of the terminal up to date, or, where none can be
// redrawn, writes one for each code.
func showCode(ctx context.Context, out io.Writer, n *node.Node, ctl string, redraw bool) {
	var mu sync.Mutex
	var shown pairing.Shown
	draw := func() {
		mu.Lock()
		defer mu.Unlock()
		left := int(max(0, time.Until(shown.ExpiresAt)).Seconds())
		switch {
		case shown.Code == "":
		case redraw:
			// The cursor goes back, so that a line of the log takes the place of this one.
			fmt.Fprintf(out, "\r\x1b[K  %s   %d s left\r", shown.Code, left)
		default:
			fmt.Fprintf(out, "  %s   accepted until %s\n", shown.Code, shown.ExpiresAt.Local().Format(time.TimeOnly))
		}
	}
	watching, stop := context.WithTimeout(ctx, showFor)
	var clock sync.WaitGroup
	clock.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-watching.Done():
				return
			case <-tick.C:
				if redraw {
					draw()
				}
			}
		}
	})
	ended, err := n.Pairing.Show(watching, pairing.ShowOptions{}, func(s pairing.Shown) {
		mu.Lock()
		shown = s
		mu.Unlock()
		draw()
	})
	stop()
	clock.Wait()
	if redraw {
		fmt.Fprint(out, "\r\x1b[K")
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintln(out, "Nobody has paired, the code is gone. For another one:", ctl, "show-code")
	case err != nil:
		fmt.Fprintf(out, "No code: %v\n", err)
	case ended.Paired:
		fmt.Fprintf(out, "Paired with %q (%s). To write: %s send %s TEXT\n", ended.Name, ended.Peer.Short(), ctl, ended.Peer.Short())
	}
}

// showFor is how long a code is shown on the terminal that the daemon was
// started on: nobody can say whether somebody still looks at it.
const showFor = 5 * time.Minute
