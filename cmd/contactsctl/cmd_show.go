package main

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show CONTACT",
		Short:             "show all there is to know of one contact",
		Example:           "  contactsctl show ada\n  contactsctl show odid1qxy7 --json",
		Args:              takes(1, 1),
		ValidArgsFunction: a.names,
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: args[0]})
			if err != nil {
				return err
			}
			return a.contact(r.Contact)
		}),
	}
}

func (a *app) contact(c *contactsv1.Contact) error {
	if a.json {
		return a.object(c)
	}
	t := trustCell(c)
	rows := [][2]string{
		{"name", safe(c.Name)},
		{"remark", safe(c.Remark)},
		{"ODID", c.Odid},
		{"trust", a.paint(t.color, t.text)},
		{"relation", relationText(c)},
		{"may here", list(c.PermissionsGiven)},
		{"you may", list(c.PermissionsReceived)},
		{"presence", presenceText(c.Presence, a.now())},
		{"groups", safe(strings.Join(c.Groups, ", "))},
	}
	for _, f := range c.Fields {
		rows = append(rows, [2]string{"field." + f.Key, fieldText(f)})
	}
	rows = append(rows,
		[2]string{"source", sourceText(c)},
		[2]string{"wording", safe(c.Wording)},
		[2]string{"added", ago(c.AddedAt, a.now())})
	return a.fields(rows...)
}

// sourceText is how a contact came, and by which application.
func sourceText(c *contactsv1.Contact) string {
	if c.App == "" {
		return c.Source
	}
	return c.Source + " (" + safe(c.App) + ")"
}

// fieldText is the value of a field for a terminal.
func fieldText(f *contactsv1.Field) string {
	switch v := f.Value.(type) {
	case *contactsv1.Field_Text:
		return safe(v.Text)
	case *contactsv1.Field_Data:
		return hex.EncodeToString(v.Data) + " (bytes)"
	case *contactsv1.Field_Number:
		return strconv.FormatUint(v.Number, 10)
	}
	return ""
}
