package main

import (
	"context"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/browse"
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

const printHint = "contactsctl open --print writes the address"

func (a *app) open(ctx context.Context, print bool) error {
	if err := browse.Find(); err != nil && !print {
		return &told{exitFailed, err.Error(), printHint}
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
	if err := browse.Open(ctx, login.File); err != nil {
		return &told{exitFailed, err.Error(), printHint}
	}
	return a.aside("the page opens in your browser")
}
