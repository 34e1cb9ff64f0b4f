// Command contacts-tray is the icon of contactsd on a desktop: presence, requests,
// the code, notifications. See docs/desktop.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"contactsd/client"
	"contactsd/desktop/bus"
	"contactsd/internal/legible"
)

const program = "contacts-tray"

// version is set when a release is linked.
var version = "dev"

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // also: the desktop lacks what the tray needs
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := report(ctx, command(), os.Args[1:])
	stop()
	os.Exit(code)
}

// failure is an error of a command's body. Any other error is one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// report runs a command, tells what went wrong, and returns the exit code.
func report(ctx context.Context, cmd *cobra.Command, args []string) int {
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code, hint := exitUsage, "see: "+program+" --help"
	var f failure
	if errors.As(err, &f) {
		code, hint = exitFailed, ""
		var missing *bus.Missing
		if errors.As(err, &missing) {
			hint = missing.Hint
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", program, legible.Line(err.Error()))
	if hint != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "  hint: %s\n", hint)
	}
	return code
}

func command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   program,
		Short: "show contactsd in the tray of the desktop",
		Long: `contacts-tray shows an icon with your presence and the requests that wait, notifies you
of what comes, and opens the Contacts page. It runs until you choose Quit, or until
nobody could see it: without a session bus or a panel that shows tray icons it says
what is missing and ends.

It shows the daemon of your home directory, also when that is started later or anew.`,
		Example: `  contacts-tray
  contacts-tray --wait 30s     # at login, while the panel starts
  contacts-tray install        # have the desktop do that`,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.wait < 0 {
				return fmt.Errorf("--wait %v: must not be negative", opt.wait)
			}
			if err := run(cmd.Context(), opt); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.SetVersionTemplate(program + " {{.Version}}\n")
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.AddCommand(installCommand())
	opt.client = &client.Client{}
	f := cmd.Flags()
	f.StringVar(&opt.client.Home, "home", "", "home `DIR` of the daemon (default $CONTACTSD_HOME, else as XDG has it)")
	f.StringVar(&opt.client.Socket, "socket", "", "`FILE` that is the daemon's socket (default that of the home)")
	f.DurationVar(&opt.wait, "wait", 0, "how long to wait for a panel that shows the icon, a `TIME` like 30s")
	return cmd
}

type options struct {
	client *client.Client
	wait   time.Duration
}
