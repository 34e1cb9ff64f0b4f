package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) settingsCommand() *cobra.Command {
	settings := &cobra.Command{
		Use:   "settings",
		Short: "show or change how this device behaves",
		Long: `settings shows what you can decide about this device: each setting with its
value, what else it can be, and what it does. "settings get NAME" shows one
value alone.`,
		Args: takes(0, 0),
		RunE: a.call(a.showSettings),
	}
	settings.AddCommand(&cobra.Command{
		Use:   "get [NAME...]",
		Short: "show settings",
		Example: `  contactsctl settings get
  contactsctl settings get requests`,
		Args: takes(0, -1),
		RunE: a.call(a.showSettings),
	}, &cobra.Command{
		Use:   "set NAME=VALUE...",
		Short: "change settings",
		Long: `set changes settings, all that are given or, if one can't be what it is to be,
none. They hold until they are set anew. "contactsctl settings" says what there is.`,
		Example: `  contactsctl settings set gossip=off
  contactsctl settings set requests=none request-notifications=off`,
		Args: takes(1, -1),
		RunE: a.call(a.setSettings),
	})
	return settings
}

func (a *app) showSettings(ctx context.Context, names []string) error {
	r, err := a.client.Device().GetSettings(ctx, &contactsv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return a.settings(r.Settings)
	}
	var some []*contactsv1.Setting
	for _, name := range names {
		i := slices.IndexFunc(r.Settings, func(s *contactsv1.Setting) bool { return s.Name == name })
		if i < 0 {
			return usage("\"contactsctl settings\" shows all", "unknown setting %q", name)
		}
		some = append(some, r.Settings[i])
	}
	if a.json || len(some) > 1 {
		return a.settings(some)
	}
	return a.say("%s", safe(some[0].Value))
}

func (a *app) setSettings(ctx context.Context, args []string) error {
	changes := make(map[string]string, len(args))
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return usage("use NAME=VALUE", "%q is not of the form NAME=VALUE", arg)
		}
		if _, twice := changes[name]; twice {
			return usage("", "%s is given twice", name)
		}
		changes[name] = value
	}
	r, err := a.client.Device().SetSettings(ctx, &contactsv1.SetSettingsRequest{Settings: changes})
	if err != nil {
		return err
	}
	return a.settings(slices.DeleteFunc(r.Settings, func(s *contactsv1.Setting) bool {
		_, changed := changes[s.Name]
		return !changed
	}))
}

func (a *app) settings(list []*contactsv1.Setting) error {
	if a.json {
		return array(a, list)
	}
	for _, s := range list {
		if err := a.say("%s=%s   (%s; %s unless set)", safe(s.Name), a.paint(bold, safe(s.Value)), safe(strings.Join(s.Choices, ", ")), safe(s.Default)); err != nil {
			return err
		}
		for _, line := range wrap(safe(s.Description), 76) {
			if err := a.say("    %s", line); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrap breaks text between words into lines of at most limit columns; a longer word has
// a line of its own.
func wrap(text string, limit int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= limit:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
