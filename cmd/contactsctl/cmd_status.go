package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "who this device is and how it is doing",
		Args:  takes(0, 0),
		RunE:  a.call(a.status),
	}
}

func (a *app) status(ctx context.Context, _ []string) error {
	s, err := a.client.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(s)
	}
	asking, err := a.lockText(ctx)
	if err != nil {
		return err
	}
	addresses := "none"
	if len(s.Addresses) > 0 {
		addresses = s.Addresses[0]
	}
	rows := [][2]string{
		{"name", safe(s.Name)},
		{"ODID", s.Odid},
		{"presence", presenceText(s.Presence, a.now())},
		{"contacts", fmt.Sprint(s.Contacts)},
		{"connected", fmt.Sprint(s.Peers)},
		{"queued", plural(s.Queued, "message")},
		{"requests", badge(s.Requests)},
		{"asking", asking},
		{"addresses", safe(addresses)},
	}
	for _, addr := range s.Addresses[min(1, len(s.Addresses)):] {
		rows = append(rows, [2]string{"", safe(addr)})
	}
	pairing := ""
	if s.PairingOpen {
		pairing = "a code or link is shown"
	}
	store := safe(s.Store)
	if s.StoreBytes > 0 {
		store += fmt.Sprintf(" (%s)", bytesText(s.StoreBytes))
	}
	rows = append(rows,
		[2]string{"pairing", pairing},
		[2]string{"socket", safe(s.Socket)},
		[2]string{"store", store},
		[2]string{"started", ago(s.StartedAt, a.now())},
		[2]string{"version", safe(s.Version)},
	)
	return a.fields(rows...)
}

// badge is how many requests wait, nothing for none.
func badge(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d (contactsctl requests)", n)
}

// bytesText is a size as people read it, "1.2 MiB".
func bytesText(n float64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.3g GiB", n)
}

func plural(n uint32, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
