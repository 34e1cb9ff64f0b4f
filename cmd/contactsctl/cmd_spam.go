package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) reportCommand() *cobra.Command {
	req := &contactsv1.ReportRequestsRequest{}
	cmd := &cobra.Command{
		Use:   "report ID|ODID...",
		Short: "report requests as spam",
		Long: `report deletes requests, blocks who asks, tells its device so, and shares a report
with the contacts that you paired with. A device that three paired contacts of
somebody report has its requests to that person put in quarantine there; nobody's
account is closed, by you or by anybody.

The report proves that the device asked you, and shows nothing of what it wrote
unless --with-wording. With --no-tell the device is not told, with --no-share your
contacts are not. contactsctl unblock takes it all back, contactsctl requests reports
withdraw only the report. Requests heard more than 30 days ago can't be reported.`,
		Example: "  contactsctl requests report odid1qxy7\n  contactsctl requests report --all --no-tell",
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
			r, err := a.client.Spam().ReportRequests(ctx, req)
			if err != nil {
				return err
			}
			for _, item := range r.Results {
				item.Item = cmp.Or(who[item.Item], item.Item)
			}
			if len(r.Results) == 0 && !a.json {
				return a.aside("no requests")
			}
			return a.results(r.Results, "reported")
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&req.All, "all", false, "all that wait")
	f.BoolVar(&req.NoTell, "no-tell", false, "say nothing to who asks")
	f.BoolVar(&req.NoShare, "no-share", false, "tell no paired contact")
	f.BoolVar(&req.WithWording, "with-wording", false, "show paired contacts what was written")
	cmd.MarkFlagsMutuallyExclusive("no-share", "with-wording")
	return cmd
}

func (a *app) quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "requests that are kept apart",
		Long: `quarantine lists requests that do not wait with the others and notify nobody,
and why: three paired contacts reported the device, three devices wrote the same, or
it asked again after three rejections. Who asks sees only that it is pending. What
nobody releases is dropped after 90 days.`,
		Args: takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error { return a.quarantine(ctx) }),
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "release ID|ODID...",
		Short: "put requests among those that wait",
		Long: `release puts requests among those that wait. What made them suspect counts no more
against the device; reports that come later do.`,
		Example: "  contactsctl requests quarantine release odid1qxy7",
		Args:    takes(1, -1),
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Spam().ReleaseRequests(ctx, &contactsv1.ReleaseRequestsRequest{Requests: args})
			if err != nil {
				return err
			}
			return a.results(r.Results, "released")
		}),
	})
	return cmd
}

func (a *app) quarantine(ctx context.Context) error {
	r, err := a.client.Spam().ListQuarantine(ctx, &contactsv1.ListQuarantineRequest{})
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, r.Requests)
	case len(r.Requests) == 0:
		return a.aside("nothing is in quarantine")
	}
	rows := make([][]cell, 0, len(r.Requests))
	for _, q := range r.Requests {
		rows = append(rows, []cell{
			{safe(q.Request.Name), plain}, {q.Why, plain}, {safe(q.Request.Wording), plain}, {ago(q.Request.At, a.now()), dim}, {dayOf(q.Until), dim}, {short(q.Request.Odid), dim},
		})
	}
	return a.table([]string{"name", "why", "wording", "since", "until", "odid"}, rows)
}

func (a *app) reportsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reports",
		Short: "what you and your contacts reported",
		Long: `reports lists the reports that stand: yours, and those of contacts. One counts
towards a quarantine while you are paired with its reporter; three different ones
are needed. One on a contact that you are paired with never counts: take it as a
warning. Reports are forgotten after 90 days.`,
		Args: takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error { return a.reports(ctx) }),
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "withdraw ODID...",
		Short: "take your reports back",
		Long: `withdraw takes your reports back, and tells so whom you told. Who was reported
stays blocked; contactsctl unblock takes the report back as well.`,
		Args: takes(1, -1),
		RunE: a.call(func(ctx context.Context, args []string) error {
			r, err := a.client.Spam().WithdrawReports(ctx, &contactsv1.WithdrawReportsRequest{Devices: args})
			if err != nil {
				return err
			}
			return a.results(r.Results, "withdrew the report on")
		}),
	})
	return cmd
}

func (a *app) reports(ctx context.Context) error {
	r, err := a.client.Spam().ListReports(ctx, &contactsv1.ListReportsRequest{})
	switch {
	case err != nil:
		return err
	case a.json:
		return array(a, r.Reports)
	case len(r.Reports) == 0:
		return a.aside("no reports")
	}
	rows := make([][]cell, 0, len(r.Reports))
	for _, one := range r.Reports {
		by := cmp.Or(safe(one.ReporterName), short(one.Reporter))
		if one.Own {
			by = "you"
		}
		rows = append(rows, []cell{
			{short(one.Odid), plain}, {by, plain}, {reportText(one), plain}, {safe(one.Wording), plain}, {ago(one.At, a.now()), dim}, {dayOf(one.Until), dim},
		})
	}
	return a.table([]string{"device", "by", "counts", "wording", "since", "until"}, rows)
}

// reportText says what a report does here.
func reportText(r *contactsv1.Report) string {
	switch {
	case r.Own && r.Shared:
		return "told to paired contacts"
	case r.Own:
		return "kept here"
	case r.Paired:
		return "no: your paired contact, a warning"
	case r.Counts:
		return "yes"
	}
	return "no: not paired"
}

// dayOf is a day as people read it, "2026-05-01".
func dayOf(ts *timestamppb.Timestamp) string { return ts.AsTime().Local().Format("2006-01-02") }

// lockText says until when this device asks nobody, nothing if it may.
func (a *app) lockText(ctx context.Context) (string, error) {
	l, err := a.client.Spam().GetAskLock(ctx, &contactsv1.GetAskLockRequest{})
	if err != nil || !l.Locked {
		return "", err
	}
	return fmt.Sprintf("locked until %s: three devices reported what you asked. This device alone keeps to that; contacts and messages are as they were, and nobody can close an account",
		l.Until.AsTime().Local().Format("2006-01-02 15:04")), nil
}
