package p2p

import (
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
	strangers map[network.Conn]struct{}
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

func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if c.Stat().Direction == network.DirInbound && !g.InterceptPeerDial(c.RemotePeer()) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.strangers) >= maxStrangers {
			return false, 0
		}
		if g.strangers == nil {
			g.strangers = make(map[network.Conn]struct{})
		}
		g.strangers[c] = struct{}{}
	}
	return true, 0
}

// gone forgets a connection that ended.
func (g *gate) gone(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.strangers, c)
}
