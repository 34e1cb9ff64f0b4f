package main

import (
	"context"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why CONTACT",
		Short: "say how a contact is reached, or why it is not",
		Long: `why says in sentences how a contact is reached now, or what came of trying and
when the next attempt is due; what its permissions and yours hold back; and how
many messages wait for it, and why. It asks nobody and changes nothing. A whole
ODID may be that of any device.`,
		Example:           "  contactsctl why ada\n  contactsctl why ada --json",
		Args:              takes(1, 1),
		ValidArgsFunction: a.names,
		RunE:              a.call(a.why),
	}
}

func (a *app) why(ctx context.Context, args []string) error {
	r, err := a.client.Contacts().ExplainContact(ctx, &contactsv1.ExplainContactRequest{Contact: args[0]})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(r)
	}
	for _, sentence := range r.Why {
		if err := a.say("%s", safe(sentence)); err != nil {
			return err
		}
	}
	return nil
}
