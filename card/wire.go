package card

import (
	"errors"
	"fmt"

	"contactsd/transport"
)

// Protocol is the stream on which a device fetches another's card.
const Protocol transport.Protocol = "/contacts/card/1"

// Limits of frames, in bytes.
const (
	maxRequest = 16
	maxAnswer  = 2 << 10 // all fields at their limits
)

// request is what the opener says.
type request struct {
	Rev uint64 `cbor:"1,keyasint,omitempty"` // that the grant names
}

// answer is the card.
type answer struct {
	Rev     uint64 `cbor:"1,keyasint,omitempty"`
	Phone   string `cbor:"2,keyasint,omitempty"`
	Email   string `cbor:"3,keyasint,omitempty"`
	Address string `cbor:"4,keyasint,omitempty"`
	Notes   string `cbor:"5,keyasint,omitempty"`
}

// errMalformed is wrapped for an answer that is no card, or an older one than was granted.
var errMalformed = errors.New("the other device sent what is no card")

func answerOf(c Card) answer {
	return answer{Rev: c.Rev, Phone: c.Phone, Email: c.Email, Address: c.Address, Notes: c.Notes}
}

// card returns what another device answered to who asked for revision rev. The error
// wraps errMalformed and repeats nothing of it.
func (a answer) card(rev uint64) (Card, error) {
	if a.Rev < rev {
		return Card{}, fmt.Errorf("%w: revision %d, and it grants %d", errMalformed, a.Rev, rev)
	}
	c := Card{Phone: a.Phone, Email: a.Email, Address: a.Address, Notes: a.Notes, Rev: a.Rev}
	if err := c.check(); err != nil {
		return Card{}, fmt.Errorf("%w: %v", errMalformed, err)
	}
	return c, nil
}
