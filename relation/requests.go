package relation

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// RequestKind is what a request is about.
type RequestKind uint8

const (
	KindContact RequestKind = 1 + iota // being a contact, or being allowed more
	KindCard                           // the contact card
)

// Request is an open ask as users and clients see it.
type Request struct {
	ID          string // a UUID
	Kind        RequestKind
	ODID        contact.ODID
	Incoming    bool
	Contact     bool   // the device is a contact, that asks for more
	Title       string // what the contact is shown as, or what a stranger calls itself
	Wording     string
	Permissions contact.Permissions
	At          time.Time // when it was heard or asked
	Told        bool      // the device holds it
	Later       bool      // the device had no place for it; it is asked again
	Working     bool      // stamps are made for it
	Minting     Minting   // how far they are

	Held  contact.Suspicion // why it is in quarantine
	Until time.Time         // when it is dropped there, zero elsewhere
}

// Requests returns the requests that wait here, or those that others have yet to
// answer, the newest first.
func (s *Service) Requests(incoming bool) (list []Request, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		if incoming {
			list, err = receivedAll(tx)
		} else {
			list, err = sentAll(tx)
		}
		return err
	})
	for i, r := range list {
		if !incoming {
			list[i].Minting, list[i].Working = s.minting(r)
		}
		list[i].Later = !incoming && errors.Is(s.keeper.outlook(r.ODID).Err, ErrLater)
	}
	slices.SortFunc(list, func(a, b Request) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return cmp.Or(bytes.Compare(a.ODID[:], b.ODID[:]), cmp.Compare(a.Kind, b.Kind))
	})
	return list, err
}

// Waiting returns how many requests wait for the user.
func (s *Service) Waiting() (n int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		c, _, err := crowds.Get(tx, crowdKey())
		n = int(c.Open)
		return err
	})
	return n, err
}

// waitsHere and isHeld tell the two lists of what others ask apart.
func waitsHere(r request) bool { return !r.Withdrawn && r.Held == contact.Unsuspected }
func isHeld(r request) bool    { return !r.Withdrawn && r.Held != contact.Unsuspected }

func received(tx *store.Tx, fits func(request) bool) (list []Request, err error) {
	for row, err := range requests.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		if !fits(row.Value) {
			continue
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return nil, err
		}
		if e.theirs == nil || e.theirs.Ask == nil {
			continue
		}
		r := Request{
			ID: row.Value.id(), Kind: KindContact, ODID: e.peer, Incoming: true, Contact: e.listed(), Title: row.Value.Name,
			Wording: e.theirs.Ask.Wording, Permissions: e.theirs.Ask.Permissions, At: time.UnixMilli(row.Value.At), Told: true,
			Held: row.Value.Held,
		}
		if row.Value.Until != 0 {
			r.Until = time.UnixMilli(row.Value.Until)
		}
		if r.Contact {
			if r.Title, err = title(tx, &e); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

func sent(tx *store.Tx) (list []Request, err error) {
	for row, err := range sentAsks.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return nil, err
		}
		r, err := sentRequest(tx, &e, row.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func sentRequest(tx *store.Tx, e *entry, a sentAsk) (r Request, err error) {
	r = Request{ID: a.id(), Kind: KindContact, ODID: e.peer, Contact: e.listed(), At: time.UnixMilli(a.At), Told: e.mine != nil && !contact.Unacknowledged(e.mine, e.row.Marks) && !a.Owes}
	if e.mine != nil && e.mine.Ask != nil {
		r.Wording, r.Permissions = e.mine.Ask.Wording, e.mine.Ask.Permissions
	}
	r.Title, err = title(tx, e)
	return r, err
}

func title(tx *store.Tx, e *entry) (string, error) {
	d, _, err := e.details(tx)
	return Contact{ODID: e.peer, Name: d.Name, Remark: d.Remark}.Title(), err
}

// namedRequests finds requests by what the user calls them.
type namedRequests struct {
	byID   map[string]Request
	byODID map[contact.ODID][]Request // at most one of each kind
}

func nameRequests(list []Request) namedRequests {
	n := namedRequests{make(map[string]Request, len(list)), make(map[contact.ODID][]Request, len(list))}
	for _, r := range list {
		n.byID[r.ID] = r
		n.byODID[r.ODID] = append(n.byODID[r.ODID], r)
	}
	return n
}

// find returns the request that text names, or those of the device that it names.
// What a stranger calls itself names nothing: it could be called like another.
func (n namedRequests) find(text string) ([]Request, error) {
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	if r, ok := n.byID[lower]; ok {
		return []Request{r}, nil
	}
	if peer, err := contact.ParseODID(text); err == nil {
		if all, ok := n.byODID[peer]; ok {
			return all, nil
		}
		return nil, fmt.Errorf("%w: %q", ErrRequest, text)
	}
	first, last, prefix := contact.ODIDRange(lower)
	prefix = prefix && len(lower) >= minPrefix
	var found [][]Request
	for _, all := range n.byODID {
		r := all[0]
		switch {
		case prefix && bytes.Compare(r.ODID[:], first[:]) >= 0 && bytes.Compare(r.ODID[:], last[:]) <= 0 && strings.HasPrefix(r.ODID.String(), lower),
			r.Contact && text != "" && strings.EqualFold(r.Title, text):
			found = append(found, all)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("%w: %q", ErrRequest, text)
	}
	slices.SortFunc(found, func(a, b []Request) int { return bytes.Compare(a[0].ODID[:], b[0].ODID[:]) })
	e := &AmbiguousError{Text: text}
	for _, all := range found {
		e.Candidates = append(e.Candidates, Contact{ODID: all[0].ODID, Remark: all[0].Title})
	}
	return nil, e
}

// refusedItem is refused for an item that names a request.
func refusedItem(err error) bool {
	var many *AmbiguousError
	return refused(err) || errors.Is(err, ErrRequest) || errors.As(err, &many)
}
