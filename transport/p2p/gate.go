package p2p

import (
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
)

// gate is libp2p's connection gater: nobody is dialled but contacts and whom the
// user named, and strangers that dial in are bounded. Blocked devices are not
// refused here, lest they learn that they are blocked.
type gate struct {
	mayDial func(contact.ODID) bool
	book    *book

	mu        sync.Mutex
	strangers []network.Conn // the oldest first
}

func (g *gate) InterceptPeerDial(p peer.ID) bool {
	id, ok := odidOf(p)
	return ok && (g.book.isNamed(p) || g.mayDial(id))
}

func (g *gate) InterceptAddrDial(p peer.ID, _ ma.Multiaddr) bool { return g.InterceptPeerDial(p) }

func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured refuses peers whose key is no ODID.
func (g *gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	id, ok := odidOf(p)
	if !ok {
		return false
	}
	_, err := contact.ODIDFromKey(id[:])
	return err == nil
}

// InterceptUpgraded gives a stranger a place. When all are taken the oldest
// yields: else whoever takes them keeps everybody out for as long as it likes.
func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if c.Stat().Direction == network.DirInbound && !g.InterceptPeerDial(c.RemotePeer()) {
		for old := g.enter(c); old != nil; old = g.enter(c) {
			if !g.InterceptPeerDial(old.RemotePeer()) { // it may have become a contact
				go old.Close()
			}
		}
	}
	return true, 0
}

// enter takes a place for c, or makes one free and returns whose it was.
func (g *gate) enter(c network.Conn) (old network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.strangers) < maxStrangers {
		g.strangers = append(g.strangers, c)
		return nil
	}
	old = g.strangers[0]
	g.strangers = slices.Delete(g.strangers, 0, 1)
	return old
}

// gone forgets a connection that ended.
func (g *gate) gone(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.strangers = slices.DeleteFunc(g.strangers, func(o network.Conn) bool { return o == c })
}
