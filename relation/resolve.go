package relation

import (
	"errors"
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
// the ODID of another makes that ambiguous. Blocked ones come after all others;
// removed contacts are named by their whole ODID alone. Errors: ErrNotFound, *AmbiguousError, and ParseODID's for what
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
	found := named(list, text)
	if len(found) == 0 {
		return s.resolveBlocked(text, notODID)
	}
	return one(found, text, notODID)
}

// ResolveBlocked is Resolve among the blocked devices first.
func (s *Service) ResolveBlocked(text string) (Contact, error) {
	text = strings.TrimSpace(text)
	peer, notODID := contact.ParseODID(text)
	if notODID == nil {
		return s.Get(peer)
	}
	c, err := s.resolveBlocked(text, notODID)
	if errors.Is(err, ErrNotFound) {
		return s.Resolve(text)
	}
	return c, err
}

func (s *Service) resolveBlocked(text string, notODID error) (Contact, error) {
	list, err := s.listBlocked()
	if err != nil {
		return Contact{}, err
	}
	return one(named(list, text), text, notODID)
}

// named returns those of list that text names.
func named(list []Contact, text string) (found []Contact) {
	lower := strings.ToLower(text)
	for _, c := range list {
		called := text != "" && (strings.EqualFold(c.Remark, text) || strings.EqualFold(c.Name, text))
		if called || len(lower) >= minPrefix && strings.HasPrefix(c.ODID.String(), lower) {
			found = append(found, c)
		}
	}
	return found
}

// one returns the only one of found, or the error that says why there is none.
// notODID says why text is no whole ODID.
func one(found []Contact, text string, notODID error) (Contact, error) {
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Contact{}, &AmbiguousError{text, found}
	case len(text) > 40 && strings.HasPrefix(strings.ToLower(text), "odid"):
		return Contact{}, notODID
	}
	return Contact{}, fmt.Errorf("%w: %q", ErrNotFound, text)
}
