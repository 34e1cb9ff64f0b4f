// Command contactsd is the daemon: one device of a person, its contacts,
// presence and messages. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when a release is linked.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		os.Exit(fail(err))
	}
}

// usageError is an error of how the program was called.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// hinted is an error that says what to do.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// fail prints err with its hint and returns the exit code: 2 for wrong usage, else 1.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "contactsd:", err)
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintln(os.Stderr, "  hint:", h.hint)
	}
	var u usageError
	if errors.As(err, &u) {
		return 2
	}
	return 1
}

func newCommand() *cobra.Command {
	var opt runOptions
	cmd := &cobra.Command{
		Use:   "contactsd",
		Short: "Run the contact daemon of this device",
		Long: `contactsd is the daemon of one device: its contacts, their presence, and the
messages that wait for them. It runs in the foreground until it is interrupted.
contactsctl talks to it through its socket.

Started on a terminal it also shows a code to pair a first device with.

Settings come from flags, then the environment (CONTACTSD_HOME,
CONTACTSD_LISTEN, CONTACTSD_MDNS, CONTACTSD_LOG_LEVEL), then config.toml.`,
		Example: `  contactsd
  contactsd --home /tmp/ana --listen /ip4/127.0.0.1/tcp/0 --mdns=false
  contactsd demo`,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.flags = cmd.Flags()
			return run(cmd.Context(), opt)
		},
	}
	cmd.SetVersionTemplate("contactsd {{.Version}}\n")
	f := cmd.Flags()
	f.StringVar(&opt.home, "home", "", "directory of everything this device keeps (default: as the XDG directories say)")
	f.StringVar(&opt.config, "config", "", "configuration file (default: config.toml of the home)")
	f.StringArray("listen", nil, "multiaddr to listen on, repeatable; port 0 chooses one and keeps it")
	f.Bool("mdns", true, "find devices on the local network")
	f.String("log-level", "", "debug, info, warn or error (default info)")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{hinted{fmt.Errorf("unknown command %q", args[0]), "see: contactsd --help"}}
		}
		return nil
	}
	cmd.AddCommand(newDemoCommand())
	return cmd
}
