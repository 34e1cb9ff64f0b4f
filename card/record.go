package card

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// ownRow is the row of this device's own card.
type ownRow struct {
	Rev     uint64 `cbor:"1,keyasint"`
	Phone   string `cbor:"2,keyasint,omitempty"`
	Email   string `cbor:"3,keyasint,omitempty"`
	Address string `cbor:"4,keyasint,omitempty"`
	Notes   string `cbor:"5,keyasint,omitempty"`
}

// heldRow is the row of another device's card.
type heldRow struct {
	Rev     uint64 `cbor:"1,keyasint"`
	Phone   string `cbor:"2,keyasint,omitempty"`
	Email   string `cbor:"3,keyasint,omitempty"`
	Address string `cbor:"4,keyasint,omitempty"`
	Notes   string `cbor:"5,keyasint,omitempty"`
	Since   int64  `cbor:"6,keyasint"` // Unix milliseconds, when it was first had
	Met     int64  `cbor:"7,keyasint"` // Unix milliseconds, when the two were last in touch
	Lease   uint64 `cbor:"8,keyasint"` // seconds from then
}

var (
	owns  = store.NewTable[ownRow]("card/own", 1)
	helds = store.NewTable[heldRow]("card/held", 1)
)

// Tables returns the tables of this package, for store.Open.
func Tables() []store.Definition { return []store.Definition{owns, helds} }

// theKey is the key of the table with one row.
func theKey() []byte { return []byte("device") }

func (r ownRow) card() Card {
	return Card{Phone: r.Phone, Email: r.Email, Address: r.Address, Notes: r.Notes, Rev: r.Rev}
}

func ownRowOf(c Card) ownRow {
	return ownRow{Rev: c.Rev, Phone: c.Phone, Email: c.Email, Address: c.Address, Notes: c.Notes}
}

func (r heldRow) card() Card {
	return Card{Phone: r.Phone, Email: r.Email, Address: r.Address, Notes: r.Notes, Rev: r.Rev}
}

func (r heldRow) held(owner contact.ODID) Held {
	met := time.UnixMilli(r.Met)
	return Held{Card: r.card(), Owner: owner, Since: time.UnixMilli(r.Since), Until: met.Add(r.lease())}
}

func (r heldRow) lease() time.Duration { return time.Duration(r.Lease) * time.Second }

// over reports whether the lease has ended. A clock that went back by as much ends it
// too: else one that was ahead once would make a lease without end.
func (r heldRow) over(now time.Time) bool {
	return now.Sub(time.UnixMilli(r.Met)).Abs() >= r.lease()
}
