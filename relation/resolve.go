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
// (whatever the case), or a start of the ODID that only one contact has. A name
// is the contact's own choice, so it stands above nothing: who calls itself like
// the ODID of another makes that ambiguous. Removed contacts are named by their
// whole ODID alone. Errors: ErrNotFound, *AmbiguousError, and ParseODID's for what
// is meant as a whole ODID and is none.
func (s *Service) Resolve(text string) (Contact, error) {
	text = strings.TrimSpace(text)
	peer, notODID := contact.ParseODID(text)
	if notODID == nil {
		return s.Get(peer)
	}
	list, err := s.List(false)
	if err != nil {
		return Contact{}, err
	}
	lower := strings.ToLower(text)
	var found []Contact
	for _, c := range list {
		named := text != "" && (strings.EqualFold(c.Remark, text) || strings.EqualFold(c.Name, text))
		if named || len(lower) >= minPrefix && strings.HasPrefix(c.ODID.String(), lower) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Contact{}, &AmbiguousError{text, found}
	case strings.HasPrefix(lower, "odid") && len(text) > 40:
		return Contact{}, notODID
	}
	return Contact{}, fmt.Errorf("%w: %q", ErrNotFound, text)
}
