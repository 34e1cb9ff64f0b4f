package profile

import (
	"errors"
	"fmt"

	"contactsd/transport"
)

// Protocol is the stream on which a device asks another for its profile.
const Protocol transport.Protocol = "/contacts/profile/1"

// Limits of frames, in bytes.
const (
	maxRequest = 32
	maxAnswer  = 72 << 10 // a picture of 64 KiB and all texts at their limits
)

// request is what the opener says.
type request struct {
	Held uint64 `cbor:"1,keyasint,omitempty"` // revision that it has already
}

// answer is what it is told.
type answer struct {
	Kind        kind     `cbor:"1,keyasint,omitempty"`
	Rev         uint64   `cbor:"2,keyasint,omitempty"`
	Name        string   `cbor:"3,keyasint,omitempty"`
	Bio         string   `cbor:"4,keyasint,omitempty"`
	Skills      []string `cbor:"5,keyasint,omitempty"`
	Communities []string `cbor:"6,keyasint,omitempty"`
	Picture     []byte   `cbor:"7,keyasint,omitempty"`
}

// kind says what an answer is.
type kind uint8

const (
	kindProfile   kind = iota // the profile
	kindUnchanged             // the opener has this revision already
	kindLater                 // it was asked too often
	kindPrivate               // the user shows it to nobody
)

// Errors of another device's answer.
var (
	// ErrLater: it was asked too often.
	ErrLater = errors.New("the other device was asked too often: try again in a minute")
	// ErrPrivate: its user shows the profile to nobody.
	ErrPrivate = errors.New("the other device shows its profile to nobody")
	// ErrMalformed is wrapped for an answer that is no profile.
	ErrMalformed = errors.New("the other device sent what is no profile")
)

func answerOf(p Profile, held uint64) answer {
	if held == p.Rev && held != 0 {
		return answer{Kind: kindUnchanged, Rev: p.Rev}
	}
	return answer{Rev: p.Rev, Name: p.Name, Bio: p.Bio, Skills: p.Skills, Communities: p.Communities, Picture: p.Picture}
}

// profile returns what another device answered, with its picture encoded anew. A
// picture that can't be read is left out: the texts are good without it. unchanged
// is true if held is what the device has. The error is ErrLater, ErrPrivate or
// wraps ErrMalformed.
func (a answer) profile(held uint64) (p Profile, unchanged bool, err error) {
	switch a.Kind {
	case kindProfile:
	case kindUnchanged:
		if held == 0 || a.Rev != held {
			return Profile{}, false, fmt.Errorf("%w: revision %d is not the one that is held", ErrMalformed, a.Rev)
		}
		return Profile{}, true, nil
	case kindLater:
		return Profile{}, false, ErrLater
	case kindPrivate:
		return Profile{}, false, ErrPrivate
	default:
		return Profile{}, false, fmt.Errorf("%w: answer of kind %d", ErrMalformed, a.Kind)
	}
	p = Profile{Name: a.Name, Bio: a.Bio, Skills: a.Skills, Communities: a.Communities, Rev: a.Rev}
	if err := p.checkTexts(); err != nil {
		return Profile{}, false, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if picture, err := foreignPicture(a.Picture); err == nil {
		p.Picture = picture
	}
	return p, false, nil
}
