package p2p

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	ma "github.com/multiformats/go-multiaddr"
)

// Bounds of what is remembered of one peer.
const (
	maxAddresses     = 16
	maxAddressLength = 256
)

// book knows where peers are: learnt from contacts, found on the LAN, named by
// the user. Nothing else gets into it, above all not what Identify brings.
type book struct {
	loopback atomic.Bool // this device listens on loopback, so its contacts may be there too

	mu     sync.Mutex
	learnt map[peer.ID][]string // the bytes of multiaddrs, which are small
	found  map[peer.ID][]string
	named  map[peer.ID][]*naming
}

// naming is a peer named by the user, with the addresses given for it.
type naming struct{ addrs []ma.Multiaddr }

func newBook() *book {
	return &book{
		learnt: make(map[peer.ID][]string),
		found:  make(map[peer.ID][]string),
		named:  make(map[peer.ID][]*naming),
	}
}

// put replaces what into (learnt or found) has about p.
func (b *book) put(into map[peer.ID][]string, p peer.ID, addrs []ma.Multiaddr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(into, p)
	add(into, p, addrs)
}

// recall notes what was known of p before the start, unless more is known by now.
func (b *book) recall(p peer.ID, addrs []ma.Multiaddr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.learnt[p]) == 0 {
		add(b.learnt, p, addrs)
	}
}

func (b *book) hasLearnt(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.learnt[p]) > 0
}

// has reports whether p could be dialled anywhere.
func (b *book) has(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.learnt[p]) > 0 || len(b.found[p]) > 0 {
		return true
	}
	return slices.ContainsFunc(b.named[p], func(n *naming) bool { return len(n.addrs) > 0 })
}

func add(into map[peer.ID][]string, p peer.ID, addrs []ma.Multiaddr) {
	for _, a := range addrs {
		if bytes := string(a.Bytes()); len(into[p]) < maxAddresses && !slices.Contains(into[p], bytes) {
			into[p] = append(into[p], bytes)
		}
	}
}

// find notes where p was found on the LAN, for which a contact finds room always
// and others as long as there is some: the user may name one later.
func (b *book) find(p peer.ID, addrs []ma.Multiaddr, listed bool) {
	b.mu.Lock()
	_, known := b.found[p]
	full := !known && len(b.found) >= maxFound
	b.mu.Unlock()
	if listed || !full {
		b.put(b.found, p, addrs)
	}
}

// name allows dialling p, at addrs too, until undo is called.
func (b *book) name(p peer.ID, addrs []ma.Multiaddr) (undo func()) {
	n := &naming{addrs}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.named[p] = append(b.named[p], n)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.named[p] = slices.DeleteFunc(b.named[p], func(o *naming) bool { return o == n })
		if len(b.named[p]) == 0 {
			delete(b.named, p)
		}
	}
}

func (b *book) isNamed(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.named[p]) > 0
}

// addrs returns where p may be dialled, in no order.
func (b *book) addrs(p peer.ID) []ma.Multiaddr {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []ma.Multiaddr
	for _, n := range b.named[p] {
		all = append(all, n.addrs...)
	}
	for _, from := range []map[peer.ID][]string{b.found, b.learnt} {
		for _, bytes := range from[p] {
			if a, err := ma.NewMultiaddrBytes([]byte(bytes)); err == nil {
				all = append(all, a)
			}
		}
	}
	return ma.Unique(all)
}

// peerstore returns a libp2p peer store whose addresses of others are those of
// the book, whatever libp2p's services put into it.
func (b *book) peerstore() (peerstore.Peerstore, error) {
	mem, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	return &bookstore{mem, b}, nil
}

// store is what libp2p needs of a peer store.
type store interface {
	peerstore.Peerstore
	peerstore.CertifiedAddrBook
}

type bookstore struct {
	store
	book *book
}

// own reports whether p is this device: the one peer whose private key is here.
func (s *bookstore) own(p peer.ID) bool { return s.PrivKey(p) != nil }

func (s *bookstore) Addrs(p peer.ID) []ma.Multiaddr {
	if s.own(p) {
		return s.store.Addrs(p)
	}
	return s.book.addrs(p)
}

func (s *bookstore) AddAddr(p peer.ID, a ma.Multiaddr, ttl time.Duration) {
	s.AddAddrs(p, []ma.Multiaddr{a}, ttl)
}

func (s *bookstore) AddAddrs(p peer.ID, addrs []ma.Multiaddr, ttl time.Duration) {
	if s.own(p) {
		s.store.AddAddrs(p, addrs, ttl)
	}
}

func (s *bookstore) SetAddr(p peer.ID, a ma.Multiaddr, ttl time.Duration) {
	s.SetAddrs(p, []ma.Multiaddr{a}, ttl)
}

func (s *bookstore) SetAddrs(p peer.ID, addrs []ma.Multiaddr, ttl time.Duration) {
	if s.own(p) {
		s.store.SetAddrs(p, addrs, ttl)
	}
}

func (s *bookstore) PeerInfo(p peer.ID) peer.AddrInfo {
	return peer.AddrInfo{ID: p, Addrs: s.Addrs(p)}
}

func (s *bookstore) AddrStream(ctx context.Context, p peer.ID) <-chan ma.Multiaddr {
	none := make(chan ma.Multiaddr)
	close(none)
	return none
}
