package relation

import (
	"fmt"
	"strings"

	"contactsd/contact"
)

// AmbiguousError says that a text names several contacts.
type AmbiguousError struct {
	Text       string
	Candidates []Contact
}

func (e *AmbiguousError) Error() string {
	names := make([]string, 0, len(e.Candidates))
	for _, c := range e.Candidates {
		names = append(names, fmt.Sprintf("%s (%s)", c.Title(), c.ODID.Short()))
	}
	return fmt.Sprintf("%q names %d contacts: %s", e.Text, len(e.Candidates), strings.Join(names, ", "))
}

// minPrefix is the shortest start of an ODID that may name a contact: the
// prefix that all have, and four characters.
const minPrefix = len("odid1") + 4

// Resolve finds the contact that text names: a whole ODID, remark or name
// (whatever the case), or a start of the ODID that only one contact has. Removed
// contacts are named by their whole ODID alone. Errors: ErrNotFound,
// *AmbiguousError, and ParseODID's for what is meant as a whole ODID and is none.
func (s *Service) Resolve(text string) (Contact, error) {
	text = strings.TrimSpace(text)
	list, err := s.List(false)
	if err != nil {
		return Contact{}, err
	}
	lower := strings.ToLower(text)
	var named, prefixed []Contact
	for _, c := range list {
		switch id := c.ODID.String(); {
		case id == lower:
			return c, nil
		case text != "" && (strings.EqualFold(c.Remark, text) || strings.EqualFold(c.Name, text)):
			named = append(named, c)
		case len(lower) >= minPrefix && strings.HasPrefix(id, lower):
			prefixed = append(prefixed, c)
		}
	}
	found := named
	if len(found) == 0 {
		found = prefixed
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Contact{}, &AmbiguousError{text, found}
	case strings.HasPrefix(lower, "odid") && len(text) > 40:
		peer, err := contact.ParseODID(text)
		if err != nil {
			return Contact{}, err
		}
		return s.Get(peer)
	}
	return Contact{}, fmt.Errorf("%w: %q", ErrNotFound, text)
}
