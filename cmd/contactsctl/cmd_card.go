package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) cardCommand() *cobra.Command {
	card := &cobra.Command{
		Use:   "card",
		Short: "your contact card, and those that others let you have",
		Long: `card shows your contact card: phone, e-mail, address and notes, as far as you
filled them in. Nobody has it unless you accept their request for it, and then they
have all of it. You may revoke that: a device that keeps the rules deletes the card
as soon as it hears of it, or when it has not been in touch with yours for 30 days.
Who saw it may have kept a copy.`,
		Example: `  contactsctl card set phone="+49 30 1234" email=ada@example.org
  contactsctl card ask bob --wording "Your number, for the trip?"
  contactsctl requests accept bob --only card
  contactsctl card revoke bob`,
		Args: takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error { return a.showOwnCard(ctx) }),
	}
	card.AddCommand(
		&cobra.Command{
			Use:   "show [CONTACT]",
			Short: "show your card, or that of a contact",
			Long: `show shows your card, or that of a contact if it lets you have it. Nobody is asked:
see contactsctl card ask.`,
			Example:           "  contactsctl card show bob",
			Args:              takes(0, 1),
			ValidArgsFunction: a.names,
			RunE: a.call(func(ctx context.Context, args []string) error {
				if len(args) == 0 {
					return a.showOwnCard(ctx)
				}
				return a.showCardOf(ctx, args[0])
			}),
		},
		&cobra.Command{
			Use:   "set KEY=VALUE...",
			Short: "change your card: phone, email, address, notes",
			Long: `set changes your card, all that is given or, if one can't be taken, nothing. Those
who hold it get the change by themselves.

phone    at most 64 bytes
email    at most 254 bytes
address  at most 500 bytes; it may have several lines
notes    at most 1000 bytes; they may have several lines

An empty value takes a part away.`,
			Example: `  contactsctl card set phone="+49 30 1234" email=ada@example.org
  contactsctl card set notes=`,
			Args:      takes(1, -1),
			ValidArgs: []string{"phone=", "email=", "address=", "notes="},
			RunE:      a.call(a.setCard),
		},
		a.cardAskCommand(),
		&cobra.Command{
			Use:               "cancel CONTACT",
			Short:             "take back that you asked a contact for its card",
			Example:           "  contactsctl card cancel bob",
			Args:              takes(1, 1),
			ValidArgsFunction: a.names,
			RunE: a.call(func(ctx context.Context, args []string) error {
				_, err := a.client.Cards().CancelCardAsk(ctx, &contactsv1.CancelCardAskRequest{Contact: args[0]})
				return a.did(err, "cancelled", args[0])
			}),
		},
		&cobra.Command{
			Use:     "list",
			Short:   "list the cards of others that you have",
			Example: "  contactsctl card list",
			Args:    takes(0, 0),
			RunE:    a.call(func(ctx context.Context, _ []string) error { return a.listCards(ctx) }),
		},
		&cobra.Command{
			Use:   "grants",
			Short: "list who may have your card",
			Long: `grants lists who may have your card, and from whom you took it back within 30 days.

given        they have not fetched it yet
held         they have it
asked        revoked: their device is asked to delete it
confirmed    revoked: their device says that it has none
unreachable  revoked, and their device could not be told yet; if it keeps the rules
             it hides the card on the date that is shown, by its own clock

Who saw it may have kept a copy.`,
			Example: "  contactsctl card grants",
			Args:    takes(0, 0),
			RunE:    a.call(func(ctx context.Context, _ []string) error { return a.cardGrants(ctx) }),
		},
		&cobra.Command{
			Use:               "revoke CONTACT",
			Short:             "let a contact have your card no more",
			Example:           "  contactsctl card revoke bob",
			Args:              takes(1, 1),
			ValidArgsFunction: a.names,
			RunE:              a.call(func(ctx context.Context, args []string) error { return a.revokeCard(ctx, args[0]) }),
		})
	return card
}

func (a *app) cardAskCommand() *cobra.Command {
	req := &contactsv1.AskCardRequest{}
	cmd := &cobra.Command{
		Use:   "ask CONTACT --wording TEXT",
		Short: "ask a contact for its card",
		Long: `ask asks a contact for its card, in the place of what you asked before and it did
not answer. One that does not list you is asked to be your contact as well, in the
same words.`,
		Example:           `  contactsctl card ask bob --wording "Your number, for the trip?"`,
		Args:              takes(1, 1),
		ValidArgsFunction: a.names,
		RunE: a.call(func(ctx context.Context, args []string) error {
			if req.Contact = args[0]; req.Wording == "" {
				return usage(`say why, like --wording "Your number, for the trip?"`, "a request needs a wording")
			}
			r, err := a.client.Cards().AskCard(ctx, req)
			switch {
			case err != nil:
				return err
			case a.json:
				return a.object(r.Request)
			}
			return a.say("asked %s for the contact card", safe(r.Request.Name))
		}),
	}
	cmd.Flags().StringVar(&req.Wording, "wording", "", "`TEXT` that is shown with it, at most 100 characters")
	return cmd
}

