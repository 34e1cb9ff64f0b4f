package main

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) openCommand() *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Use:   "open",
		Short: "open the Contacts page in your browser",
		Long: `open lets your browser into the page of this device. The way in works once and for a
minute; it stands in a file that only you can read, so that no other user of this
computer sees it among the arguments of the browser. With --print it is written
out instead, for a browser that can't read that file.`,
		Example: "  contactsctl open\n  contactsctl open --print",
		Args:    takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error {
			return a.open(ctx, print)
		}),
	}
	cmd.Flags().BoolVar(&print, "print", false, "write the address instead of opening a browser")
	return cmd
}

// opener is the program that opens a file as the desktop does (xdg-utils).
const opener = "xdg-open"

func (a *app) open(ctx context.Context, print bool) error {
	program, err := exec.LookPath(opener)
	if err != nil && !print {
		return &told{exitFailed, opener + " is not installed, so no browser can be opened", "contactsctl open --print writes the address"}
	}
	login, err := a.client.Page().OpenPage(ctx, &contactsv1.OpenPageRequest{File: !print})
	if err != nil {
		return err
	}
	switch {
	case a.json:
		return a.object(login)
	case print:
		return a.say("%s", login.Url)
	}
	if err := exec.CommandContext(ctx, program, login.File).Run(); err != nil {
		return &told{exitFailed, fmt.Sprintf("%s could not open a browser: %v", opener, err), "contactsctl open --print writes the address"}
	}
	return a.aside("the page opens in your browser")
}
