package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"contactsd/client"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitNotFound    = 5
	exitInterrupted = 130
)

// failure is an error of a command's body. Any other error comes from cobra and
// is one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// told is an error with its own exit code and hint.
type told struct {
	code int
	text string
	hint string
}

func (t *told) Error() string { return t.text }

func usage(hint, format string, args ...any) error {
	return &told{exitUsage, fmt.Sprintf(format, args...), hint}
}

// errPartly ends a batch of which some failed; each was told already.
var errPartly = &told{code: exitFailed}

// startHint is what every error of a daemon that isn't there is told with.
const startHint = "start it with: contactsd"

// report tells the user what went wrong and returns the exit code. It is the
// only place that does either.
func (a *app) report(ctx context.Context, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	code, text, hint := explain(ctx, cmd, err)
	if hint == startHint && a.client.Home != "" {
		hint += " --home " + a.client.Home
	}
	if text != "" {
		fmt.Fprintf(a.talk, "%s: %s\n", program, safeText(text, ""))
	}
	if hint != "" {
		fmt.Fprintf(a.talk, "  hint: %s\n", safeText(hint, "  "))
	}
	return code
}

func explain(ctx context.Context, cmd *cobra.Command, err error) (code int, text, hint string) {
	var own *told
	if errors.As(err, &own) {
		return own.code, own.text, own.hint
	}
	var f failure
	if !errors.As(err, &f) {
		return exitUsage, err.Error(), usageHint(cmd)
	}
	e := client.Explain(f.error)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted, "", ""
	case e.Reason == client.ReasonUnreachable, e.Reason == client.ReasonStopping:
		return exitUnreachable, e.Text, e.Hint
	}
	return exitOf(e.Code), e.Text, e.Hint
}

func exitOf(code connect.Code) int {
	switch code {
	case connect.CodeInvalidArgument:
		return exitUsage
	case connect.CodePermissionDenied, connect.CodeFailedPrecondition:
		return exitRefused
	case connect.CodeNotFound:
		return exitNotFound
	}
	return exitFailed
}

// usageHint names what was probably meant, or where to read.
func usageHint(cmd *cobra.Command) string {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return "did you mean " + strings.Join(near, " or ") + "?"
		}
	}
	return fmt.Sprintf("see: %s --help", cmd.CommandPath())
}
