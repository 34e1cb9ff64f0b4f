package main

import (
	"context"
	"fmt"
	"strings"

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

func (a *app) profileCommand() *cobra.Command {
	profile := &cobra.Command{
		Use:   "profile",
		Short: "what this device tells of itself",
		Args:  takes(0, 0),
		RunE:  a.call(a.showProfile),
	}
	profile.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "show the profile",
		Args:  takes(0, 0),
		RunE:  a.call(a.showProfile),
	}, &cobra.Command{
		Use:     "set name=NAME",
		Short:   "name this device, as others see it (at most 64 bytes)",
		Example: "  contactsctl profile set name=\"Ada's laptop\"",
		Args:    takes(1, -1),
		RunE:    a.call(a.setProfile),
	})
	return profile
}

func (a *app) showProfile(ctx context.Context, _ []string) error {
	r, err := a.client.Device().GetProfile(ctx, &contactsv1.GetProfileRequest{})
	if err != nil {
		return err
	}
	return a.profile(r.Profile)
}

func (a *app) setProfile(ctx context.Context, args []string) error {
	values, err := assignments(args, "name")
	if err != nil {
		return err
	}
	r, err := a.client.Device().SetProfile(ctx, &contactsv1.SetProfileRequest{Name: values["name"]})
	if err != nil {
		return err
	}
	return a.profile(r.Profile)
}

func (a *app) profile(p *contactsv1.Profile) error {
	if a.json {
		return a.object(p)
	}
	return a.fields([2]string{"name", safe(p.Name)}, [2]string{"ODID", p.Odid})
}

// assignments reads KEY=VALUE words with one of the known keys.
func assignments(args []string, known ...string) (map[string]*string, error) {
	hint := "use " + strings.Join(known, "=…, ") + "=…"
	values := make(map[string]*string, len(args))
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usage(hint, "%q is not of the form KEY=VALUE", arg)
		}
		found := false
		for _, k := range known {
			found = found || k == key
		}
		switch {
		case !found:
			return nil, usage(hint, "unknown key %q", key)
		case values[key] != nil:
			return nil, usage(hint, "%s is given twice", key)
		}
		values[key] = &value
	}
	return values, nil
}
