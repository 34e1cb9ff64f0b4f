package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

func (a *app) profileCommand() *cobra.Command {
	profile := &cobra.Command{
		Use:   "profile",
		Short: "what this device, or another, tells of its user",
		Long: `profile shows what this device tells of you: name, bio, skills, communities and
a picture. "contactsctl settings get profile" says who may read it.`,
		Example: `  contactsctl profile set name="Ada L." bio="Engines, mostly." skills=go,chess
  contactsctl profile show bob`,
		Args: takes(0, 0),
		RunE: a.call(func(ctx context.Context, _ []string) error { return a.showOwnProfile(ctx, "") }),
	}
	profile.AddCommand(a.profileShowCommand(), &cobra.Command{
		Use:   "set KEY=VALUE...",
		Short: "change your profile: name, bio, skills, communities, avatar",
		Long: `set changes your profile, all that is given or, if one can't be taken, nothing.

name         at most 64 bytes; contacts see it, and those who pair with you
bio          at most 500 characters; it may have several lines
skills       words or short phrases with commas between them, at most 32
communities  the same
avatar       @FILE, a PNG, JPEG or WebP of at most 64 KiB: its middle square is
             made at most 256 pixels wide, and place, camera and all else that
             the file tells is left out

An empty value takes a part away, but for the name.`,
		Example: `  contactsctl profile set name="Ada's laptop"
  contactsctl profile set skills=go,chess communities="Analytical Society"
  contactsctl profile set avatar=@me.jpg
  contactsctl profile set bio= avatar=`,
		Args:      takes(1, -1),
		ValidArgs: []string{"name=", "bio=", "skills=", "communities=", "avatar=@"},
		RunE:      a.call(a.setProfile),
	})
	return profile
}

// lookUp is how the profile of another device is to be shown.
type lookUp struct {
	at     string
	kept   bool
	avatar string // file for the picture
}

