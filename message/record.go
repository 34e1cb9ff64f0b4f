package message

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The tables. Keys are drawn in the package comment.
var (
	historyTable = store.NewTable[record]("message.history", 1)
	idTable      = store.NewTable[place]("message.id", 1)
	outboxTable  = store.NewTable[pending]("message.outbox", 1)
	sentTable    = store.NewTable[run]("message.sent", 2, migrateSent)
	// Unix milliseconds of when messages were known to have arrived, by the last
	// of them: it stands for all before it that left the outbox and say nothing else.
	deliveredTable = store.NewTable[uint64]("message.delivered", 1)
	peerTable      = store.NewTable[peerRecord]("message.peer", 1)
	selfTable      = store.NewTable[selfRecord]("message.self", 1)
	selfKey        = []byte("self")
)

// Tables returns what this package keeps, for store.Open.
func Tables() []store.Definition {
	return []store.Definition{historyTable, idTable, outboxTable, sentTable, deliveredTable, peerTable, selfTable}
}

// record is a message in the history. Times are Unix milliseconds, 0 for none.
// One that says it is queued and has left the outbox was delivered: it is not
// written again for that.
type record struct {
	ID        ID        `cbor:"1,keyasint"`
	Direction Direction `cbor:"2,keyasint"`
	Kind      string    `cbor:"3,keyasint"`
	Body      []byte    `cbor:"4,keyasint"`
	State     State     `cbor:"5,keyasint"`
	Sent      uint64    `cbor:"6,keyasint"`
	Delivered uint64    `cbor:"7,keyasint,omitempty"`
	Read      uint64    `cbor:"8,keyasint,omitempty"`
	Note      string    `cbor:"9,keyasint,omitempty"`
}

// place says where in the history a message is.
type place struct {
	Contact   contact.ODID `cbor:"1,keyasint"`
	Order     uint64       `cbor:"2,keyasint"`
	Direction Direction    `cbor:"3,keyasint"`
}

// pending is a message in the outbox.
type pending struct {
	Queued uint64 `cbor:"1,keyasint"` // Unix milliseconds, by the clock of this device
	// Seq is the number in the epoch of the peer's record, 0 before it was
	// given one. It has been given one before the first byte is sent.
	Seq uint64 `cbor:"2,keyasint,omitempty"`
	// Cancel: the user took it back after it had a number. Skipped: the skip
	// in its place may have been sent, the message itself had not arrived then.
	Cancel  bool `cbor:"3,keyasint,omitempty"`
	Skipped bool `cbor:"4,keyasint,omitempty"`
}

// peerRecord is what is kept of the exchange with one device.
type peerRecord struct {
	Order  uint64 `cbor:"1,keyasint"`           // of the newest message in the history
	Queued uint64 `cbor:"2,keyasint,omitempty"` // messages in the outbox
	Seen   uint64 `cbor:"3,keyasint,omitempty"` // order up to which incoming messages are read

	// Of messages to the peer. Base is the device's epoch when Epoch was chosen.
	Base     Epoch  `cbor:"4,keyasint"`
	Epoch    Epoch  `cbor:"5,keyasint"`
	Last     uint64 `cbor:"6,keyasint,omitempty"` // the highest number given in Epoch
	Assigned uint64 `cbor:"7,keyasint,omitempty"` // order up to which the outbox has numbers

	// Of messages from the peer: the highest number held, and the id of the
	// message that bears it (zero for a skip).
	InEpoch Epoch  `cbor:"8,keyasint"`
	InSeq   uint64 `cbor:"9,keyasint,omitempty"`
	InID    ID     `cbor:"10,keyasint"`

	// Of failed attempts since the last one that got somewhere.
	Attempts uint64 `cbor:"11,keyasint,omitempty"`
	Since    uint64 `cbor:"12,keyasint,omitempty"` // Unix milliseconds of the first
	Next     uint64 `cbor:"13,keyasint,omitempty"` // Unix milliseconds of the next
	Trouble  string `cbor:"14,keyasint,omitempty"` // in words

	// The last run of numbers: its first number, 0 for none, and that one's order.
	RunSeq   uint64 `cbor:"15,keyasint,omitempty"`
	RunOrder uint64 `cbor:"16,keyasint,omitempty"`
}

// selfRecord is what is kept once for the device.
type selfRecord struct {
	Epoch  Epoch  `cbor:"1,keyasint"`
	Queued uint64 `cbor:"2,keyasint,omitempty"` // messages in all outboxes
}

func placeKey(peer contact.ODID, order uint64) []byte {
	return store.Key(peer[:], store.Uint64(order))
}

// orderOf returns the 8 bytes at the end of a key as a number.
func orderOf(key []byte) uint64 {
	var n uint64
	for _, b := range key[len(key)-8:] {
		n = n<<8 | uint64(b)
	}
	return n
}

func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

func fromMillis(ms uint64) time.Time {
	if ms == 0 || ms > maxMillis {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

func (r record) message(peer contact.ODID, order uint64) Message {
	return Message{
		ID: r.ID, Contact: peer, Direction: r.Direction, Kind: r.Kind, Body: r.Body, State: r.State,
		SentAt: fromMillis(r.Sent), DeliveredAt: fromMillis(r.Delivered), ReadAt: fromMillis(r.Read),
		Note: r.Note, Cursor: order,
	}
}
