// Command contactsd is the daemon: one device of a person, its contacts,
// presence and messages. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when a release is linked.
var version = "dev"

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup asks to go on
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
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

// errInterrupted ends a demonstration that the user does not want to see the end of.
var errInterrupted = errors.New("interrupted")

// fail prints err with its hint and returns the exit code: 2 for wrong usage,
// 130 for an interruption, else 1.
func fail(err error) int {
	if errors.Is(err, errInterrupted) {
		return 130
	}
	text, hint := err.Error(), ""
	var h hinted
	var u usageError
	switch wrong := errors.As(err, &u); {
	case errors.As(err, &h):
		hint = h.hint
	case !wrong:
		// Below this program, what to do stands after a semicolon.
		text, hint, _ = strings.Cut(text, "; ")
	}
	fmt.Fprintln(os.Stderr, "contactsd:", text)
	if hint != "" {
		fmt.Fprintln(os.Stderr, "  hint:", hint)
	}
	if u.error != nil {
		return 2
	}
	return 1
}

func newCommand() *cobra.Command {
	var opt runOptions
	cmd := &cobra.Command{
		Use:   "contactsd",
		Short: "run the contact daemon of this device",
		Long: `contactsd is the daemon of one device: its contacts, their presence, and the
messages that wait for them. It runs in the foreground until it is interrupted.
contactsctl talks to it through its socket.

Started on a terminal it also shows a code to pair a device with.

Settings come from flags, then the environment (CONTACTSD_HOME,
CONTACTSD_LISTEN, CONTACTSD_MDNS, CONTACTSD_PAGE, CONTACTSD_LOG_LEVEL), then
config.toml.`,
		Example: `  contactsd
  contactsd --home /tmp/ana --listen /ip4/127.0.0.1/tcp/0 --mdns=false
  contactsd check
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
	f.StringVar(&opt.home, "home", "", "`DIR` of everything this device keeps (default $CONTACTSD_HOME, else as XDG has it)")
	f.StringVar(&opt.config, "config", "", "configuration `FILE` (default config.toml of the home)")
	f.StringArray("listen", nil, "`ADDRESS` to listen on, a multiaddr, repeatable; port 0 chooses one and keeps it")
	f.Bool("mdns", true, "find devices on the local network, and be found; --mdns=false for neither")
	f.String("page", pageAuto, "`ADDRESS` of the Contacts page, 127.0.0.1:PORT; auto for a port of its own, off for no page")
	f.String("log-level", "", "`LEVEL` of the log: debug, info, warn or error (default info)")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{hinted{err, "see: " + cmd.CommandPath() + " --help"}}
	})
	cmd.Args = noArguments
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(newDemoCommand(), newCheckCommand(), newRestoreCommand())
	cmd.InitDefaultHelpCmd()
	for _, sub := range cmd.Commands() {
		if sub.Name() == "help" {
			sub.Short = "explain a command"
		}
	}
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{hinted{fmt.Errorf("unknown command %q", args[0]), "see: contactsd --help; it only runs the daemon, contactsctl has the commands"}}
}
