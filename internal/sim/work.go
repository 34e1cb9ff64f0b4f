package sim

import (
	"crypto/sha256"

	"contactsd/stamp"
)

// quick is work for stamps that costs nothing, so that a simulated year of requests
// takes no longer for them; what is made of stamps is what devices make of it.
type quick struct{}

// Sum implements stamp.Work.
func (quick) Sum(text []byte) stamp.Sum { return sha256.Sum256(text) }
