package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"contactsd/api"
	contactsv1 "contactsd/api/contacts/v1"
)

// Of a file with ODIDs.
const (
	maxAddLine  = 8 << 10 // bytes of a line
	maxAddBatch = 500     // adds of one call
	showEvery   = 5000    // adds between two words about how far it is
)

type addOptions struct {
	contactsv1.AddContactRequest
	from string
}

func (a *app) addCommand() *cobra.Command {
	opt := &addOptions{}
	cmd := &cobra.Command{
		Use:   "add ODID",
		Short: "add devices by their ODIDs, untrusted until you pair with them",
		Long: `add lists a device as a contact, untrusted until you pair with it. It stays
pending, and its messages wait, until that device adds this one too. With --wording
it is asked to: its user sees a request with your words, and accepts or rejects it.

With --from it adds many, from a file or with - from stdin: one ODID a line, and
your own name for it behind a space, if you like. Empty lines and what begins
with # are left out. A line may also be JSON, as in
{"odid":"odid1…","remark":"Ada","one_way":true,"app":"mail"}. Each is added on its
own: exit code 1 says that some could not be. Adding again changes nothing but
the remark. What comes from a file is an import, which does not bring back whom you
removed; --source odid does.`,
		Example: "  contactsctl add odid1… --remark Ada\n  contactsctl add odid1… --at 192.168.1.7:4001\n  contactsctl add odid1… --wording \"Ada from the choir\" --ask messages,audio\n  contactsctl add --from friends.txt",
		Args: func(cmd *cobra.Command, args []string) error {
			if opt.from != "" {
				return takes(0, 0)(cmd, args)
			}
			return takes(1, 1)(cmd, args)
		},
	}
	one := a.call(func(ctx context.Context, args []string) error {
		opt.Odid = args[0]
		return a.add(ctx, &opt.AddContactRequest)
	})
	many := a.stream(func(ctx context.Context, _ []string) error { return a.addFrom(ctx, opt) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if opt.from != "" {
			return many(cmd, args)
		}
		return one(cmd, args)
	}
	f := cmd.Flags()
	f.StringVar(&opt.Remark, "remark", "", "your own `NAME` for it (at most 96 bytes)")
	f.BoolVar(&opt.OneWay, "one-way", false, "let it do nothing here")
	f.StringVar(&opt.At, "at", "", "`ADDRESS` where it can be reached: a multiaddr or IP:PORT")
	f.StringVar(&opt.Wording, "wording", "", "ask it to accept you, with this `TEXT` (at most 100 characters)")
	f.StringSliceVar(&opt.Ask, "ask", nil, "ask for these `PERMISSIONS` instead of messages alone, and grant them: messages, audio, video, status")
	f.StringVar(&opt.from, "from", "", "`FILE` with an ODID a line, - for stdin")
	f.StringVar(&opt.Source, "source", "", "`WORD` that says where you found it: odid, profile, conversation or import")
	f.StringVar(&opt.App, "app", "", "`NAME` of the application that you found it in (at most 8 letters)")
	cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions([]cobra.Completion{"odid", "profile", "conversation", "import"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("from", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	cmd.MarkFlagsMutuallyExclusive("from", "remark")
	cmd.MarkFlagsMutuallyExclusive("from", "at")
	cmd.MarkFlagsMutuallyExclusive("from", "wording")
	cmd.MarkFlagsMutuallyExclusive("from", "ask")
	return cmd
}

func (a *app) add(ctx context.Context, req *contactsv1.AddContactRequest) error {
	r, err := a.client.Contacts().AddContact(ctx, req)
	if err != nil {
		return err
	}
	if err := a.contact(r.Contact); err != nil || a.json || r.Contact.Relation != "pending" {
		return err
	}
	own, err := a.client.Profile().GetProfile(ctx, &contactsv1.GetProfileRequest{})
	if err != nil {
		return err
	}
	if req.Wording != "" {
		return a.aside("asked; pending until the other device accepts: contactsctl requests --sent")
	}
	return a.aside("pending until the other device adds this one: contactsctl add " + own.Profile.Odid)
}

// addFrom adds what a file has, a batch at a time, in order.
func (a *app) addFrom(ctx context.Context, opt *addOptions) error {
	in := a.in
	if opt.from != "-" {
		f, err := os.Open(opt.from)
		if err != nil {
			return usage("", "%v", err)
		}
		defer f.Close()
		in = f
	}
	if opt.Source == "" {
		opt.Source = "import"
	}
	adds := &adder{app: a}
	err := eachAddition(in, opt, func(line int, req *contactsv1.AddContactRequest, wrong error) error {
		return adds.add(ctx, line, req, wrong)
	})
	err = errors.Join(err, adds.send(ctx)) // what was read before it went wrong as well
	if a.json {
		if err := array(a, adds.results); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case !a.json:
		err = a.say("added %d of %d", adds.done-adds.failed, adds.done)
	}
	if adds.failed > 0 {
		return errPartly
	}
	return err
}

// eachAddition calls f with what each line says, or what is wrong with it.
func eachAddition(in io.Reader, opt *addOptions, f func(line int, req *contactsv1.AddContactRequest, wrong error) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxAddLine)
	n := 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff")) // as some editors begin a file
		}
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		req, wrong := parseAddition(text, opt)
		if err := f(n, req, wrong); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return usage("it should be one ODID a line", "line %d has more than %d bytes; those before it were added", n+1, maxAddLine)
	case err != nil:
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// parseAddition reads a line: an ODID and a remark, or JSON.
func parseAddition(line []byte, opt *addOptions) (*contactsv1.AddContactRequest, error) {
	req := &contactsv1.AddContactRequest{}
	if line[0] == '{' {
		if err := api.UnmarshalJSON(line, req); err != nil {
			why := err.Error()
			if _, after, ok := strings.Cut(why, "): "); ok { // protojson begins with where it is
				why = after
			}
			return req, errors.New("JSON that can't be read: " + why)
		}
	} else {
		text := strings.ToValidUTF8(string(line), "\ufffd")
		odid, remark, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
		req.Odid, req.Remark = odid, strings.TrimSpace(remark)
	}
	req.OneWay = req.OneWay || opt.OneWay
	if req.Source == "" {
		req.Source = opt.Source
	}
	if req.App == "" {
		req.App = opt.App
	}
	return req, nil
}

// adder adds in batches and counts.
type adder struct {
	*app
	batch        []*contactsv1.AddContactRequest
	lines        []int // of the batch
	done, failed int
	results      []*contactsv1.Result // for JSON
}

func (b *adder) add(ctx context.Context, line int, req *contactsv1.AddContactRequest, wrong error) error {
	if wrong != nil {
		if err := b.send(ctx); err != nil {
			return err
		}
		return b.tell(line, &contactsv1.Result{Item: req.Odid, Error: wrong.Error()})
	}
	b.batch, b.lines = append(b.batch, req), append(b.lines, line)
	if len(b.batch) == maxAddBatch {
		return b.send(ctx)
	}
	return nil
}

func (b *adder) send(ctx context.Context) error {
	if len(b.batch) == 0 {
		return nil
	}
	batch, lines := b.batch, b.lines
	b.batch, b.lines = nil, nil
	r, err := b.client.Contacts().AddContacts(ctx, &contactsv1.AddContactsRequest{Contacts: batch})
	if err != nil {
		return err
	}
	for i, result := range r.Results {
		if err := b.tell(lines[i], result); err != nil {
			return err
		}
	}
	return nil
}

func (b *adder) tell(line int, r *contactsv1.Result) error {
	b.done++
	if !r.Ok {
		b.failed++
	}
	switch {
	case b.json:
		b.results = append(b.results, r)
	case !r.Ok:
		b.warn("line %d: %s", line, safe(r.Error))
	}
	if b.done%showEvery == 0 {
		return b.aside(fmt.Sprintf("%d so far", b.done))
	}
	return nil
}
