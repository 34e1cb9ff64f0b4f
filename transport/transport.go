// Package transport connects devices. It gives the rest of contactsd five
// things: who I am, a stream to a device for a protocol, serving a protocol, who
// is connected, and how, or why not. Nothing outside of it knows a multiaddr or a peer ID.
//
// Two implementations pass one conformance suite (transporttest): p2p, which is
// libp2p, and memnet, a network in memory for tests that fake time and faults.
//
// A connection authenticates both ends: Stream.Peer is proven, not claimed. Two
// devices may hold several connections at once (both dialled); nothing may
// depend on which of them a stream uses.
package transport

import (
	"context"
	"errors"
	"io"
	"time"

	"contactsd/contact"
)

// Protocol names a stream protocol with its version, "/contacts/relation/1".
type Protocol string

// Address is where a device may be reached, opaque outside this package tree.
type Address string

// Errors. An error of Open or Dial wraps exactly one of them or the context's.
var (
	// ErrUnreachable: there is no connection and none could be made.
	ErrUnreachable = errors.New("unreachable")
	// ErrRefused: the peer is there but does not serve the protocol, or reset
	// the stream at once.
	ErrRefused = errors.New("refused")
	// ErrAddress: the text is no address of this transport.
	ErrAddress = errors.New("not an address")
	// ErrSelf: the peer is this device.
	ErrSelf = errors.New("that is this device itself")
	// ErrClosed: the transport was stopped.
	ErrClosed = errors.New("transport stopped")
)

// Stream is a reliable, ordered, authenticated channel of one protocol.
// Read and Write may be used by one goroutine each at a time. Reset and
// SetDeadline may be called from any goroutine.
type Stream interface {
	io.ReadWriteCloser // Close flushes and ends both directions
	CloseWrite() error // ends the own direction, the peer reads io.EOF
	Reset() error      // ends both directions at once; both sides get an error; nothing after Close
	// SetDeadline bounds reads and writes, also those that wait now; past it they
	// return os.ErrDeadlineExceeded. A read may be tried again with a new deadline.
	SetDeadline(t time.Time) error
	Peer() contact.ODID
}

// Located is a Stream that tells from where on the network its peer connects.
type Located interface {
	// Place names it for sharing things fairly, so that many keys get no more than
	// one: the address of a device of the same link, the prefix of one elsewhere, ""
	// for this machine or if nobody knows. It is for comparing only.
	Place() string
}

// Handler serves one inbound stream and owns it: it closes or resets it before
// returning. ctx ends when the transport stops.
type Handler func(ctx context.Context, s Stream)

// Network is what features use.
type Network interface {
	Self() contact.ODID
	// Open opens a stream for p on a connection that there is, or dials the
	// addresses learnt for the peer.
	Open(ctx context.Context, peer contact.ODID, p Protocol) (Stream, error)
	// Serve installs the handler of p. It is called before Run.
	Serve(p Protocol, h Handler)
	// Connected returns the devices there is a connection with.
	Connected() []contact.ODID
	// Watch calls f for every change of Connected until cancel is called,
	// beginning with one call for each device connected now. f must not block.
	Watch(f func(peer contact.ODID, connected bool)) (cancel func())
}

// Disconnecter ends connections that are not wanted any more.
type Disconnecter interface {
	// Disconnect ends the connections with the peer, and with them their streams.
	// Nothing keeps either side from connecting again.
	Disconnect(peer contact.ODID)
}

// Addresses is what the node uses to find devices.
type Addresses interface {
	// Own returns where this device can be reached directly, as contacts may know.
	Own() []Address
	// Learn replaces what is known of where the peer is. Only peers that the
	// transport may dial (contacts) are remembered; a text that is no address is
	// skipped. Of whom nothing was learnt, the transport asks who keeps addresses
	// when it has to dial, so nobody has to tell it all of them at a start.
	Learn(peer contact.ODID, addrs []Address)
	// Knows reports whether there is an address at which the peer could be dialled,
	// without asking who keeps addresses.
	Knows(peer contact.ODID) bool
	// Dial connects to a peer that the user named, contact or not, at addrs if
	// given, else at what is known. It returns nil if they are connected.
	Dial(ctx context.Context, peer contact.ODID, addrs ...Address) error
	// Resolve connects to whoever is at an address that the user gave without an
	// ODID and returns who that is.
	Resolve(ctx context.Context, addr Address) (contact.ODID, error)
}

// Neighbourhood finds devices of the same LAN that show a code.
type Neighbourhood interface {
	// Announce tells the LAN until ctx ends that this device shows a code. It
	// returns at once. Nothing announced derives from the code.
	Announce(ctx context.Context)
	// Candidates sends devices that announce, each once, until ctx ends, then
	// closes the channel. They may be dialled while ctx lives.
	Candidates(ctx context.Context) <-chan contact.ODID
}
