package spam

import (
	"fmt"

	"contactsd/contact"
)

const (
	maxFrame  = 2 << 10 // bytes
	maxStream = 64      // reports of one stream
)

// request is the reporter's frame; see the package's documentation.
type request struct {
	Report contact.Signed `cbor:"1,keyasint"`
}

// outcome is what becomes of a report.
type outcome uint8

const (
	done outcome = 1 + iota
	later
)

// response is the answer.
type response struct {
	Outcome outcome `cbor:"1,keyasint"`
}

func (r response) check() error {
	if r.Outcome != done && r.Outcome != later {
		return fmt.Errorf("%d is no answer to a report", r.Outcome)
	}
	return nil
}
