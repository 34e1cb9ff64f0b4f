package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) creditsCommand() *cobra.Command {
	var charges bool
	cmd := &cobra.Command{
		Use:   "credits",
		Short: "what this device may still ask of others today",
		Long: `credits shows how many credits there are. A credit is a unit of effort: no money
moves, and none can be bought. Asking a device that you have not paired with costs
some, so that nothing on this device can send requests without end; when there are
too few, the request is refused and you are told from when on there are enough.

A device that does not know this one also wants to see stamps before it takes a
request: work that this device does by itself, so that many requests cost much.

Adding contacts, importing and pairing are free, and so is asking those you paired
with. Removing, blocking and withdrawing permissions are never refused: they cost
what is there, at most their price.

The standing says how many there are in a day and how many contacts may be
untrusted. It follows from how many contacts you have paired with.`,
		Example: "  contactsctl credits\n  contactsctl credits --charges",
		Args:    takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error {
			if charges {
				return a.charges(ctx)
			}
			return a.credits(ctx)
		}),
	}
	cmd.Flags().BoolVar(&charges, "charges", false, "what they were spent on, the newest first")
	return cmd
}

// actTexts say what the acts with a price are.
var actTexts = map[string]string{
	"ask":    "ask a device",
	"widen":  "ask a contact for more",
	"narrow": "withdraw permissions",
	"remove": "remove a contact",
	"block":  "block a device",
}

func (a *app) credits(ctx context.Context) error {
	c, err := a.client.Credits().GetCredits(ctx, &contactsv1.GetCreditsRequest{})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(c)
	}
	again := ""
	if c.RefillAt != nil {
		again = fmt.Sprintf("%s, all %d again", c.RefillAt.AsTime().Local().Format("2006-01-02 15:04"), c.Daily)
	}
	next := ""
	if c.NextStandingAt > 0 {
		next = fmt.Sprintf(", a better one with %d", c.NextStandingAt)
	}
	rows := [][2]string{
		{"credits", fmt.Sprintf("%d of %d", c.Balance, c.Daily)},
		{"refill", again},
		{"standing", fmt.Sprintf("%s: %s%s", c.Standing, plural(c.Paired, "paired contact"), next)},
		{"untrusted", fmt.Sprintf("%d of at most %d contacts", c.Untrusted, c.MaxUntrusted)},
	}
	for i, p := range c.Prices {
		name := ""
		if i == 0 {
			name = "prices"
		}
		text := fmt.Sprintf("%d  %s", p.Credits, actTexts[p.Act])
		if p.Stamps > 0 {
			text += fmt.Sprintf(" (and %s, about %.1f s of work here)", plural(p.Stamps, "stamp"), p.Seconds)
		}
		if !p.Waits {
			text += " (never refused)"
		}
		rows = append(rows, [2]string{name, text})
	}
	return a.fields(rows...)
}

func (a *app) charges(ctx context.Context) error {
	var all []*contactsv1.Charge
	req := &contactsv1.ListChargesRequest{PageSize: pageSize}
	for {
		r, err := a.client.Credits().ListCharges(ctx, req)
		if err != nil {
			return err
		}
		all = append(all, r.Charges...)
		if r.NextPageToken == "" {
			break
		}
		req.PageToken = r.NextPageToken
	}
	switch {
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside("nothing was charged")
	}
	rows := make([][]cell, 0, len(all))
	for _, c := range all {
		rows = append(rows, []cell{
			{ago(c.At, a.now()), dim}, {actTexts[c.Act], plain}, {fmt.Sprint(c.Credits), plain}, {safe(c.Name), plain}, {short(c.Odid), dim},
		})
	}
	return a.table([]string{"when", "what", "credits", "name", "odid"}, rows)
}
