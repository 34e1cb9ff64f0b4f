package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

const program = "contactsctl"

// Timeouts of a call unless --timeout says otherwise. Streams have none.
const (
	defaultTimeout = 30 * time.Second
	pairTimeout    = 90 * time.Second // up to three devices, 20 s each, and the search for them
)

// app is what the commands share: where they write, and the global flags.
type app struct {
	in      io.Reader
	out     io.Writer
	talk    io.Writer
	client  *client.Client
	json    bool
	color   bool
	live    bool // stdout is a terminal that can redraw a line
	timeout time.Duration
	now     func() time.Time
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, talk io.Writer) int {
	a := &app{
		in: in, out: out, talk: talk,
		client: &client.Client{},
		live:   isTerminal(out) && os.Getenv("TERM") != "dumb",
		color:  wantsColor(out),
		now:    time.Now,
	}
	defer a.client.Close()
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return a.report(ctx, cmd, err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "contacts, presence and messages between your devices and those of people you know",
		Long: `contactsctl is the command line of contactsd, which must be running.

A contact C is named by its ODID, an unambiguous start of it, remark or name.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 refused,
5 not found, 130 interrupted.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.DisableSuggestions = true // report says it in the form of all hints
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.talk)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "write JSON, one object a line for what streams")
	f.StringVar(&a.client.Home, "home", "", "home directory of the daemon (default $CONTACTSD_HOME, else as XDG has it)")
	f.StringVar(&a.client.Socket, "socket", "", "socket of the daemon (default that of the home)")
	f.DurationVar(&a.timeout, "timeout", 0, fmt.Sprintf("how long to wait for an answer (default %v, none for what streams)", defaultTimeout))
	root.AddCommand(
		a.statusCommand(), a.profileCommand(),
		a.showCodeCommand(), a.pairCommand(),
		a.addCommand(), a.listCommand(), a.showCommand(), a.setCommand(), a.removeCommand(), a.permissionsCommand(),
		a.presenceCommand(),
		a.sendCommand(), a.messagesCommand(), a.outboxCommand(),
		a.eventsCommand(), a.pathsCommand(), a.versionCommand(),
	)
	return root
}

// action is the body of a command.
type action func(ctx context.Context, args []string) error

// call makes the body of a command that asks and gets an answer.
func (a *app) call(do action) func(*cobra.Command, []string) error {
	return a.callFor(defaultTimeout, do)
}

// stream makes the body of a command that goes on until it is interrupted.
func (a *app) stream(do action) func(*cobra.Command, []string) error {
	return a.callFor(0, do)
}

func (a *app) callFor(limit time.Duration, do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if a.timeout < 0 {
			return fmt.Errorf("--timeout %v: must not be negative", a.timeout)
		}
		if a.timeout > 0 {
			limit = a.timeout
		}
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		if err := do(ctx, args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// names completes the first argument with the contacts there are.
func (a *app) names(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, none
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	r, err := a.client.Contacts().ListContacts(ctx, &contactsv1.ListContactsRequest{Filter: start, PageSize: pageSize})
	if err != nil {
		return nil, none
	}
	var words []cobra.Completion
	for _, c := range r.Contacts {
		words = append(words, safe(title(c)))
	}
	return words, none
}
