package relation

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"contactsd/contact"
)

// Limits of a filter.
const (
	maxFilterSize  = 1024 // bytes
	maxFilterTerms = 16
)

// Filter says which contacts are listed: those that fit all of its terms. The zero
// Filter lists all.
//
//	filter = [ term { space term } ]
//	term   = key ":" value | text
//	value  = word | quoted            of the key field: name [ "=" ( word | quoted ) ]
//	quoted = `"` … `"`                with \" for a quote and \\ for a backslash
//
// A text is part of a remark or name or the start of an ODID. Case does not matter.
type Filter struct{ terms []filterTerm }

type filterTerm struct {
	key   string // "" for a text
	value string
	field string // the value that the field must have
	exact bool   // field is given
}

// ParseFilter reads a filter. Errors: *contact.LimitError, *contact.InvalidError.
func ParseFilter(text string) (Filter, error) {
	if err := contact.CheckText("filter", text, maxFilterSize); err != nil {
		return Filter{}, err
	}
	var f Filter
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			return f, nil
		}
		if len(f.terms) == maxFilterTerms {
			return Filter{}, &contact.LimitError{Field: "filter", Got: len(f.terms) + 1, Limit: maxFilterTerms, Unit: "terms"}
		}
		t, rest, err := parseTerm(text)
		if err != nil {
			return Filter{}, err
		}
		f.terms, text = append(f.terms, t), rest
	}
}

// parseTerm reads the first term of text, which begins with one.
func parseTerm(text string) (t filterTerm, rest string, err error) {
	if text[0] == '"' {
		t.value, rest, err = parseWord(text)
		return t, rest, err
	}
	end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == ':' })
	if end < 0 || text[end] != ':' {
		t.value, rest, err = parseWord(text)
		return t, rest, err
	}
	t.key = strings.ToLower(text[:end])
	rest = text[end+1:]
	if t.key == "field" {
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '=' })
		if end < 0 {
			end = len(rest)
		}
		if t.value, rest = rest[:end], rest[end:]; strings.HasPrefix(rest, "=") {
			t.exact = true
			t.field, rest, err = parseWord(rest[1:])
		}
	} else {
		t.value, rest, err = parseWord(rest)
	}
	if err == nil {
		err = t.check()
	}
	return t, rest, err
}

// parseWord reads what stands up to the next space, or in quotes.
func parseWord(text string) (word, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", &contact.InvalidError{Field: "filter", Reason: "a quote is not closed"}
}

// check returns an *contact.InvalidError for a term that nothing can fit.
func (t *filterTerm) check() error {
	bad := func(format string, args ...any) error {
		return &contact.InvalidError{Field: "filter", Reason: fmt.Sprintf(format, args...)}
	}
	known, ok := filterKeys()[t.key]
	if !ok {
		return bad("unknown key %q: use trust, relation, presence, group, source, app, field or permission, or put it in quotes", clip(t.key))
	}
	if t.key == "field" {
		return contact.CheckFieldKey(t.value)
	}
	if known == nil {
		return nil
	}
	if t.value = strings.ToLower(t.value); !slices.Contains(known, t.value) {
		return bad("unknown %s %q: use %s", t.key, clip(t.value), strings.Join(known, ", "))
	}
	return nil
}

// filterKeys returns the keys of a filter and, where they are few, what may stand
// after each.
func filterKeys() map[string][]string {
	keys := map[string][]string{
		"trust":      {contact.Untrusted.String(), contact.Paired.String()},
		"presence":   {"unknown", "online", "away", "busy", "offline"},
		"permission": contact.AllPermissions.Names(),
		"group":      nil, "app": nil, "field": nil,
	}
	for _, s := range []contact.Status{contact.StatusAccepted, contact.StatusPending, contact.StatusBlocked, contact.StatusReported, contact.StatusRemoved} {
		keys["relation"] = append(keys["relation"], s.String())
	}
	for _, s := range Sources() {
		keys["source"] = append(keys["source"], string(s))
	}
	return keys
}

// clip shortens what an error repeats.
func clip(s string) string {
	const most = 64
	runes := []rune(s)
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// about reports whether any term is about this key.
func (f Filter) about(key string) bool {
	return slices.ContainsFunc(f.terms, func(t filterTerm) bool { return t.key == key })
}
