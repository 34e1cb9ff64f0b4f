package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) settingsCommand() *cobra.Command {
	settings := &cobra.Command{
		Use:   "settings",
		Short: "show or change how this device behaves",
		Args:  takes(0, 0),
		RunE:  a.call(a.showSettings),
	}
	settings.AddCommand(&cobra.Command{
		Use:   "get",
		Short: "show the settings",
		Args:  takes(0, 0),
		RunE:  a.call(a.showSettings),
	}, &cobra.Command{
		Use:   "set gossip=on|off",
		Short: "change a setting",
		Long: `set changes a setting; it holds until it is set anew.

gossip   on (as it comes) or off. With it on, contacts that see each other's
         presence pass on that of contacts which both have, so that you see
         those you are not connected with. Such a contact sees which of its own
         contacts you know. With it off you see the presence of connected
         contacts only, and pass on nobody's.`,
		Example: "  contactsctl settings set gossip=off",
		Args:    takes(1, -1),
		RunE:    a.call(a.setSettings),
	})
	return settings
}

func (a *app) showSettings(ctx context.Context, _ []string) error {
	r, err := a.client.Device().GetSettings(ctx, &contactsv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	return a.settings(r.Settings)
}

func (a *app) setSettings(ctx context.Context, args []string) error {
	values, err := assignments(args, "gossip")
	if err != nil {
		return err
	}
	req := &contactsv1.SetSettingsRequest{}
	if v := values["gossip"]; v != nil {
		on, err := onOff("gossip", *v)
		if err != nil {
			return err
		}
		req.Gossip = &on
	}
	r, err := a.client.Device().SetSettings(ctx, req)
	if err != nil {
		return err
	}
	return a.settings(r.Settings)
}

// onOff reads a setting that is one of the two.
func onOff(name, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, usage("use "+name+"=on or "+name+"=off", "%s can't be %q", name, text)
}

func (a *app) settings(s *contactsv1.Settings) error {
	if a.json {
		return a.object(s)
	}
	gossip := "off"
	if s.GetGossip() {
		gossip = "on"
	}
	return a.fields([2]string{"gossip", gossip})
}
