package p2p

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/transport"
)

// What a dial failed of, as a person reads it.
func TestWordsOfAFailedDial(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	noWay := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	at := func(addr string, cause error) swarm.TransportError {
		return swarm.TransportError{Address: ma.StringCast(addr), Cause: cause}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{context.DeadlineExceeded, "no answer in time"},
		{errors.New("a\n  b"), "a b"},
		{&swarm.DialError{Cause: errors.New("all in vain")}, "failed to dial : all in vain"},
		{&swarm.DialError{DialErrors: []swarm.TransportError{
			at("/ip4/192.0.2.1/tcp/4001", refused),
			at("/ip4/192.0.2.1/udp/4001/quic-v1", os.ErrDeadlineExceeded),
			at("/ip6/2001:db8::1/tcp/4001", refused),
		}}, "nothing listens at 192.0.2.1:4001 (tcp), [2001:db8::1]:4001 (tcp); no answer from 192.0.2.1:4001 (quic)"},
		{&swarm.DialError{DialErrors: []swarm.TransportError{
			at("/ip4/192.0.2.1/tcp/1", noWay), at("/ip4/192.0.2.1/tcp/2", noWay), at("/ip4/192.0.2.1/tcp/3", noWay),
			at("/ip4/192.0.2.1/tcp/4", noWay), at("/ip4/192.0.2.1/tcp/5", noWay),
		}}, "no way from here to 192.0.2.1:1 (tcp), 192.0.2.1:2 (tcp), 192.0.2.1:3 (tcp) and 2 more"},
		{&swarm.DialError{DialErrors: []swarm.TransportError{at("/dns4/example.org/tcp/4001", sec.ErrPeerIDMismatch{})}},
			"another device answers at /dns4/example.org/tcp/4001 (tcp)"},
	} {
		if got := words(tt.err); got != tt.want {
			t.Errorf("%v:\n%q, want\n%q", tt.err, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	links := onLink()
	for addr, want := range map[string]transport.Distance{
		"/ip4/127.0.0.1/tcp/4001":         transport.SameMachine,
		"/ip6/::1/udp/4001/quic-v1":       transport.SameMachine,
		"/ip6/fe80::1/tcp/4001":           transport.SameNetwork,
		"/ip4/203.0.113.9/tcp/4001":       transport.Elsewhere,
		"/dns4/example.org/tcp/4001":      transport.Elsewhere,
		"/ip6/2001:db8::1/udp/1/quic-v1":  transport.Elsewhere,
		"/ip4/127.9.9.9/udp/4001/quic-v1": transport.SameMachine,
	} {
		if got := distance(ma.StringCast(addr), links); got != want {
			t.Errorf("%s is %v, want %v", addr, got, want)
		}
	}
}
