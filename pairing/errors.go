package pairing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"contactsd/contact"
)

// What an entered code can be wrong about before any device is asked.
var (
	ErrCodeLetters   = errors.New("a code has digits only")
	ErrCodeLength    = errors.New("a code has 6 or 9 digits")
	ErrCodeNameplate = errors.New("codes with a nameplate (before a slash) are not supported yet: use --at with the address or ODID of the other device")
)

// Outcomes of Enter and Show. The text is for the user of this device.
var (
	// ErrWrongCode: the other device did not show this code, shows it no longer,
	// or has paired by it. Which of these, nobody is told.
	ErrWrongCode = errors.New("wrong or expired code: enter the one that the other device shows now")
	// ErrWrongLink is ErrWrongCode of a link.
	ErrWrongLink = errors.New("this link is not accepted: each pairs once, while it is shown; ask for another one")
	// ErrNoWindow: the other device is there and shows no code, or not to this one.
	ErrNoWindow = errors.New("the other device shows no code: run `contactsctl show-code` there")
	// ErrNobody: no device of this network shows a code.
	ErrNobody = errors.New("no device on this network shows a code: run `contactsctl show-code` there, or name it with --at")
	// ErrMany: too many devices show a code. It is wrapped by a *ManyError.
	ErrMany = errors.New("too many devices on this network show a code")
	// ErrBusy: the other device is dealing with too many others.
	ErrBusy = errors.New("the other device is busy pairing: try again in a moment")
	// ErrLimited: too many wrong codes were entered at the showing device. It is
	// wrapped by a *LimitedError.
	ErrLimited = errors.New("too many wrong codes")
	// ErrBlocked: the user of this device blocked the other one.
	ErrBlocked = errors.New("this device is blocked here: unblock it first")
	// ErrSelf: the other device is this device.
	ErrSelf = errors.New("that is this device itself: enter the code on the other one")
	// ErrUnreachable: the other device can't be reached, or was lost midway.
	ErrUnreachable = errors.New("the other device can't be reached")
	// ErrNotConfirmed: the pairing is committed here. The other device has not said
	// so in time; it is asked again by itself.
	ErrNotConfirmed = errors.New("not confirmed by the other device yet, continues by itself")
	// ErrIncompatible: the other device speaks another version of the protocol.
	ErrIncompatible = errors.New("the other device speaks another version: update both")
	// ErrProtocol: the other device did not keep to the protocol, or the
	// connection is not with the device that shows the code.
	ErrProtocol = errors.New("the other device broke the pairing protocol")
)

// LimitedError says until when no code is accepted. It matches ErrLimited.
type LimitedError struct {
	// Until is when codes are accepted again: zero if only the other device knows.
	Until time.Time
}

func (e *LimitedError) Error() string {
	if e.Until.IsZero() {
		return ErrLimited.Error() + " there: enter the code that the other device shows now, or pair by a link: contactsctl show-code --link"
	}
	return fmt.Sprintf("%v: codes are accepted again from %s; until then pair by a link: contactsctl show-code --link", ErrLimited, e.Until.Format("2006-01-02 15:04"))
}

// ManyError lists the devices of this network that show a code when they are more
// than a code may be tried at. It matches ErrMany.
type ManyError struct{ Devices []contact.ODID }

func (e *ManyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d", ErrMany, len(e.Devices))
	for _, d := range e.Devices {
		b.WriteString("\n  " + d.String())
	}
	return b.String()
}

// Unwrap returns ErrMany.
func (e *ManyError) Unwrap() error { return ErrMany }

// Unwrap returns ErrLimited.
func (e *LimitedError) Unwrap() error { return ErrLimited }
