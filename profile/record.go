package profile

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// ownRow is the row of this device's own profile.
type ownRow struct {
	Rev         uint64   `cbor:"1,keyasint"`
	Name        string   `cbor:"2,keyasint,omitempty"`
	Bio         string   `cbor:"3,keyasint,omitempty"`
	Skills      []string `cbor:"4,keyasint,omitempty"`
	Communities []string `cbor:"5,keyasint,omitempty"`
	Picture     Picture  `cbor:"6,keyasint,omitempty"`
}

// keptRow is the row of a contact's profile.
type keptRow struct {
	Rev         uint64   `cbor:"1,keyasint"`
	Name        string   `cbor:"2,keyasint,omitempty"`
	Bio         string   `cbor:"3,keyasint,omitempty"`
	Skills      []string `cbor:"4,keyasint,omitempty"`
	Communities []string `cbor:"5,keyasint,omitempty"`
	Picture     Picture  `cbor:"6,keyasint,omitempty"`
	AsOf        int64    `cbor:"7,keyasint"` // Unix milliseconds, when it was fetched
}

// countRow says how many profiles are kept.
type countRow struct {
	Kept uint64 `cbor:"1,keyasint"`
}

var (
	owns   = store.NewTable[ownRow]("profile/own", 1)
	kepts  = store.NewTable[keptRow]("profile/kept", 1)
	orders = store.NewTable[struct{}]("profile/order", 1)
	counts = store.NewTable[countRow]("profile/count", 1)
)

// Tables returns the tables of this package, for store.Open.
func Tables() []store.Definition { return []store.Definition{owns, kepts, orders, counts} }

// theKey is the key of tables with one row.
func theKey() []byte { return []byte("device") }

// maxKept is how many contacts' profiles are kept, those fetched last: some 300 MB
// at the very worst, and a tenth of that with pictures as people have them.
const maxKept = 4096

func (r ownRow) profile() Profile {
	return Profile{Name: r.Name, Bio: r.Bio, Skills: r.Skills, Communities: r.Communities, Picture: r.Picture, Rev: r.Rev}
}

func ownRowOf(p Profile) ownRow {
	return ownRow{Rev: p.Rev, Name: p.Name, Bio: p.Bio, Skills: p.Skills, Communities: p.Communities, Picture: p.Picture}
}

func (r keptRow) kept() Kept {
	p := Profile{Name: r.Name, Bio: r.Bio, Skills: r.Skills, Communities: r.Communities, Picture: r.Picture, Rev: r.Rev}
	return Kept{Profile: p, AsOf: time.UnixMilli(r.AsOf)}
}

func keptRowOf(k Kept) keptRow {
	return keptRow{
		Rev: k.Rev, Name: k.Name, Bio: k.Bio, Skills: k.Skills, Communities: k.Communities, Picture: k.Picture,
		AsOf: k.AsOf.UnixMilli(),
	}
}

// orderKey sorts what is kept by when it was fetched.
func orderKey(asOf int64, peer contact.ODID) []byte {
	return store.Key(store.Uint64(uint64(asOf)), peer[:])
}

// peerOf returns the device of an orderKey.
func peerOf(key []byte) contact.ODID { return contact.ODID(key[8:]) }

// keep writes a contact's profile, and forgets the one fetched longest ago if
// there are too many.
func keep(tx *store.Tx, peer contact.ODID, k Kept) error {
	if err := forget(tx, peer); err != nil {
		return err
	}
	n, _, err := counts.Get(tx, theKey())
	if err != nil {
		return err
	}
	if n.Kept >= maxKept {
		if err := forgetOldest(tx); err != nil {
			return err
		}
		n.Kept--
	}
	row := keptRowOf(k)
	if err := kepts.Put(tx, peer[:], row); err != nil {
		return err
	}
	if err := orders.Put(tx, orderKey(row.AsOf, peer), struct{}{}); err != nil {
		return err
	}
	n.Kept++
	return counts.Put(tx, theKey(), n)
}

// forget deletes what is kept of a device's profile, if anything is.
func forget(tx *store.Tx, peer contact.ODID) error {
	row, ok, err := kepts.Get(tx, peer[:])
	if err != nil || !ok {
		return err
	}
	n, _, err := counts.Get(tx, theKey())
	if err != nil {
		return err
	}
	if err := kepts.Delete(tx, peer[:]); err != nil {
		return err
	}
	if err := orders.Delete(tx, orderKey(row.AsOf, peer)); err != nil {
		return err
	}
	n.Kept--
	return counts.Put(tx, theKey(), n)
}

func forgetOldest(tx *store.Tx) error {
	for row, err := range orders.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		return forget(tx, peerOf(row.Key))
	}
	return nil
}
