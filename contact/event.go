package contact

import "contactsd/internal/codec"

// Event is a durable change as the journal keeps it and clients see it. It is
// written in the transaction of the change it tells. Which fields are set
// depends on the type; Detail never holds a secret or a message's text.
type Event struct {
	Type    EventType `cbor:"1,keyasint"`
	At      int64     `cbor:"2,keyasint"` // Unix milliseconds
	Contact ODID      `cbor:"3,keyasint"` // the other device, zero if none
	ID      string    `cbor:"4,keyasint,omitempty"`
	State   string    `cbor:"5,keyasint,omitempty"`
	Detail  string    `cbor:"6,keyasint,omitempty"`
}

// EventType names a kind of change, "subject.verb".
type EventType string

const (
	ContactAdded     EventType = "contact.added"
	ContactChanged   EventType = "contact.changed" // record or derived state
	ContactPaired    EventType = "contact.paired"
	ContactUnpaired  EventType = "contact.unpaired" // trust fell back to untrusted
	ContactRemoved   EventType = "contact.removed"
	ContactLeft      EventType = "contact.left" // the other side does not list this device any more
	ContactBlocked   EventType = "contact.blocked"
	ContactUnblocked EventType = "contact.unblocked"
	GroupsChanged    EventType = "groups.changed" // the groups there are, not who is in them
	RequestReceived  EventType = "request.received"
	RequestAccepted  EventType = "request.accepted"
	RequestRejected  EventType = "request.rejected"
	RequestCancelled EventType = "request.cancelled"
	CardRequested    EventType = "card.requested" // State in: for this device's card; Detail notify or quiet
	CardGranted      EventType = "card.granted"   // State in: this device's card, out: the other's
	CardRejected     EventType = "card.rejected"
	CardCancelled    EventType = "card.cancelled" // an ask was taken back
	CardRevoked      EventType = "card.revoked"   // Detail asked or confirmed of this device's card, revoked or lease of the other's
	CardChanged      EventType = "card.changed"   // this device's card, or what is held of another's
	MessageQueued    EventType = "message.queued"
	MessageReceived  EventType = "message.received"
	MessageState     EventType = "message.state"
	PairingStaged    EventType = "pairing.staged"
	PairingLimited   EventType = "pairing.limited"
	ProfileChanged   EventType = "profile.changed"
	SettingChanged   EventType = "setting.changed" // Detail its name, State its value
	PresenceSet      EventType = "presence.set"    // this device's own choice
	FileOffered      EventType = "file.offered"
	FileState        EventType = "file.state"
	FileCleared      EventType = "file.cleared" // out of the list; State what it was
)

// Events of spam.
const (
	RequestReported    EventType = "request.reported"
	RequestQuarantined EventType = "request.quarantined" // Detail why, a Suspicion
	AsksLocked         EventType = "asks.locked"         // this device's own, Detail until when (RFC 3339)
	AsksUnlocked       EventType = "asks.unlocked"
)

// AppendCBOR implements codec.Appender.
func (e Event) AppendCBOR(b []byte) []byte {
	m := codec.BeginMap(b, 64+len(e.Type)+len(e.ID)+len(e.State)+len(e.Detail))
	m.Text(1, string(e.Type))
	m.Int(2, e.At)
	m.Bytes(3, e.Contact[:])
	m.OptText(4, e.ID)
	m.OptText(5, e.State)
	m.OptText(6, e.Detail)
	return m.End()
}
