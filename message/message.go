package message

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// Limits of messages.
const (
	MaxBodySize = 64 << 10 // bytes of one body
	MaxQueued   = 100_000  // messages that wait for one contact
	MaxPage     = 1000     // messages of one page
	Keep        = 30 * 24 * time.Hour
)

const (
	maxKindSize = 64
	defaultPage = 100
	pageBytes   = 4 << 20 // bodies of one page
)

// Errors of this package. What is returned wraps them.
var (
	// ErrNotContact: the device is not on the contact list.
	ErrNotContact = errors.New("not a contact")
	// ErrBlocked: this device's user blocked the contact.
	ErrBlocked = errors.New("this device is blocked here: unblock it first")
	// ErrQueueFull: MaxQueued messages wait for the contact already.
	ErrQueueFull = errors.New("queue full")
	// ErrConflict: the id belongs to another message.
	ErrConflict = errors.New("id of another message")
	// ErrNotFound: there is no such message.
	ErrNotFound = errors.New("no such message")
	// ErrFinal: the message can't be cancelled any more.
	ErrFinal = errors.New("too late")
)

// ID names a message: a UUID of version 7 (RFC 9562), made by its sender.
type ID [16]byte

// NewID returns a new ID.
func NewID() (ID, error) {
	u, err := uuid.NewV7()
	return ID(u), err
}

// ParseID reads the text form of an ID. It returns a *contact.InvalidError for
// what is no UUID of version 7.
func ParseID(text string) (ID, error) {
	u, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return ID{}, &contact.InvalidError{Field: "message id", Reason: "not a UUID"}
	}
	return ID(u), ID(u).check()
}

func (id ID) check() error {
	if u := uuid.UUID(id); u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return &contact.InvalidError{Field: "message id", Reason: "not a UUID of version 7"}
	}
	return nil
}

// String returns the 36 characters of the ID.
func (id ID) String() string { return uuid.UUID(id).String() }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalCBOR accepts a byte string of exactly 16 bytes.
func (id *ID) UnmarshalCBOR(data []byte) error { return codec.Fixed(id[:], data) }

// Direction says who sent a message.
type Direction uint8

const (
	In  Direction = 1 // from the contact
	Out Direction = 2 // to the contact
)

func (d Direction) String() string {
	if d == Out {
		return "out"
	}
	return "in"
}

// State is where a message stands.
type State uint8

const (
	Queued    State = 1 + iota // out: waits, or is under way
	Delivered                  // out: on the disk of the contact's device
	Failed                     // out: not confirmed within Keep; Note says more
	Cancelled                  // out: by the user
	Received                   // in
	Read                       // in
)

var stateNames = [...]string{"", "queued", "delivered", "failed", "cancelled", "received", "read"}

func (s State) String() string {
	if int(s) >= len(stateNames) {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return stateNames[s]
}

// KindText is a message whose body is text in UTF-8. Others arrive from newer
// versions and are kept as they are.
const KindText = "text"

// KindFile is a message whose body offers a file; what it says is for others.
const KindFile = "file"

// KindGap is in the place of messages that their sender took back or no longer
// has; its Note says why. It is never sent.
const KindGap = "gap"

// Message is one message as this device holds it.
type Message struct {
	ID        ID
	Contact   contact.ODID // the other device
	Direction Direction
	Kind      string
	Body      []byte
	State     State
	// SentAt is when the sender wrote it, by the sender's clock.
	SentAt time.Time
	// DeliveredAt is when this device learnt that the contact has an outgoing
	// message, or stored an incoming one; zero before.
	DeliveredAt time.Time
	ReadAt      time.Time // zero if it was not read
	// Waiting says to a person why a queued message waits, "" for others.
	Waiting string
	// Note says why it failed, or what a gap stands for.
	Note string
	// Cursor is the place in the history with the contact, from 1, rising.
	Cursor uint64
}

// checkOutgoing returns an error naming the limit that a message to be sent breaks.
func checkOutgoing(id ID, kind string, body []byte) error {
	if err := id.check(); err != nil {
		return err
	}
	if kind != KindText && kind != KindFile {
		return &contact.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q can't be sent, use %q", kind, KindText)}
	}
	if len(body) == 0 {
		return &contact.InvalidError{Field: "message", Reason: "empty"}
	}
	return checkBody(kind, body)
}

func checkBody(kind string, body []byte) error {
	if len(body) > MaxBodySize {
		return &contact.LimitError{Field: "message", Got: len(body), Limit: MaxBodySize, Unit: "bytes"}
	}
	if kind == KindText && !utf8.Valid(body) {
		return &contact.InvalidError{Field: "message", Reason: "not valid UTF-8"}
	}
	return nil
}

// checkKind returns an error unless kind is 1 to 64 of the characters that
// media types are made of (RFC 6838, section 4.2), in lower case.
func checkKind(kind string) error {
	if kind == "" || len(kind) > maxKindSize {
		return &contact.LimitError{Field: "kind", Got: len(kind), Limit: maxKindSize, Unit: "bytes"}
	}
	for _, c := range []byte(kind) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '/', c == '.', c == '+', c == '-', c == '_':
		default:
			return &contact.InvalidError{Field: "kind", Reason: fmt.Sprintf("character %q", c)}
		}
	}
	if kind == KindGap {
		return &contact.InvalidError{Field: "kind", Reason: "a gap is not sent"}
	}
	return nil
}
