package relation

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// contactID is a UUIDv7.
type contactID []byte

// details is the row of a contact.
type details struct {
	Devices []contact.ODID           `cbor:"1,keyasint"`
	Name    string                   `cbor:"2,keyasint,omitempty"` // theirs
	Remark  string                   `cbor:"3,keyasint,omitempty"` // the user's, shown first
	Source  Source                   `cbor:"4,keyasint"`
	AddedAt int64                    `cbor:"5,keyasint"`           // Unix milliseconds
	Chosen  bool                     `cbor:"6,keyasint,omitempty"` // the user chose the grants explicitly
	Groups  []groupID                `cbor:"7,keyasint,omitempty"` // in rising order; those that are gone mean nothing
	Fields  map[string]contact.Value `cbor:"8,keyasint,omitempty"`
	App     string                   `cbor:"9,keyasint,omitempty"`  // keyword of the application it came by
	Wording string                   `cbor:"10,keyasint,omitempty"` // of the request it came by

	rest codec.Rest // what a newer program wrote
}

const lastDetail = 10

// bare is details without its methods.
type bare details

// MarshalCBOR implements cbor.Marshaler.
func (d details) MarshalCBOR() ([]byte, error) {
	data, err := codec.Marshal(bare(d))
	if err != nil {
		return nil, err
	}
	return d.rest.Join(data)
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (d *details) UnmarshalCBOR(data []byte) error {
	if err := codec.Unmarshal(data, (*bare)(d)); err != nil {
		return err
	}
	var err error
	d.rest, err = codec.RestOf(data, lastDetail)
	return err
}

// clone returns details that can be changed without changing d.
func (d details) clone() details {
	d.Devices, d.Groups, d.Fields = slices.Clone(d.Devices), slices.Clone(d.Groups), maps.Clone(d.Fields)
	return d
}

// unchanged is the step to versions 2 and 3 of the contacts. It keeps a program
// that knows no index, or drops fields it does not know, from changing them.
func unchanged(key, value []byte) ([]byte, []byte, error) { return key, value, nil }

// Source is how a contact came to be.
type Source string

const (
	SourcePairing      Source = "pairing"
	SourceODID         Source = "odid"
	SourceProfile      Source = "profile"      // added from a profile
	SourceConversation Source = "conversation" // added from a conversation
	SourceRequest      Source = "request"      // its request was accepted
	SourceImport       Source = "import"       // added from a file, say
)

// Sources returns all sources there are.
func Sources() []Source {
	return []Source{SourcePairing, SourceODID, SourceProfile, SourceConversation, SourceRequest, SourceImport}
}

// describe changes the details of a contact and journals it.
func (s *Service) describe(tx *store.Tx, e *entry, change func(*details)) error {
	was, ok, err := e.details(tx)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrNotFound, e.peer.Short())
	}
	d := was.clone()
	change(&d)
	if same, err := equal(was, d); same || err != nil {
		return err
	}
	if err := e.keep(tx, was, d); err != nil {
		return err
	}
	tx.OnCommit(func() {
		s.roster.marks.put(e.peer)
		s.cfg.Changed(e.peer)
	})
	return tx.Emit(contact.Event{Type: contact.ContactChanged, At: tx.Now().UnixMilli(), Contact: e.peer})
}

// equal reports whether two rows are the same on the disk.
func equal(a, b details) (bool, error) {
	one, err := codec.Marshal(a)
	if err != nil {
		return false, err
	}
	other, err := codec.Marshal(b)
	return bytes.Equal(one, other), err
}
