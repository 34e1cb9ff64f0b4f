package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

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

A CONTACT is named by its ODID, an unambiguous start of it, remark or name.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 refused,
5 not found, 130 interrupted.`,
		Example: `  contactsctl show-code               on one device, then
  contactsctl pair 482-193            on the other: they trust each other
  contactsctl send ada "see you"      delivered when she is there
  contactsctl messages ada --follow`,
		Version:       version,
		Args:          takes(0, 0),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate(program + " {{.Version}}\n")
	root.DisableSuggestions = true // report says it in the form of all hints
	root.SetFlagErrorFunc(wrongFlag)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.talk)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.CompletionOptions.DisableDefaultCmd = true
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "write JSON, one object a line for what streams")
	f.StringVar(&a.client.Home, "home", "", "home `DIR` of the daemon (default $CONTACTSD_HOME, else as XDG has it)")
	f.StringVar(&a.client.Socket, "socket", "", "`FILE` that is the daemon's socket (default that of the home)")
	f.DurationVar(&a.timeout, "timeout", 0, fmt.Sprintf("how long to wait for an answer, a `TIME` like 10s (default %v, none for what streams)", defaultTimeout))
	group := func(id, title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("pairing", "Pairing:", a.showCodeCommand(), a.pairCommand())
	group("contacts", "Contacts:", a.addCommand(), a.listCommand(), a.showCommand(), a.whyCommand(), a.setCommand(), a.groupsCommand(), a.removeCommand(), a.permissionsCommand(), a.requestsCommand(), a.cardCommand(), a.checkCommand(),
		a.blockCommand(), a.unblockCommand(), a.blocklistCommand())
	group("messages", "Messages, files and presence:", a.sendCommand(), a.messagesCommand(), a.outboxCommand(), a.filesCommand(), a.presenceCommand())
	group("device", "This device:", a.openCommand(), a.statusCommand(), a.profileCommand(), a.creditsCommand(), a.settingsCommand(), a.eventsCommand(), a.pathsCommand(), a.versionCommand())
	root.AddGroup(&cobra.Group{ID: "other", Title: "About the commands:"})
	root.SetHelpCommandGroupID("other")
	help, completion := a.helpCommand(), a.completionCommand()
	help.GroupID, completion.GroupID = "other", "other"
	root.SetHelpCommand(help)
	root.AddCommand(completion, a.manCommand())
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
