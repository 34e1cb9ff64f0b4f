package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
	"contactsd/transport"
)

// Route implements transport.Routes.
func (t *Transport) Route(peer contact.ODID) transport.Route {
	t.recall(peer)
	failed := t.dials.Last(peer)
	r := transport.Route{FailedAt: failed.At, Why: failed.Why}
	for _, a := range nearestFirst(t.book.addrs(peerOf(peer))) {
		r.Known = append(r.Known, transport.Address(a.String()))
	}
	links := onLink()
	for _, c := range t.connections(func(s *swarm.Swarm) []network.Conn { return s.ConnsToPeer(peerOf(peer)) }) {
		at := c.RemoteMultiaddr()
		r.Connections = append(r.Connections, transport.Connection{
			Transport: carrier(at),
			Address:   transport.Address(brieflyAt(at)),
			Inbound:   c.Stat().Direction == network.DirInbound,
			Since:     c.Stat().Opened,
			Distance:  distance(at, links),
		})
	}
	slices.SortStableFunc(r.Connections, func(a, b transport.Connection) int { return a.Since.Compare(b.Since) })
	return r
}

// Tally implements transport.Routes.
func (t *Transport) Tally() transport.Tally {
	now := transport.Tally{Connections: map[string]int{carrierTCP: 0, carrierQUIC: 0}}
	now.Dialled, now.Failed = t.dials.Counts()
	for _, c := range t.connections((*swarm.Swarm).Conns) {
		now.Connections[carrier(c.RemoteMultiaddr())]++
	}
	return now
}

// connections returns those that live, of what list lists; none before Listen.
func (t *Transport) connections(list func(*swarm.Swarm) []network.Conn) []network.Conn {
	t.mu.Lock()
	s := t.swarm
	t.mu.Unlock()
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list(s)), network.Conn.IsClosed)
}

const (
	carrierTCP  = "tcp"
	carrierQUIC = "quic"
)

func carrier(a ma.Multiaddr) string {
	if isTCP(a) {
		return carrierTCP
	}
	return carrierQUIC
}

// brieflyAt is "192.0.2.1:4001" where an address is an IP address and a port.
func brieflyAt(a ma.Multiaddr) string {
	ip, ok := ipOf(a)
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		text, err := a.ValueForProtocol(code)
		port, perr := strconv.ParseUint(text, 10, 16)
		if ok && err == nil && perr == nil {
			return netip.AddrPortFrom(ip, uint16(port)).String()
		}
	}
	return a.String()
}

func distance(a ma.Multiaddr, links []netip.Prefix) transport.Distance {
	ip, ok := ipOf(a)
	switch {
	case ok && ip.IsLoopback():
		return transport.SameMachine
	case ok && near(ip, links):
		return transport.SameNetwork
	}
	return transport.Elsewhere
}

// mostNamed is how many addresses words names for each reason.
const mostNamed = 3

// words tells a person why a dial failed, by reason: "nothing listens at
// 192.0.2.1:4001 (tcp), no answer from 192.0.2.1:4001 (quic)".
func words(err error) string {
	var dial *swarm.DialError
	if !errors.As(err, &dial) || len(dial.DialErrors) == 0 {
		if isTimeout(err) {
			return "no answer in time"
		}
		return oneLine(err)
	}
	var reasons []string
	where := make(map[string][]string)
	for _, e := range dial.DialErrors {
		reason := cause(e.Cause)
		if where[reason] == nil {
			reasons = append(reasons, reason)
		}
		where[reason] = append(where[reason], fmt.Sprintf("%s (%s)", brieflyAt(e.Address), carrier(e.Address)))
	}
	for i, reason := range reasons {
		at := where[reason]
		more := ""
		if n := len(at) - mostNamed; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		reasons[i] = reason + " " + strings.Join(at[:min(len(at), mostNamed)], ", ") + more
	}
	return strings.Join(reasons, "; ")
}

// cause is what happened at an address, to be followed by the address.
func cause(err error) string {
	switch {
	case mismatch(err) != nil:
		return "another device answers at"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no way from here to"
	case isTimeout(err):
		return "no answer from"
	}
	return oneLine(err) + " at"
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func oneLine(err error) string {
	if err == nil {
		return ""
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
