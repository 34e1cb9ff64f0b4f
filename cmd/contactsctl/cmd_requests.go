package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) requestsCommand() *cobra.Command {
	var sent bool
	requests := &cobra.Command{
		Use:   "requests",
		Short: "what others ask of this device, and what you asked",
		Long: `requests lists what waits for your answer: devices that want to be contacts,
contacts that want to be allowed more, and who asks for your contact card. What a
stranger calls itself and writes is its own choice, and proves nothing.

With --sent it lists what you asked and others have not answered: queued until the
other device can be reached, then sent; working while this device makes the stamps
that the other one wants to see first, which is work and nothing else; later if it
has no room for more requests now (it is asked again).`,
		Example: "  contactsctl requests\n  contactsctl requests accept odid1qxy7\n  contactsctl requests --sent",
		Args:    takes(0, 0),
		RunE:    a.call(func(ctx context.Context, _ []string) error { return a.requests(ctx, sent) }),
	}
	requests.Flags().BoolVar(&sent, "sent", false, "what you asked")
	requests.AddCommand(
		a.answerCommand("accept", "accepted", `accept makes who asks a contact, untrusted until you pair with it, and lets it do
what it asks for, or with --allow a part of that. A contact that asks for more is
allowed it. Who asks for your contact card gets it, and becomes a contact, too; with
--only card that alone is answered. What you give you may take back, but who saw it
may have kept a copy.`),
		a.answerCommand("reject", "rejected", `reject says no. It is no block: another request may come, at most three a day.`),
		a.answerCommand("block", "blocked", `block says nothing, and has nothing more to do with who asks. See: contactsctl unblock.`),
		a.reportCommand(), a.quarantineCommand(), a.reportsCommand(),
		&cobra.Command{
			Use:               "cancel CONTACT",
			Short:             "take back what you asked a contact",
			Example:           "  contactsctl requests cancel ada",
			Args:              takes(1, 1),
			ValidArgsFunction: a.names,
			RunE: a.call(func(ctx context.Context, args []string) error {
				_, err := a.client.Requests().CancelRequest(ctx, &contactsv1.CancelRequestRequest{Contact: args[0]})
				return a.did(err, "cancelled", args[0])
			}),
		})
	return requests
}

// answerCommand is one of the answers to requests.
func (a *app) answerCommand(answer, did, long string) *cobra.Command {
	req := &contactsv1.AnswerRequestsRequest{Answer: answer}
	cmd := &cobra.Command{
		Use:   answer + " ID|ODID...",
		Short: answer + " requests",
		Long: long + `

Name requests by id or by the ODID of who asks, a start of it that no other has, or
--all that wait. Each is answered on its own: exit code 1 says that some could not
be.`,
		Example: fmt.Sprintf("  contactsctl requests %s odid1qxy7\n  contactsctl requests %s --all", answer, answer),
		Args: func(cmd *cobra.Command, args []string) error {
			if req.All {
				return takes(0, 0)(cmd, args)
			}
			return takes(1, -1)(cmd, args)
		},
		ValidArgsFunction: a.askers,
		RunE: a.call(func(ctx context.Context, args []string) error {
			req.Requests = args
			var who map[string]string
			if req.All && !a.json {
				var err error
				if who, err = a.whoAsks(ctx); err != nil {
					return err
				}
			}
			r, err := a.client.Requests().AnswerRequests(ctx, req)
			if err != nil {
				return err
			}
			if r.EmptyCard && !a.json {
				if err := a.aside("your contact card is empty; to fill it in: contactsctl card set phone=…"); err != nil {
					return err
				}
			}
			for _, item := range r.Results {
				item.Item = cmp.Or(who[item.Item], item.Item)
			}
			if len(r.Results) == 0 && !a.json {
				return a.aside("no requests")
			}
			return a.results(r.Results, did)
		}),
	}
	cmd.Flags().BoolVar(&req.All, "all", false, "all that wait")
	if answer != "block" {
		cmd.Flags().StringVar(&req.Only, "only", "", "only requests of this `KIND`: contact or card")
	}
	if answer == "accept" {
		cmd.Flags().StringSliceVar(&req.Permissions, "allow", nil, "allow these `PERMISSIONS` at most: messages, audio, video, status")
	}
	return cmd
}

// whoAsks returns what a person calls each that waits, by the id of its request.
func (a *app) whoAsks(ctx context.Context) (map[string]string, error) {
	all, err := a.requestPages(ctx, "in")
	who := make(map[string]string, len(all))
	for _, q := range all {
		who[q.Id] = short(q.Odid)
		if q.Name != "" {
			who[q.Id] = fmt.Sprintf("%s (%s)", q.Name, short(q.Odid))
		}
	}
	return who, err
}

// askers completes every argument with the ODID of who asks.
func (a *app) askers(cmd *cobra.Command, _ []string, _ string) (words []cobra.Completion, _ cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	r, err := a.client.Requests().ListRequests(ctx, &contactsv1.ListRequestsRequest{PageSize: pageSize})
	if err != nil {
		return nil, none
	}
	for _, q := range r.Requests {
		words = append(words, cobra.CompletionWithDesc(q.Odid, safe(q.Name)))
	}
	return words, none
}

// requestPages returns all pages of a list of requests.
func (a *app) requestPages(ctx context.Context, direction string) (all []*contactsv1.Request, err error) {
	req := &contactsv1.ListRequestsRequest{Direction: direction, PageSize: pageSize}
	for {
		r, err := a.client.Requests().ListRequests(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Requests...)
		if r.NextPageToken == "" {
			return all, nil
		}
		req.PageToken = r.NextPageToken
	}
}

func (a *app) requests(ctx context.Context, sent bool) error {
	direction, none := "in", "no requests"
	if sent {
		direction, none = "out", "nothing is asked of others"
	}
	all, err := a.requestPages(ctx, direction)
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, all)
	case len(all) == 0:
		return a.aside(none)
	}
	rows := make([][]cell, 0, len(all))
	for _, q := range all {
		who := "stranger"
		if q.Contact {
			who = "contact"
		}
		if sent {
			who = sentState(q)
		}
		rows = append(rows, []cell{
			{safe(q.Name), plain}, {who, plain}, {asksFor(q), plain}, {safe(q.Wording), plain}, {ago(q.At, a.now()), dim}, {short(q.Odid), dim},
		})
	}
	return a.table([]string{"name", map[bool]string{false: "who", true: "state"}[sent], "asks for", "wording", "since", "odid"}, rows)
}

// sentState says how it stands with a request to another device, "working: 2 of 3
// stamps, about 1 s".
func sentState(q *contactsv1.Request) string {
	if q.State != "working" {
		return q.State
	}
	s := fmt.Sprintf("working: %d of %s", q.StampsMade, plural(q.Stamps, "stamp"))
	if q.SecondsLeft > 0 {
		s += fmt.Sprintf(", about %.0f s", max(q.SecondsLeft, 1))
	}
	return s
}

// asksFor tells what is asked for.
func asksFor(q *contactsv1.Request) string {
	if slices.Contains(q.Kinds, "card") {
		return "contact card"
	}
	return list(q.Permissions)
}

// ask asks a contact to be allowed more.
func (a *app) ask(ctx context.Context, req *contactsv1.AskContactRequest) error {
	r, err := a.client.Requests().AskContact(ctx, req)
	if err != nil {
		return err
	}
	if a.json {
		return a.object(r.Request)
	}
	return a.say("asked %s for %s", safe(r.Request.Name), list(r.Request.Permissions))
}
