package relation

import (
	"bytes"
	"strings"
	"unicode"

	"contactsd/contact"
	"contactsd/store"
)

// Finding a contact by what it is called, and saying how many there are, takes no
// longer with many of them: "relation/names" has a row for each text that a
// contact is called by, "relation/totals" the numbers. Both say again what the
// other tables say, and are written with them. A store from before they were kept
// has neither; New makes them.

var (
	names  = store.NewTable[struct{}]("relation/names", 1)
	totals = store.NewTable[total]("relation/totals", 2, dropped)
)

// total counts rows.
type total struct {
	Contacts uint64 `cbor:"1,keyasint"` // contacts that are not blocked
	Blocked  uint64 `cbor:"2,keyasint"`
	Paired   uint64 `cbor:"3,keyasint,omitempty"`
}

// dropped is the step to version 2 of the totals, which count paired contacts: they
// are made anew.
func dropped(_, _ []byte) ([]byte, []byte, error) { return nil, nil, nil }

func totalsKey() []byte { return []byte("all") }

// fold makes the same of two texts that strings.EqualFold calls equal: each
// character becomes the first of those that are it in another case.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			first = min(first, o)
		}
		return first
	}, text)
}

// nameKey is the folded text, a zero byte that no name has, and the ODID.
func nameKey(text string, peer contact.ODID) []byte {
	return store.Key(namePrefix(text), peer[:])
}

func namePrefix(text string) []byte { return append([]byte(fold(text)), 0) }

// called returns the keys under which a contact is found.
func (d details) called(peer contact.ODID) (keys [][]byte) {
	for _, text := range []string{d.Remark, d.Name} {
		if key := nameKey(text, peer); text != "" && (len(keys) == 0 || !bytes.Equal(keys[0], key)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// keep writes the details of e's contact in the place of was, zero for a new one.
func (e *entry) keep(tx *store.Tx, was, d details) error {
	if err := contacts.Put(tx, e.row.Contact, d); err != nil {
		return err
	}
	if was.Name == d.Name && was.Remark == d.Remark && len(was.Devices) > 0 {
		return nil
	}
	if err := e.unname(tx, was); err != nil {
		return err
	}
	return e.enter(tx, d)
}

func (e *entry) enter(tx *store.Tx, d details) error {
	for _, key := range d.called(e.peer) {
		if err := names.Put(tx, key, struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) unname(tx *store.Tx, was details) error {
	for _, key := range was.called(e.peer) {
		if err := names.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// discard deletes the details of e's contact, if it is one.
func (e *entry) discard(tx *store.Tx) error {
	d, was, err := e.details(tx)
	if err != nil || !was {
		return err
	}
	if err := e.unname(tx, d); err != nil {
		return err
	}
	if err := contacts.Delete(tx, e.row.Contact); err != nil {
		return err
	}
	return tally(tx, -1, 0)
}

// tally changes the totals.
func tally(tx *store.Tx, contacts, blocked int) error {
	t, _, err := totals.Get(tx, totalsKey())
	if err != nil {
		return err
	}
	t.Contacts += uint64(contacts)
	t.Blocked += uint64(blocked)
	return totals.Put(tx, totalsKey(), t)
}

// namesakes returns the devices whose contact is called like that, in no order.
func namesakes(tx *store.Tx, text string) (peers []contact.ODID, err error) {
	prefix := namePrefix(text)
	for row, err := range names.Scan(tx, store.Range{Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		if len(row.Key) == len(prefix)+len(contact.ODID{}) {
			peers = append(peers, contact.ODID(row.Key[len(prefix):]))
		}
	}
	return peers, nil
}

// index makes the index of a store that has contacts and none.
func (s *Service) index() error {
	missing := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		_, found, err := totals.Get(tx, totalsKey())
		if err != nil || found {
			return err
		}
		for _, err := range contacts.Scan(tx, store.Range{}) {
			missing = true
			return err
		}
		for _, err := range blocks.Scan(tx, store.Range{}) {
			missing = true
			return err
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	s.log.Info("relation: making the index of names")
	return s.cfg.DB.Update(makeIndex)
}

func makeIndex(tx *store.Tx) error {
	for row, err := range contacts.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		for _, peer := range row.Value.Devices {
			e, err := load(tx, peer)
			if err != nil {
				return err
			}
			if err := e.enter(tx, row.Value); err != nil {
				return err
			}
			if e.view().Trust < contact.Paired {
				continue
			}
			if err := paireds.Put(tx, peer[:], struct{}{}); err != nil {
				return err
			}
		}
	}
	t, err := count(tx)
	if err != nil {
		return err
	}
	return totals.Put(tx, totalsKey(), t)
}

// count counts all rows.
func count(tx *store.Tx) (t total, err error) {
	for _, err := range contacts.Scan(tx, store.Range{}) {
		if err != nil {
			return t, err
		}
		t.Contacts++
	}
	for _, err := range paireds.Scan(tx, store.Range{}) {
		if err != nil {
			return t, err
		}
		t.Paired++
	}
	for row, err := range blocks.Scan(tx, store.Range{}) {
		if err != nil {
			return t, err
		}
		t.Blocked++
		d, _, err := devices.Get(tx, row.Key)
		if err != nil {
			return t, err
		}
		if len(d.Contact) > 0 { // kept for the day it is unblocked
			t.Contacts--
		}
	}
	return t, nil
}

// checkIndex adds to d where the index says something else than the tables that
// it is of.
func checkIndex(tx *store.Tx, d *store.Damages) error {
	t, found, err := totals.Get(tx, totalsKey())
	if err != nil || !found { // New will make it
		return err
	}
	want, err := count(tx)
	if err != nil {
		return err
	}
	if t != want {
		d.Add("relation/totals", totalsKey(), "%d contacts, %d of them paired, and %d blocked devices; there are %d, %d and %d",
			t.Contacts, t.Paired, t.Blocked, want.Contacts, want.Paired, want.Blocked)
	}
	rows := 0
	for row, err := range contacts.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		for _, peer := range row.Value.Devices {
			for _, key := range row.Value.called(peer) {
				_, found, err := names.Get(tx, key)
				if err != nil {
					return err
				}
				if !found {
					d.Add("relation/contacts", row.Key, "not to be found by its name")
				}
				rows++
			}
		}
	}
	for _, err := range names.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		rows--
	}
	if rows < 0 {
		d.Add("relation/names", nil, "%d names of nobody", -rows)
	}
	return nil
}
