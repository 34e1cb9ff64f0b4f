package web

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// procTCP lists the IPv4 TCP sockets of this network namespace with their owners
// (proc(5), "/proc/net/tcp").
const procTCP = "/proc/net/tcp"

type peerKey struct{}

type verdict struct{ err error }

// withPeer notes in a connection's context why whoever is at its other end may not
// have the page, or nil.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, verdict{checkPeer(c)})
}

func checkPeer(c net.Conn) error {
	there, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return err
	}
	here, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return err
	}
	f, err := os.Open(procTCP)
	if err != nil {
		return err
	}
	defer f.Close()
	uid, err := ownerOf(f, there, here)
	if err != nil {
		return err
	}
	if self := os.Geteuid(); uid != self && uid != 0 {
		return fmt.Errorf("user %d may not use the page of user %d", uid, self)
	}
	return nil
}

var errNoSocket = errors.New("who is at the other end can't be found out")

// ownerOf returns the user whose socket at local is connected to remote. A line of
// the table is
//
//	sl local remote st tx:rx tr:when retrnsmt uid …
//
// with an address as the hexadecimal digits of the four bytes, read as an integer
// of this machine, and of the port.
func ownerOf(table io.Reader, local, remote netip.AddrPort) (uid int, err error) {
	at, to := procAddr(local), procAddr(remote)
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[1] != at || f[2] != to {
			continue
		}
		if uid, err = strconv.Atoi(f[7]); err != nil {
			return 0, errNoSocket
		}
		return uid, nil
	}
	return 0, errors.Join(errNoSocket, lines.Err())
}

func procAddr(a netip.AddrPort) string {
	b := a.Addr().Unmap().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(b[:]), a.Port())
}
