package transport

import (
	"time"

	"contactsd/contact"
)

// Routes tells how devices are reached, for whoever wants to know why not. It
// changes nothing.
type Routes interface {
	// Route returns the way to a device as it is now.
	Route(peer contact.ODID) Route
	// Tally counts connections and dials of all devices.
	Tally() Tally
}

// Route is the way to one device.
type Route struct {
	Connections []Connection // the oldest first, none if there is no way now
	Known       []Address    // where it would be dialled, the nearest first
	// FailedAt is when dialling it failed last, zero if there was a connection since
	// or nothing was dialled. Why says to a person what came of it.
	FailedAt time.Time
	Why      string
}

// Connection is one connection with a device.
type Connection struct {
	Transport string  // what carries it: tcp, quic or memory
	Address   Address // of the peer, as short as Dial takes it
	Inbound   bool    // the peer dialled
	Since     time.Time
	Distance  Distance
}

// Distance says over what a connection goes, by the peer's address.
type Distance uint8

const (
	Elsewhere   Distance = iota // beyond the networks that this machine is on
	SameMachine                 // loopback
	SameNetwork                 // a network that this machine is on
)

var distances = [...]string{"elsewhere", "machine", "network"}

func (d Distance) String() string { return distances[d] }

// Tally is what Routes count.
type Tally struct {
	Connections map[string]int // now, by Connection.Transport; those that can't be are missing
	Dialled     uint64         // dials since the start that ended with a connection
	Failed      uint64         // and those that did not
}
