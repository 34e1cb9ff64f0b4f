package presence

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// Limits of a beacon and of what is sent on a stream.
const (
	maxFrame       = 2048 // bytes of one frame
	maxAddresses   = 16
	maxAddressSize = 256              // bytes
	maxAddressSum  = 1024             // bytes of all own addresses together, so that the frame holds the longest text, too
	validity       = 15 * time.Minute // of a beacon made here
	maxValidity    = 24 * time.Hour   // of a beacon taken here
	tolerance      = 10 * time.Minute // for a clock that was not measured
	measured       = time.Minute      // for one that was: delays, and a correction of the clock in between
)

// frame is one frame of the stream; see the package's documentation.
type frame struct {
	Key    *presenceKey `cbor:"1,keyasint,omitempty"`
	Beacon []byte       `cbor:"2,keyasint,omitempty"`
	Clock  uint64       `cbor:"3,keyasint,omitempty"`
}

type envelope struct {
	Body []byte `cbor:"1,keyasint"`
	Sig  []byte `cbor:"2,keyasint"`
}

// beacon is the body of a beacon; times are Unix milliseconds of its origin.
type beacon struct {
	Seq       uint64              `cbor:"1,keyasint"`
	State     State               `cbor:"2,keyasint"`
	Text      string              `cbor:"3,keyasint,omitempty"`
	Since     uint64              `cbor:"4,keyasint"`
	Sent      uint64              `cbor:"5,keyasint"`
	Validity  uint64              `cbor:"6,keyasint"` // seconds
	Addresses []transport.Address `cbor:"7,keyasint,omitempty"`
}

// Why a beacon is dropped.
var (
	errForged    = errors.New("beacon not of its origin")
	errMalformed = errors.New("malformed beacon")
	errStale     = errors.New("beacon out of its time")
	errReplayed  = errors.New("beacon older than one already taken")
)

// seal signs b as id and encrypts it to the holders of key.
func seal(id *identity.Identity, key presenceKey, b beacon) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	body, err := codec.Marshal(b)
	if err != nil {
		return nil, err
	}
	sig, err := id.Sign(identity.BeaconDomain, body)
	if err != nil {
		return nil, err
	}
	plain, err := codec.Marshal(envelope{body, sig})
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	rand.Read(nonce)
	origin := id.Self()
	return aead.Seal(nonce, nonce, plain, origin[:]), nil
}

// unseal opens and verifies a beacon of origin. The error wraps errForged or
// errMalformed.
func unseal(origin contact.ODID, key presenceKey, sealed []byte) (beacon, error) {
	e, err := open(origin, key, sealed)
	if err != nil {
		return beacon{}, err
	}
	if !identity.Verify(origin, identity.BeaconDomain, e.Body, e.Sig) {
		return beacon{}, fmt.Errorf("%w: wrong signature", errForged)
	}
	return parseBeacon(e.Body)
}

// unsealOwn is unseal for a beacon on a stream of its origin, which has proven by the
// connection who it is: the signature is for others, and checked before they are
// told.
func unsealOwn(origin contact.ODID, key presenceKey, sealed []byte) (beacon, error) {
	e, err := open(origin, key, sealed)
	if err != nil {
		return beacon{}, err
	}
	return parseBeacon(e.Body)
}

func open(origin contact.ODID, key presenceKey, sealed []byte) (e envelope, err error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return e, err
	}
	if len(sealed) < aead.NonceSize()+aead.Overhead() {
		return e, fmt.Errorf("%w: %d bytes", errMalformed, len(sealed))
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], origin[:])
	if err != nil {
		return e, fmt.Errorf("%w: sealed with another key", errForged)
	}
	if err := codec.Unmarshal(plain, &e); err != nil {
		return e, fmt.Errorf("%w: %v", errMalformed, err)
	}
	return e, nil
}

func parseBeacon(body []byte) (beacon, error) {
	var b beacon
	if err := codec.UnmarshalCanonical(body, &b); err != nil {
		return beacon{}, fmt.Errorf("%w: %v", errMalformed, err)
	}
	return b, b.check()
}

func (b beacon) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
	}
	switch {
	case b.Seq == 0:
		return bad("without seq")
	case b.State < Online || b.State > Offline:
		return bad("state %d", b.State)
	case b.Since > maxTime || b.Sent > maxTime:
		return bad("a time beyond all time")
	case b.Validity > uint64(maxValidity/time.Second):
		return bad("valid for %d seconds, at most %d", b.Validity, maxValidity/time.Second)
	case len(b.Addresses) > maxAddresses:
		return bad("%d addresses, at most %d", len(b.Addresses), maxAddresses)
	}
	for _, a := range b.Addresses {
		if len(a) > maxAddressSize {
			return bad("an address of %d bytes, at most %d", len(a), maxAddressSize)
		}
	}
	if err := checkText(b.Text); err != nil {
		return bad("%v", err)
	}
	return nil
}

// timely returns errStale unless b may be taken at now. clock is the origin's
// clock as it sent b, 0 if it did not say.
func (b beacon) timely(now time.Time, clock uint64) error {
	at, slack := unixMilli(now), tolerance
	if clock != 0 {
		at, slack = clock, measured
	}
	age := time.Duration(int64(at)-int64(b.Sent)) * time.Millisecond
	if age < -slack || age > time.Duration(b.Validity)*time.Second+slack {
		return fmt.Errorf("%w: made %v ago", errStale, age)
	}
	return nil
}

// offset is how far this device's clock is ahead of the origin's.
func offset(now time.Time, clock uint64) time.Duration {
	if clock == 0 {
		return 0
	}
	return time.Duration(now.UnixMilli()-int64(clock)) * time.Millisecond
}

// fit returns the addresses that a beacon has room for, in their order.
func fit(addrs []transport.Address) []transport.Address {
	var out []transport.Address
	sum := 0
	for _, a := range addrs {
		if len(out) < maxAddresses && len(a) <= maxAddressSize && sum+len(a) <= maxAddressSum {
			out = append(out, a)
			sum += len(a)
		}
	}
	return out
}
