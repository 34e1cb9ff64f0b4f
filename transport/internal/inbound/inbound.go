// Package inbound bounds the streams of each peer: so many are served at once,
// as many again wait for their turn, more are turned away.
package inbound

import (
	"sync"

	"contactsd/contact"
)

// Serving is how many streams of one peer are served at once.
const Serving = 128

// Limit counts streams. The zero value has none.
type Limit struct {
	mu    sync.Mutex
	peers map[contact.ODID]*places
}

type places struct {
	free    chan struct{} // has an element for each stream that is served
	streams int           // served and waiting
}

// Enter waits for a place for a stream of the peer and returns what gives it
// back. It returns false at once if too many wait, or when stop is closed.
func (l *Limit) Enter(peer contact.ODID, stop <-chan struct{}) (leave func(), ok bool) {
	l.mu.Lock()
	p := l.peers[peer]
	if p == nil {
		if l.peers == nil {
			l.peers = make(map[contact.ODID]*places)
		}
		p = &places{free: make(chan struct{}, Serving)}
		l.peers[peer] = p
	}
	if p.streams == 2*Serving {
		l.mu.Unlock()
		return nil, false
	}
	p.streams++
	l.mu.Unlock()
	select {
	case p.free <- struct{}{}:
		return func() {
			<-p.free
			l.leave(peer, p)
		}, true
	case <-stop:
		l.leave(peer, p)
		return nil, false
	}
}

func (l *Limit) leave(peer contact.ODID, p *places) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.streams--; p.streams == 0 {
		delete(l.peers, peer)
	}
}
