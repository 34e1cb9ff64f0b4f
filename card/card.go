package card

import (
	"log/slog"
	"strings"
	"time"

	"contactsd/contact"
)

// Limits of a card's fields, in bytes.
const (
	MaxPhoneSize   = 64
	MaxEmailSize   = 254 // what a mail address may have, RFC 5321
	MaxAddressSize = 500
	MaxNotesSize   = 1000
)

// Card is a contact card. What is empty is not there.
type Card struct {
	Phone   string
	Email   string
	Address string // may have several lines
	Notes   string // may have several lines
	// Rev rises with every change, 0 as long as nothing was set. It is the time of
	// the change in Unix milliseconds, unless the clock went back.
	Rev uint64
}

// IsEmpty reports whether the card tells nothing.
func (c Card) IsEmpty() bool { return c == Card{Rev: c.Rev} }

// String tells nothing of the card, so that none gets into a log by mistake.
func (c Card) String() string { return "a contact card" }

// GoString is String.
func (c Card) GoString() string { return c.String() }

// LogValue is String.
func (c Card) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Held is the card of another device, as it was fetched last.
type Held struct {
	Card
	Owner contact.ODID
	Since time.Time // when it was first had, without an interruption
	Until time.Time // when it goes if the two are not in touch before
}

// Change is what a user sets of the card; what is nil stays, and what is empty is
// taken away.
type Change struct {
	Phone, Email, Address, Notes *string
}

// apply returns c with the change, white space around each text cut off. Errors:
// *contact.LimitError, *contact.InvalidError.
func (ch Change) apply(c Card) (Card, error) {
	for _, f := range []struct {
		to   *string
		from *string
	}{{&c.Phone, ch.Phone}, {&c.Email, ch.Email}, {&c.Address, ch.Address}, {&c.Notes, ch.Notes}} {
		if f.from != nil {
			*f.to = strings.TrimSpace(*f.from)
		}
	}
	return c, c.check()
}

// check returns what is wrong with the texts, those of this device and of others
// alike: *contact.LimitError or *contact.InvalidError. Characters that turn the
// reading direction are kept; whoever displays text shows them safely.
func (c Card) check() error {
	for _, f := range []struct {
		name, text string
		limit      int
		lines      bool
	}{
		{"phone", c.Phone, MaxPhoneSize, false},
		{"email", c.Email, MaxEmailSize, false},
		{"address", c.Address, MaxAddressSize, true},
		{"notes", c.Notes, MaxNotesSize, true},
	} {
		text := f.text
		if f.lines {
			text = strings.ReplaceAll(text, "\n", " ")
		}
		if err := contact.CheckText(f.name, text, f.limit); err != nil {
			return err
		}
	}
	return nil
}
