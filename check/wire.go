package check

import (
	"fmt"

	"contactsd/contact"
	"contactsd/transport"
)

// Protocol asks one question.
const Protocol transport.Protocol = "/contacts/check/1"

const maxFrame = 64 // bytes

// request is the asker's frame; see the package's documentation.
type request struct {
	Question contact.Question `cbor:"1,keyasint"`
}

// response is the answer.
type response struct {
	Fact contact.Fact `cbor:"1,keyasint"`
}

func (r response) check() error {
	if r.Fact > contact.FactYes {
		return fmt.Errorf("%d is no answer to a check", r.Fact)
	}
	return nil
}
