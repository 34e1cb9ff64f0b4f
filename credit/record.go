package credit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// hash is a SHA-256.
type hash [sha256.Size]byte

// UnmarshalCBOR accepts a byte string of exactly the right length.
func (h *hash) UnmarshalCBOR(data []byte) error { return codec.Fixed(h[:], data) }

// entry is the row of a charge.
type entry struct {
	At    int64        `cbor:"1,keyasint"` // Unix milliseconds
	Act   contact.Act  `cbor:"2,keyasint"`
	Peer  contact.ODID `cbor:"3,keyasint"`
	Cost  int          `cbor:"4,keyasint"` // credits
	Since int64        `cbor:"5,keyasint"` // Unix milliseconds of when the day began
	Spent int          `cbor:"6,keyasint"` // of the day's credits, this charge included
	Prev  hash         `cbor:"7,keyasint"` // of the entry before
}

func (e entry) purse() contact.Purse { return contact.Purse{Since: e.Since, Spent: e.Spent} }

const hashDomain = "contacts/credit/1\x00"

func (e entry) hash() (h hash, err error) {
	b, err := codec.Marshal(e)
	if err != nil {
		return h, err
	}
	return sha256.Sum256(append([]byte(hashDomain), b...)), nil
}

// check returns what is wrong with an entry by itself.
func (e entry) check() error {
	switch {
	case !e.Act.Known():
		return fmt.Errorf("act %d", e.Act)
	case e.Cost < 1 || e.Cost > e.Act.Price():
		return fmt.Errorf("%d credits for what costs at most %d", e.Cost, e.Act.Price())
	case e.Spent < e.Cost:
		return fmt.Errorf("%d spent in all with a cost of %d", e.Spent, e.Cost)
	}
	return nil
}

// head is the one row that says which charge is the newest.
type head struct {
	Last uint64 `cbor:"1,keyasint"`
	Hash hash   `cbor:"2,keyasint"`
}

var (
	ledger = store.NewTable[entry]("credit/ledger", 1)
	heads  = store.NewTable[head]("credit/head", 1)
)

// Tables returns the tables of this package, for store.Open.
func Tables() []store.Definition { return []store.Definition{ledger, heads} }

const keySize = 8 // bytes

func headKey() []byte { return []byte("head") }

func entryKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// newest returns the newest charge, zero if there was none. The error wraps
// store.ErrCorrupt if the charge is not what was written.
func newest(tx *store.Tx) (h head, e entry, err error) {
	h, found, err := heads.Get(tx, headKey())
	if err != nil || !found {
		return head{}, entry{}, err
	}
	e, found, err = ledger.Get(tx, entryKey(h.Last))
	if err != nil {
		return head{}, entry{}, err
	}
	sum, err := e.hash()
	switch {
	case err != nil:
		return head{}, entry{}, err
	case !found:
		return head{}, entry{}, fmt.Errorf("%w: the newest charge of the ledger of credits is missing", store.ErrCorrupt)
	case sum != h.Hash:
		return head{}, entry{}, fmt.Errorf("%w: the newest charge of the ledger of credits was changed", store.ErrCorrupt)
	}
	return h, e, nil
}

// Check adds to d where the ledger is not what was written.
func Check(tx *store.Tx, d *store.Damages) error {
	const table = "credit/ledger"
	h, headed, err := heads.Get(tx, headKey())
	if err != nil {
		return err
	}
	rows, sum := uint64(0), hash{}
	var was entry
	var key []byte
	for row, err := range ledger.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if len(row.Key) != keySize {
			d.Add(table, row.Key, "a key of %d bytes", len(row.Key))
			continue
		}
		e := row.Value
		if err := e.check(); err != nil {
			d.Add(table, row.Key, "%v", err)
		}
		if rows > 0 {
			switch next := binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(key)+1); {
			case !bytes.Equal(row.Key, next):
				d.Add(table, row.Key, "charges before it are missing")
			case e.Prev != sum:
				d.Add(table, key, "it was changed")
			case e.Since == was.Since && e.Spent != was.Spent+e.Cost, e.Since != was.Since && e.Spent != e.Cost:
				d.Add(table, row.Key, "%d spent in all, with a cost of %d after %d", e.Spent, e.Cost, was.Spent)
			}
		}
		if sum, err = e.hash(); err != nil {
			return err
		}
		rows, was, key = rows+1, e, row.Key
	}
	switch {
	case headed != (rows > 0):
		d.Add("credit/head", headKey(), "%d charges, and a newest one: %v", rows, headed)
	case headed && (!bytes.Equal(key, entryKey(h.Last)) || sum != h.Hash):
		d.Add("credit/head", headKey(), "the newest charge is another one, or was changed")
	}
	if rows > maxEntries {
		d.Add(table, nil, "%d charges, at most %d are kept", rows, maxEntries)
	}
	return nil
}
