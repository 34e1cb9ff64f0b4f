package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takes accepts from least to most arguments, any number if most is negative.
// What is missing is called as the usage line of the command calls it.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "use: " + strings.TrimSuffix(cmd.UseLine(), " [flags]")
		switch {
		case len(args) < least:
			what := strings.TrimSuffix(strings.Fields(cmd.Use)[1+len(args)], "...")
			return usage(hint, "%s is missing", what)
		case most >= 0 && len(args) > most && cmd.HasSubCommands():
			return fmt.Errorf("unknown command %q for %q", args[most], cmd.CommandPath())
		case most >= 0 && len(args) > most:
			return usage(hint, "one argument too many: %q", args[most])
		}
		return nil
	}
}

// wrongFlag says what is wrong with a flag, in words of people.
func wrongFlag(cmd *cobra.Command, err error) error {
	see := usageHint(cmd)
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		switch value.GetFlag().Value.Type() {
		case "duration":
			see = "write it like 10s or 2m"
		case "uint32":
			see = "give a whole number"
		}
		return usage(see, "--%s: %q can't be used", value.GetFlag().Name, value.GetValue())
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "" && strings.Contains(cmd.Use, "TEXT"):
		see = "if it is text, put -- before it"
	}
	return usage(see, "%v", err)
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage("see: "+program+" help", "unknown command %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (words []cobra.Completion, _ cobra.ShellCompDirective) {
			if about, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range about.Commands() {
					if c.IsAvailableCommand() {
						words = append(words, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "write what lets a shell complete commands and contacts",
		Long: fmt.Sprintf(`completion writes a script for %s. With it the
Tab key completes commands, flags, and the names of your contacts.`, strings.Join(shells, ", ")),
		Example:   "  source <(contactsctl completion bash)\n  contactsctl completion fish >~/.config/fish/completions/contactsctl.fish",
		Args:      takes(1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return usage("use one of "+strings.Join(shells, ", "), "unknown shell %q", args[0])
		},
	}
}
