package relation

import (
	"bytes"
	"fmt"
	"strings"

	"contactsd/contact"
	"contactsd/store"
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
	listed, blocked, err := s.named(text)
	if err != nil {
		return Contact{}, err
	}
	if len(listed) == 0 {
		return one(blocked, text, notODID)
	}
	return one(listed, text, notODID)
}

// ResolveBlocked is Resolve among the blocked devices first.
func (s *Service) ResolveBlocked(text string) (Contact, error) {
	text = strings.TrimSpace(text)
	peer, notODID := contact.ParseODID(text)
	if notODID == nil {
		return s.Get(peer)
	}
	listed, blocked, err := s.named(text)
	if err != nil {
		return Contact{}, err
	}
	if len(blocked) == 0 {
		return one(listed, text, notODID)
	}
	return one(blocked, text, notODID)
}

// named returns the contacts, and the blocked devices, that text names.
func (s *Service) named(text string) (listed, blocked []Contact, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		listed, blocked = nil, nil
		peers, err := candidates(tx, text)
		if err != nil {
			return err
		}
		for peer := range peers {
			e, err := load(tx, peer)
			if err != nil {
				return err
			}
			c, err := s.assemble(tx, &e)
			switch {
			case err != nil:
				return err
			case e.listed():
				listed = append(listed, c)
			case e.blocked():
				blocked = append(blocked, c)
			}
		}
		return nil
	})
	sortByTitle(listed)
	sortByTitle(blocked)
	return listed, blocked, err
}

// candidates returns the devices that are called text, or whose ODID begins so.
func candidates(tx *store.Tx, text string) (map[contact.ODID]bool, error) {
	peers := make(map[contact.ODID]bool)
	if text == "" {
		return peers, nil
	}
	called, err := namesakes(tx, text)
	if err != nil {
		return nil, err
	}
	for _, peer := range called {
		peers[peer] = true
	}
	lower := strings.ToLower(text)
	first, last, ok := contact.ODIDRange(lower)
	if !ok || len(lower) < minPrefix {
		return peers, nil
	}
	for row, err := range devices.Scan(tx, store.Range{From: first[:]}) {
		if err != nil {
			return nil, err
		}
		if bytes.Compare(row.Key, last[:]) > 0 {
			break
		}
		if peer := contact.ODID(row.Key); strings.HasPrefix(peer.String(), lower) {
			peers[peer] = true
		}
	}
	return peers, nil
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
