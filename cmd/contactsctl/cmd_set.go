package main

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

const setHint = "use remark=…, app=…, groups=… or field.KEY=…"

func (a *app) setCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "set CONTACT KEY=VALUE...",
		Short: "note something of a contact: your own name for it, groups, fields",
		Long: `set changes what you note of a contact, all that is given or nothing. An empty
value takes away what was there.

remark=TEXT              your own name for it, at most 96 bytes
groups=NAME,NAME         all groups that it is in (make them with contactsctl groups)
field.KEY=TEXT           a field of your own, at most 500 bytes; a contact has at
                         most 64. KEY is of letters, digits and underscores
field.KEY:number=NUMBER  the same, a whole number
field.KEY:hex=DIGITS     the same, bytes in hexadecimal
app=NAME                 the application it came by, at most 8 letters`,
		Example:           "  contactsctl set odid1qxy7 remark=\"Ada, office\" groups=work\n  contactsctl set ada field.phone=\"030 123\" field.born:number=1815",
		Args:              takes(2, -1),
		ValidArgsFunction: a.completeSet,
		RunE: a.call(func(ctx context.Context, args []string) error {
			req, err := parseSet(args[0], args[1:])
			if err != nil {
				return err
			}
			r, err := a.client.Contacts().SetContact(ctx, req)
			if err != nil {
				return err
			}
			return a.contact(r.Contact)
		}),
	}
}

// parseSet reads what is to be set.
func parseSet(who string, args []string) (*contactsv1.SetContactRequest, error) {
	req := &contactsv1.SetContactRequest{Contact: who}
	var plain []string // words that are no fields
	for _, arg := range args {
		if !strings.HasPrefix(arg, "field.") {
			plain = append(plain, arg)
			continue
		}
		f, err := parseField(strings.TrimPrefix(arg, "field."))
		if err != nil {
			return nil, err
		}
		req.Fields = append(req.Fields, f)
	}
	values, err := assignments(plain, "remark", "app", "groups")
	if err != nil {
		if own, ok := err.(*told); ok {
			own.hint = setHint
		}
		return nil, err
	}
	req.Remark, req.App = values["remark"], values["app"]
	if list := values["groups"]; list != nil {
		names, err := groupList(*list)
		if err != nil {
			return nil, err
		}
		req.Groups = &contactsv1.GroupNames{Names: names}
	}
	return req, nil
}

// parseField reads KEY=TEXT, KEY:number=NUMBER or KEY:hex=DIGITS.
func parseField(text string) (*contactsv1.Field, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, usage("use field.KEY=VALUE", "%q is not of the form KEY=VALUE", "field."+text)
	}
	key, kind, typed := strings.Cut(name, ":")
	f := &contactsv1.Field{Key: key}
	switch {
	case value == "":
	case !typed || kind == "text":
		f.Value = &contactsv1.Field_Text{Text: value}
	case kind == "number":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return nil, usage("give a whole number up to 18446744073709551615", "field.%s can't be %q", name, value)
		}
		f.Value = &contactsv1.Field_Number{Number: n}
	case kind == "hex":
		b, err := hex.DecodeString(value)
		if err != nil {
			return nil, usage("give two digits a byte, like 00ff", "field.%s can't be %q", name, value)
		}
		f.Value = &contactsv1.Field_Data{Data: b}
	default:
		return nil, usage("use text, number or hex", "unknown kind of field %q", kind)
	}
	return f, nil
}

// groupList reads names with commas between them. One that has a comma itself is
// put in double quotes, as in CSV.
func groupList(text string) (names []string, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	cells, err := r.Read()
	if err != nil {
		return nil, usage(`write it like groups=work,family or groups='work,"Ada, Bob"'`, "groups can't be %q", text)
	}
	for _, c := range cells {
		if c = strings.TrimSpace(c); c != "" {
			names = append(names, c)
		}
	}
	return names, nil
}

func (a *app) completeSet(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if list, ok := strings.CutPrefix(start, "groups="); ok && len(args) > 0 {
		before := list[:strings.LastIndex(list, ",")+1]
		var words []cobra.Completion
		for _, g := range a.groupNames(cmd.Context()) {
			words = append(words, "groups="+before+g)
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return a.nameThen("remark=", "groups=", "field.", "app=")(cmd, args, start)
}