func (a *app) profileShowCommand() *cobra.Command {
	var opt lookUp
	cmd := &cobra.Command{
		Use:   "show [CONTACT|ODID]",
		Short: "show your profile, or that of another device",
		Long: `show asks a contact's device for its profile, or that of any other device whose
ODID you have. Of a contact that can't be reached it shows what was told last,
and says when that was.`,
		Example: `  contactsctl profile show ada
  contactsctl profile show odid1… --at 192.168.1.7:4001
  contactsctl profile show ada --avatar ada.png`,
		Args:              takes(0, 1),
		ValidArgsFunction: a.names,
		RunE: a.call(func(ctx context.Context, args []string) error {
			switch {
			case len(args) > 0:
				return a.showProfileOf(ctx, args[0], opt)
			case opt.at != "" || opt.kept:
				return usage("name a contact or an ODID", "--at and --kept are about another device")
			}
			return a.showOwnProfile(ctx, opt.avatar)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&opt.at, "at", "", "`ADDRESS` where the device can be reached: a multiaddr or IP:PORT")
	f.BoolVar(&opt.kept, "kept", false, "show what was told before, without asking the device")
	f.StringVar(&opt.avatar, "avatar", "", "write the picture to `FILE`")
	return cmd
}

func (a *app) showOwnProfile(ctx context.Context, avatar string) error {
	r, err := a.client.Profile().GetProfile(ctx, &contactsv1.GetProfileRequest{})
	if err != nil {
		return err
	}
	if err := writeAvatar(r.Profile, avatar); err != nil {
		return err
	}
	return a.profile(r.Profile)
}

func (a *app) showProfileOf(ctx context.Context, who string, opt lookUp) error {
	r, err := a.client.Profile().GetContactProfile(ctx, &contactsv1.GetContactProfileRequest{Contact: who, At: opt.at, KeptOnly: opt.kept})
	if err != nil {
		return err
	}
	if err := writeAvatar(r.Profile, opt.avatar); err != nil {
		return err
	}
	if err := a.profile(r.Profile); err != nil || a.json {
		return err
	}
	if !r.Profile.Live && r.Listed && !opt.kept {
		if err := a.aside("the device can't be reached now; this is what it told before"); err != nil {
			return err
		}
	}
	if r.Listed {
		return a.cardHint(ctx, r.Profile.Odid)
	}
	return a.aside("not a contact; to add it: contactsctl add " + r.Profile.Odid + " --source profile")
}

// cardHint tells how to see more than the profile of a contact.
func (a *app) cardHint(ctx context.Context, odid string) error {
	r, err := a.client.Cards().GetContactCard(ctx, &contactsv1.GetContactCardRequest{Contact: odid})
	switch {
	case err != nil:
		return err
	case r.State == "held":
		return a.aside("contact card: contactsctl card show " + short(odid))
	case r.State == "none":
		return a.aside("contact information is locked; to request it: contactsctl card ask " + short(odid) + " --wording …")
	}
	return a.aside(cardStateText(r.State))
}

// writeAvatar writes the picture of a profile to a file, unless that is "".
func writeAvatar(p *contactsv1.Profile, file string) error {
	switch {
	case file == "":
		return nil
	case len(p.Avatar) == 0:
		return &told{exitNotFound, "this profile has no avatar", ""}
	}
	if err := os.WriteFile(file, p.Avatar, 0o666); err != nil {
		return &told{exitFailed, fmt.Sprintf("the avatar can't be written: %v", err), ""}
	}
	return nil
}

func (a *app) setProfile(ctx context.Context, args []string) error {
	values, err := assignments(args, "name", "bio", "skills", "communities", "avatar")
	if err != nil {
		return err
	}
	req := &contactsv1.SetProfileRequest{Name: values["name"], Bio: values["bio"]}
	if v := values["skills"]; v != nil {
		req.Skills = &contactsv1.Words{Words: splitWords(*v)}
	}
	if v := values["communities"]; v != nil {
		req.Communities = &contactsv1.Words{Words: splitWords(*v)}
	}
	if v := values["avatar"]; v != nil {
		if req.Avatar, err = readAvatar(*v); err != nil {
			return err
		}
	}
	r, err := a.client.Profile().SetProfile(ctx, req)
	if err != nil {
		return err
	}
	return a.profile(r.Profile)
}

// splitWords reads words with commas between them, none if there is no text.
func splitWords(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// maxAvatar is the size of an avatar's file, in bytes, that the daemon takes.
const maxAvatar = 64 << 10

// readAvatar reads the file of "@FILE"; nothing of "", which takes the avatar away.
func readAvatar(value string) ([]byte, error) {
	if value == "" {
		return []byte{}, nil
	}
	name, ok := strings.CutPrefix(value, "@")
	if !ok || name == "" {
		return nil, usage("use avatar=@FILE", "avatar can't be %q", value)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &told{exitFailed, err.Error(), ""}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAvatar+1))
	switch {
	case err != nil:
		return nil, &told{exitFailed, err.Error(), ""}
	case len(b) == 0:
		return nil, usage("avatar= takes the avatar away", "%s is empty", name)
	case len(b) > maxAvatar:
		return nil, usage("make the picture smaller, 256 pixels wide is enough", "%s is larger than an avatar may be, 64 KiB", name)
	}
	return b, nil
}

func (a *app) profile(p *contactsv1.Profile) error {
	if a.json {
		return a.object(p)
	}
	rows := [][2]string{{"name", safe(p.Name)}, {"ODID", p.Odid}}
	key := "bio"
	for line := range strings.SplitSeq(p.Bio, "\n") {
		rows = append(rows, [2]string{key, safe(line)})
		key = ""
	}
	rows = append(rows,
		[2]string{"skills", safeList(p.Skills)},
		[2]string{"communities", safeList(p.Communities)},
		[2]string{"avatar", avatarText(p)},
	)
	if !p.Live {
		rows = append(rows, [2]string{"as of", ago(p.AsOf, a.now())})
	}
	return a.fields(rows...)
}

func avatarText(p *contactsv1.Profile) string {
	if len(p.Avatar) == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %s", safe(p.AvatarType), bytesText(float64(len(p.Avatar))))
}

// safeList joins texts of others, "" if there are none.
func safeList(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = safe(w)
	}
	return strings.Join(out, ", ")
}
