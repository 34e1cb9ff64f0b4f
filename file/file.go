package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// Limits of transfers.
const (
	ChunkSize = 1 << 20 // bytes that are verified together
	MaxSize   = 1 << 40 // bytes of one transfer
	MaxFiles  = 1 << 20 // files and folders of one transfer
	MaxPage   = 1000    // transfers of one page of a list
)

// Errors of this package. What is returned wraps them.
var (
	// ErrNotFound: there is no such transfer.
	ErrNotFound = errors.New("no such transfer")
	// ErrState: the transfer is not in a state in which that can be done.
	ErrState = errors.New("not possible now")
	// ErrConflict: the id belongs to another transfer.
	ErrConflict = errors.New("id of another transfer")
	// ErrSource: what is to be sent can't be read.
	ErrSource = errors.New("can't be sent")
)

// ID names a transfer and the message that offers it: a UUID of version 7 (RFC
// 9562), made by the sender.
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
	if err != nil || len(text) != 36 || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return ID{}, &contact.InvalidError{Field: "transfer id", Reason: "not a UUID of version 7"}
	}
	return ID(u), nil
}

// String returns the 36 characters of the ID.
func (id ID) String() string { return uuid.UUID(id).String() }

// UnmarshalCBOR accepts a byte string of exactly 16 bytes.
func (id *ID) UnmarshalCBOR(data []byte) error { return codec.Fixed(id[:], data) }

// Direction says who sends.
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

// State is where a transfer stands.
type State uint8

const (
	Preparing State = 1 + iota // out: what is sent is being read
	Offered                    // out: the contact has not accepted it; in: this user has not
	Active                     // accepted; it moves, or Waiting says why not
	Paused                     // by this user
	Done                       // in: on the disk under its name; out: the contact says so
	Failed                     // Note says why
	Rejected                   // by the receiver
	Cancelled                  // by either side
	Expired                    // it was not accepted within OfferKept
)

var stateNames = [...]string{"", "preparing", "offered", "active", "paused", "done", "failed", "rejected", "cancelled", "expired"}

func (s State) String() string {
	if int(s) >= len(stateNames) {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return stateNames[s]
}

// Final reports whether nothing more happens by itself.
func (s State) Final() bool { return s >= Done }

// Transfer is one transfer as this device holds it.
type Transfer struct {
	ID        ID
	Contact   contact.ODID // the other device
	Direction Direction
	State     State
	Name      string // of the file or folder, as it is offered
	Type      string // media type, "" if unknown
	Size      uint64 // bytes, of all files together
	Files     uint64 // files and empty folders
	Dir       bool   // it is a folder
	Done      uint64 // bytes that have arrived and fit, or were sent
	Rate      uint64 // bytes a second of late, 0 when nothing moves
	// Path is what is sent, or where it was received; for one that has not
	// arrived, the folder it goes to.
	Path string
	// Waiting says to a person why an active one does not move, Note why it
	// failed or what was left out.
	Waiting string
	Note    string
	At      time.Time // offered here, or the offer arrived
	Ended   time.Time // zero before
}

// chunks is how many chunks so many bytes have.
func chunks(size uint64) uint64 { return (size + ChunkSize - 1) / ChunkSize }

// chunkSize is the size of one of the chunks of so many bytes.
func chunkSize(size, n uint64) int { return int(min(ChunkSize, size-n*ChunkSize)) }
