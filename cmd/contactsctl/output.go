package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"contactsd/api"
	contactsv1 "contactsd/api/contacts/v1"
)

// color is the SGR number of one of the few colours in use.
type color int

const (
	plain  color = 0
	bold   color = 1
	dim    color = 2
	green  color = 32
	yellow color = 33
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColor follows no-color.org.
func wantsColor(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (a *app) paint(c color, s string) string {
	if !a.color || c == plain || s == "" {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, s)
}

// cell is one cell of a table; its text is safe already.
type cell struct {
	text  string
	color color
}

// table writes rows with aligned columns, under head if that is not empty.
func (a *app) table(head []string, rows [][]cell) error {
	if len(head) > 0 {
		first := make([]cell, len(head))
		for i, h := range head {
			first[i] = cell{strings.ToUpper(h), bold}
		}
		rows = append([][]cell{first}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(c.text))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		gap := 0 // to the next cell, written only if that is not empty
		for i, c := range row {
			if c.text != "" {
				b.WriteString(strings.Repeat(" ", gap) + a.paint(c.color, c.text))
				gap = 0
			}
			gap += widths[i] - width(c.text) + 2
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// fields writes names and values below each other, without those that are empty.
func (a *app) fields(pairs ...[2]string) error {
	rows := make([][]cell, 0, len(pairs))
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		rows = append(rows, []cell{{p[0], dim}, {p[1], plain}})
	}
	return a.table(nil, rows)
}

// object writes one message as a line of JSON.
func (a *app) object(m proto.Message) error {
	b, err := api.MarshalJSON(m)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// array writes messages as one JSON array, [] if there are none.
func array[M proto.Message](a *app, list []M) error {
	items := make([]json.RawMessage, 0, len(list))
	for _, m := range list {
		b, err := api.MarshalJSON(m)
		if err != nil {
			return err
		}
		items = append(items, b)
	}
	return a.value(items)
}

// value writes what is not a message of the schema as a line of JSON.
func (a *app) value(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// say writes a line for a person to stdout.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

// title is what a contact is shown as.
func title(c *contactsv1.Contact) string { return cmp.Or(c.Remark, c.Name, short(c.Odid)) }

// short is the start of an ODID, as lists show it.
func short(odid string) string { return odid[:min(len(odid), 12)] }

// trust is shown by shape and word, never by colour alone.
func trustCell(c *contactsv1.Contact) cell {
	if c.Trust == "paired" {
		return cell{"● paired", green}
	}
	return cell{"○ " + c.Trust, yellow}
}

// relationText is the relation, and whether the other side ended it.
func relationText(c *contactsv1.Contact) string {
	if c.Left {
		return c.Relation + ", left"
	}
	return c.Relation
}

func presenceText(p *contactsv1.Presence, now time.Time) string {
	s := cmp.Or(p.GetState(), "unknown")
	if p.GetText() != "" {
		s += fmt.Sprintf(" (%s)", safe(p.Text))
	}
	if p.GetRelayed() && s != "offline" {
		s += ", heard " + ago(p.LastSeen, now)
	} else if p.GetLastSeen() != nil && (s == "unknown" || s == "offline") {
		s += ", seen " + ago(p.LastSeen, now)
	}
	return s
}

func presenceColor(p *contactsv1.Presence) color {
	switch p.GetState() {
	case "online":
		return green
	case "away", "busy":
		return yellow
	}
	return dim
}

// ago tells a time as people do, "" for none.
func ago(ts *timestamppb.Timestamp, now time.Time) string {
	if ts == nil {
		return ""
	}
	t := ts.AsTime()
	d := now.Sub(t)
	count := func(n int, unit string) string {
		if n != 1 {
			unit += "s"
		}
		return fmt.Sprintf("%d %s ago", n, unit)
	}
	switch {
	case d < -time.Minute:
		return t.Local().Format("2006-01-02 15:04")
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 24*time.Hour:
		return count(int(d/time.Hour), "hour")
	case d < 30*24*time.Hour:
		return count(int(d/(24*time.Hour)), "day")
	}
	return t.Local().Format("2006-01-02")
}

// list joins words, "none" if there are none.
func list(words []string) string { return cmp.Or(strings.Join(words, ", "), "none") }

// pad fills s with spaces to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// aside says something to a person that is no data, on stderr.
func (a *app) aside(text string) error {
	_, err := fmt.Fprintln(a.talk, text)
	return err
}

// warn tells of one item of a batch that failed.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.talk, program+": "+format+"\n", args...)
}

// day is a date of this computer's calendar.
func day(ts *timestamppb.Timestamp) string { return ts.AsTime().Local().Format(time.DateOnly) }
