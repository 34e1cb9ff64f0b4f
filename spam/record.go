package spam

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// own is the row of a device that the user reported.
type own struct {
	Report contact.Signed `cbor:"1,keyasint"`
	Seq    uint64         `cbor:"2,keyasint"` // of the report
	Share  bool           `cbor:"3,keyasint,omitempty"`
	At     int64          `cbor:"4,keyasint"` // Unix milliseconds
}

// heard is the row of a report of a contact.
type heard struct {
	Report    contact.Signed `cbor:"1,keyasint"`
	Seq       uint64         `cbor:"2,keyasint"`
	Withdrawn bool           `cbor:"3,keyasint,omitempty"`
	At        int64          `cbor:"4,keyasint"` // Unix milliseconds of when it was heard
	Lapses    int64          `cbor:"5,keyasint"` // Unix milliseconds of when it is forgotten
}

// quota is what was written of one contact within a day from Since.
type quota struct {
	Since int64 `cbor:"1,keyasint"` // Unix milliseconds
	Taken int   `cbor:"2,keyasint"`
}

// told is up to which number a contact has the own reports.
type told struct {
	Seq uint64 `cbor:"1,keyasint"`
}

// self is the one row of this device itself.
type self struct {
	Seq     uint64           `cbor:"1,keyasint,omitempty"` // of the last own report
	Shared  uint64           `cbor:"2,keyasint,omitempty"` // of the last one that contacts are told
	Rebukes []contact.Rebuke `cbor:"3,keyasint,omitempty"`
	Locked  int64            `cbor:"4,keyasint,omitempty"` // Unix milliseconds until when, 0 if they are not
}

var (
	owns      = store.NewTable[own]("spam/own", 1)
	reports   = store.NewTable[heard]("spam/reports", 1)
	reporters = store.NewTable[quota]("spam/reporters", 1)
	tolds     = store.NewTable[told]("spam/told", 1)
	selves    = store.NewTable[self]("spam/self", 1)
)

// Tables returns the tables of this package, for store.Open.
func Tables() []store.Definition {
	return []store.Definition{owns, reports, reporters, tolds, selves}
}

func selfKey() []byte { return []byte("self") }

// changeSelf changes the one row of this device.
func changeSelf(tx *store.Tx, change func(*self)) error {
	s, _, err := selves.Get(tx, selfKey())
	if err != nil {
		return err
	}
	change(&s)
	return selves.Put(tx, selfKey(), s)
}

func reportKey(reported, reporter contact.ODID) []byte {
	return store.Key(reported[:], reporter[:])
}

// parties returns of a key of "spam/reports" whom the report is on, and of whom.
func parties(key []byte) (reported, reporter contact.ODID) {
	half := len(contact.ODID{})
	return contact.ODID(key[:half]), contact.ODID(key[half:])
}

// today forgets what was counted more than a day ago.
func (q *quota) today(now time.Time) {
	if now.Sub(time.UnixMilli(q.Since)).Abs() >= 24*time.Hour {
		q.Since, q.Taken = now.UnixMilli(), 0
	}
}
