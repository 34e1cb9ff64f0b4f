package server

import (
	"os"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

// documented returns the rows of the table in docs/errors.md, split into cells.
func documented(t *testing.T) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		if len(cells) != 6 {
			t.Errorf("a row of %d cells: %s", len(cells), line)
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestEveryErrorIsDocumented compares docs/errors.md with the table of errors:
// reason, code, text and hint of each, and none that there is not.
func TestEveryErrorIsDocumented(t *testing.T) {
	var want [][]string
	row := func(e *connect.Error, text string) {
		info := infoOf(e)
		hint := info.GetHint()
		if hint == "" {
			hint = "–"
		}
		cells := []string{"`" + info.GetReason() + "`", e.Code().String(), text, hint}
		if !slices.ContainsFunc(want, func(have []string) bool { return slices.Equal(have, cells) }) {
			want = append(want, cells)
		}
	}
	for _, a := range answers() {
		e, _ := explain(a.is)
		if a.whole && a.hint == "" {
			e = told(e.Code(), e.Message(), &contactsv1.ErrorInfo{Reason: a.reason, Hint: "the details"})
		}
		row(e, e.Message())
	}
	for text, err := range map[string]error{
		"FIELD of N UNITS, at most LIMIT":                                                &contact.LimitError{},
		"this costs N credits, and N of today's N are left: all are there again at TIME": &contact.CreditError{},
		"FIELD: why":                         &contact.InvalidError{},
		"\"TEXT\" names N contacts: …":       &relation.AmbiguousError{},
		"user N may not use the daemon of …": refusal(os.ErrPermission),
		"what went wrong":                    os.ErrInvalid,
	} {
		e, _ := explain(err)
		row(e, text)
	}
	for _, code := range []connect.Code{connect.CodeInvalidArgument, connect.CodeResourceExhausted, connect.CodeUnimplemented} {
		row(told(code, "", unread(code)), "what can't be read in it")
	}
	row(told(connect.CodeUnavailable, "", &contactsv1.ErrorInfo{Reason: "daemon_unreachable", Hint: "start it with: contactsd"}), "no daemon answers at SOCKET")

	rows := documented(t)
	for _, cells := range want {
		if !slices.ContainsFunc(rows, func(r []string) bool {
			return r[0] == cells[0] && r[1] == cells[1] && r[3] == cells[2] && r[4] == cells[3]
		}) {
			t.Errorf("docs/errors.md lacks\n| %s | %s | EXIT | %s | %s | WHEN |", cells[0], cells[1], cells[2], cells[3])
		}
	}
	for _, r := range rows {
		if !slices.ContainsFunc(want, func(cells []string) bool {
			return r[0] == cells[0] && r[1] == cells[1] && r[3] == cells[2] && r[4] == cells[3]
		}) {
			t.Errorf("docs/errors.md has what the daemon never says: %s", strings.Join(r, " | "))
		}
		if len(r[5]) < 10 {
			t.Errorf("docs/errors.md does not say when %s comes", r[0])
		}
	}
}
