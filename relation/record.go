package relation

import (
	"fmt"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// device is the row of another device.
type device struct {
	Mine      *contact.Signed     `cbor:"1,keyasint,omitempty"`
	Theirs    *contact.Signed     `cbor:"2,keyasint,omitempty"`
	Marks     contact.Marks       `cbor:"3,keyasint"`
	Contact   contactID           `cbor:"4,keyasint,omitempty"` // empty when there is no contact
	Addresses []transport.Address `cbor:"5,keyasint,omitempty"` // last good ones
	Asks      *asks               `cbor:"6,keyasint,omitempty"` // of the device, nil if it never asked
	Held      *digest             `cbor:"7,keyasint,omitempty"` // of what the device said last
	Profile   uint64              `cbor:"8,keyasint,omitempty"` // its revision, as it said then
}

// whereabouts is the part of a device's row that says where it was, for who reads
// many of them.
type whereabouts struct {
	Addresses []transport.Address `cbor:"5,keyasint,omitempty"`
}

// block is the row of a blocked device. The mark in its device row is what
// counts; this one is there to be listed and counted.
type block struct {
	At int64 `cbor:"1,keyasint"` // Unix milliseconds
}

var (
	devices  = store.NewTable[device]("relation/devices", 1)
	places   = store.NewTable[whereabouts]("relation/devices", 1) // for reading
	contacts = store.NewTable[details]("relation/contacts", 3, unchanged, unchanged)
	blocks   = store.NewTable[block]("relation/blocked", 1)
)

// Tables returns the tables of this package, for store.Open.
func Tables() []store.Definition {
	return []store.Definition{
		devices, contacts, blocks, names, totals, groupings, requests, sentAsks, crowds, paireds, cardRequests, sentCardAsks, cardGrants, wordings,
	}
}

// entry is the row of a device, taken apart.
type entry struct {
	peer   contact.ODID
	row    device
	mine   *contact.Statement
	theirs *contact.Statement
	known  bool // there is a row
}

func load(tx *store.Tx, peer contact.ODID) (entry, error) {
	row, known, err := devices.Get(tx, peer[:])
	if err != nil {
		return entry{}, err
	}
	return takeApart(peer, row, known)
}

func takeApart(peer contact.ODID, row device, known bool) (entry, error) {
	e := entry{peer: peer, row: row, known: known}
	var err error
	if e.mine, err = decode(row.Mine); err != nil {
		return entry{}, fmt.Errorf("own statement about %s: %w", peer.Short(), err)
	}
	if e.theirs, err = decode(row.Theirs); err != nil {
		return entry{}, fmt.Errorf("statement of %s: %w", peer.Short(), err)
	}
	return e, nil
}

func decode(s *contact.Signed) (*contact.Statement, error) {
	if s == nil {
		return nil, nil
	}
	st, err := s.Decode()
	return &st, err
}

func (e *entry) save(tx *store.Tx) error {
	delete(viewsOf(tx), e.peer)
	if err := e.countPaired(tx); err != nil {
		return err
	}
	return devices.Put(tx, e.peer[:], e.row)
}

// view is what the two statements mean together. An ask that the user decided without
// an answer, by a removal or a block, is none that waits.
func (e *entry) view() contact.View {
	v := contact.Derive(e.mine, e.theirs, e.row.Marks)
	if v.TheirAsk != contact.AskOpen {
		return v
	}
	if _, asks := e.asksNow(); !asks {
		v.TheirAsk = contact.AskRejected
		if v.Status == contact.StatusPending && v.Incoming {
			v.Status, v.Incoming = contact.StatusNone, false
		}
	}
	return v
}

func (e *entry) blocked() bool { return e.row.Marks.Blocked || e.row.Marks.Reported }

func (e *entry) listed() bool { return e.mine != nil && e.mine.Listed }

// details returns the contact's row; false if the device is no contact.
func (e *entry) details(tx *store.Tx) (details, bool, error) {
	if len(e.row.Contact) == 0 {
		return details{}, false, nil
	}
	return contacts.Get(tx, e.row.Contact)
}
