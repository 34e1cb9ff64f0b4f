package node

import (
	"contactsd/contact"
	"contactsd/transport"
)

// learner is what features know addresses by. It says of whom one was learnt.
type learner struct {
	transport.Addresses
	learnt func(contact.ODID)
}

// Learn implements transport.Addresses.
func (l learner) Learn(peer contact.ODID, addrs []transport.Address) {
	l.Addresses.Learn(peer, addrs)
	if len(addrs) > 0 {
		l.learnt(peer)
	}
}
