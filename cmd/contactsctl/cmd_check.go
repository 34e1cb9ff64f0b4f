package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) checkCommand() *cobra.Command {
	req := &contactsv1.CheckContactsRequest{}
	cmd := &cobra.Command{
		Use:   "check CONTACT...",
		Short: "check whether you have each other as contacts",
		Long: `check tells whether a device is on your contact list and, with --both, whether
you are on its list. With --block it tells who blocks whom instead.

Result:  both_way, a_with_b (you have it, it has not you), b_with_a (the other
         way round), no_relation (neither; of blocks: no), unknown.
Source:  own (your list), live (it answered now), receipt (its last word that
         reached this device, and when it was said by its clock), unknown.

--live asks those of them that are your contacts. Each decides whether it
answers (contactsctl settings set checks=...), at most 10 times an hour, and
whether it tells of blocks: most do not, and then the answer is unknown whether
it blocks you or not. A device that is none of your contacts is not asked.

The exit code is 0 whatever the result, 1 if some could not be checked.`,
		Example:           "  contactsctl check ada --both --live\n  contactsctl check ada bob odid1… --json",
		Args:              takes(1, -1),
		ValidArgsFunction: a.allNames,
		RunE: a.call(func(ctx context.Context, args []string) error {
			req.Contacts, req.Both = args, req.Both || req.Live
			r, err := a.client.Checks().CheckContacts(ctx, req)
			if err != nil {
				return err
			}
			return a.checks(r.Results, req.Block)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&req.Both, "both", false, "whether it has you, too")
	f.BoolVar(&req.Block, "block", false, "who blocks whom")
	f.BoolVar(&req.Live, "live", false, "ask it now; implies --both")
	return cmd
}

func (a *app) checks(results []*contactsv1.Check, block bool) error {
	failed := false
	var rows [][]cell
	for _, c := range results {
		if !c.Ok {
			failed = true
			if !a.json {
				a.warn("%s: %s", safe(c.Item), safe(strings.TrimSuffix(c.Error, fmt.Sprintf(": %q", c.Item))))
			}
			continue
		}
		from := c.Source
		if c.Source == "receipt" {
			from += ", " + ago(c.AsOf, a.now())
		}
		rows = append(rows, []cell{{safe(c.Item), plain}, {c.Result, plain}, {checkWords(c, block), plain}, {from, dim}, {safe(c.Note), dim}})
	}
	var err error
	if a.json {
		err = array(a, results)
	} else if len(rows) > 0 {
		err = a.table([]string{"contact", "result", "meaning", "source", "note"}, rows)
	}
	if err == nil && failed {
		err = errPartly
	}
	return err
}

// checkWords says what a result means.
func checkWords(c *contactsv1.Check, block bool) string {
	does := "have"
	if block {
		does = "block"
	}
	switch c.Result {
	case "both_way":
		return "you " + does + " each other"
	case "a_with_b":
		if c.Source == "own" {
			return "you " + does + " it"
		}
		return "only you " + does + " it"
	case "b_with_a":
		if block {
			return "only it blocks you"
		}
		return "only it has you"
	case "no_relation", "no":
		if c.Source == "own" {
			return "you don't " + does + " it"
		}
		return "neither"
	}
	return "not known"
}