func (a *app) showOwnCard(ctx context.Context) error {
	r, err := a.client.Cards().GetCard(ctx, &contactsv1.GetCardRequest{})
	if err != nil {
		return err
	}
	return a.ownCard(r.Card)
}

func (a *app) setCard(ctx context.Context, args []string) error {
	values, err := assignments(args, "phone", "email", "address", "notes")
	if err != nil {
		return err
	}
	r, err := a.client.Cards().SetCard(ctx, &contactsv1.SetCardRequest{
		Phone: values["phone"], Email: values["email"], Address: values["address"], Notes: values["notes"],
	})
	if err != nil {
		return err
	}
	return a.ownCard(r.Card)
}

func (a *app) ownCard(c *contactsv1.Card) error {
	rows := cardRows(c)
	switch {
	case a.json:
		return a.object(c)
	case len(rows) == 0:
		return a.aside("your card is empty; to fill it in: contactsctl card set phone=…")
	}
	return a.fields(rows...)
}

// cardRows are the fields of a card that tell something.
func cardRows(c *contactsv1.Card) (rows [][2]string) {
	for _, f := range [][2]string{{"phone", c.Phone}, {"email", c.Email}, {"address", c.Address}, {"notes", c.Notes}} {
		if f[1] == "" {
			continue
		}
		key := f[0]
		for line := range strings.SplitSeq(f[1], "\n") {
			rows = append(rows, [2]string{key, safe(line)})
			key = ""
		}
	}
	return rows
}

func (a *app) showCardOf(ctx context.Context, who string) error {
	r, err := a.client.Cards().GetContactCard(ctx, &contactsv1.GetContactCardRequest{Contact: who})
	switch {
	case err != nil:
		return err
	case a.json:
		return a.object(r)
	case r.State != "held":
		return a.say("%s", cardStateText(r.State))
	}
	rows := append([][2]string{{"name", safe(r.Card.Name)}}, cardRows(r.Card.Card)...)
	if len(rows) == 1 {
		rows = append(rows, [2]string{"card", "empty"})
	}
	return a.fields(append(rows, [2]string{"until", day(r.Card.Until) + ", longer if you are in touch"})...)
}

// cardStateText tells how it stands with a card that is not held.
func cardStateText(state string) string {
	switch state {
	case "pending":
		return "access request pending"
	case "granted":
		return "you may have this card; it is fetched when the device can be reached"
	}
	return "contact information is locked; to request it: contactsctl card ask CONTACT --wording …"
}

func (a *app) listCards(ctx context.Context) error {
	var all []*contactsv1.HeldCard
	for req := (&contactsv1.ListCardsRequest{PageSize: pageSize}); ; {
		r, err := a.client.Cards().ListCards(ctx, req)
		if err != nil {
			return err
		}
		all = append(all, r.Cards...)
		if req.PageToken = r.NextPageToken; req.PageToken == "" {
			break
		}
	}
	switch {
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside("nobody lets you have a card")
	}
	rows := make([][]cell, 0, len(all))
	for _, h := range all {
		rows = append(rows, []cell{
			{safe(h.Name), plain}, {safe(h.Card.Phone), plain}, {safe(h.Card.Email), plain}, {ago(h.Since, a.now()), dim}, {short(h.Odid), dim},
		})
	}
	return a.table([]string{"name", "phone", "email", "since", "odid"}, rows)
}

func (a *app) cardGrants(ctx context.Context) error {
	var all []*contactsv1.CardGrant
	for req := (&contactsv1.ListCardGrantsRequest{PageSize: pageSize}); ; {
		r, err := a.client.Cards().ListCardGrants(ctx, req)
		if err != nil {
			return err
		}
		all = append(all, r.Grants...)
		if req.PageToken = r.NextPageToken; req.PageToken == "" {
			break
		}
	}
	switch {
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside("nobody may have your card")
	}
	rows := make([][]cell, 0, len(all))
	for _, g := range all {
		rows = append(rows, []cell{
			{safe(g.Name), plain}, {grantText(g), plain}, {ago(g.Since, a.now()), dim}, {short(g.Odid), dim},
		})
	}
	return a.table([]string{"name", "state", "since", "odid"}, rows)
}

// grantText tells how far a grant, or its end, has come.
func grantText(g *contactsv1.CardGrant) string {
	switch g.State {
	case "asked":
		return "revoked, its device is asked to delete it"
	case "confirmed":
		return "revoked, its device says that it has none"
	case "unreachable":
		return fmt.Sprintf("revoked, unreachable: hidden there on %s", day(g.HiddenBy))
	}
	return safe(g.State)
}

func (a *app) revokeCard(ctx context.Context, who string) error {
	r, err := a.client.Cards().RevokeCard(ctx, &contactsv1.RevokeCardRequest{Contact: who})
	switch {
	case err != nil:
		return err
	case a.json:
		return a.object(r.Grant)
	}
	if err := a.say("%s: %s", cmp.Or(safe(r.Grant.GetName()), who), grantText(r.Grant)); err != nil {
		return err
	}
	return a.aside("who saw it may have kept a copy")
}
