package presence

import (
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// choice is what the user set by hand. Rev counts the changes, so that of two
// changes at once the later in the store is the later in memory, too.
type choice struct {
	State State  `cbor:"1,keyasint"`
	Text  string `cbor:"2,keyasint,omitempty"`
	Since uint64 `cbor:"3,keyasint"` // Unix milliseconds
	Rev   uint64 `cbor:"4,keyasint"`
}

// ownKey is the presence key and a seq that no beacon has reached.
type ownKey struct {
	Key presenceKey `cbor:"1,keyasint"`
	Seq uint64      `cbor:"2,keyasint"`
}

// holder is a peer that may have the present key.
type holder struct {
	At uint64 `cbor:"1,keyasint"` // Unix milliseconds
}

// seen is what stays of an origin over a restart.
type seen struct {
	Last uint64 `cbor:"1,keyasint"` // Unix milliseconds
	Seq  uint64 `cbor:"2,keyasint"`
}

// held is the presence key of another device that told its state here.
type held struct {
	Key   presenceKey `cbor:"1,keyasint"`
	Ahead int64       `cbor:"2,keyasint"` // milliseconds by which this device's clock is ahead of its
}

// presenceKey opens the beacons of one device.
type presenceKey [32]byte

func (k *presenceKey) UnmarshalCBOR(data []byte) error { return codec.Fixed(k[:], data) }

// String keeps the key out of logs.
func (presenceKey) String() string { return "presence key" }

// GoString is String.
func (presenceKey) GoString() string { return "presence key" }

func choices() store.Table[choice] { return store.NewTable[choice]("presence_choice", 1) }
func keys() store.Table[ownKey]    { return store.NewTable[ownKey]("presence_key", 1) }
func holders() store.Table[holder] { return store.NewTable[holder]("presence_holders", 1) }
func sightings() store.Table[seen] { return store.NewTable[seen]("presence_seen", 1) }
func heldKeys() store.Table[held]  { return store.NewTable[held]("presence_held", 1) }

func own() []byte { return []byte("own") }

// Tables returns the tables that the store must be opened with.
func Tables() []store.Definition {
	return []store.Definition{choices(), keys(), holders(), sightings(), heldKeys()}
}

func unixMilli(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

func fromMilli(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ms, maxTime)))
}

// maxTime bounds times that others claim, in Unix milliseconds: the year 2248.
// The difference of two such times fits in a time.Duration.
const maxTime = 1 << 43

func peerKey(peer contact.ODID) []byte { return peer[:] }
