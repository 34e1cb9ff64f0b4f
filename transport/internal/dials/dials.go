// Package dials keeps how dialling went. Both transports use it, so both mean
// the same by a failure.
package dials

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
)

// remembered is of how many devices the last failure is kept. With more of them
// any one is forgotten.
const remembered = 1024

// Log counts dials and keeps the last failure of each device. The zero value is
// empty.
type Log struct {
	dialled, failed atomic.Uint64

	mu   sync.Mutex
	last map[contact.ODID]Failure
}

// Failure is a dial that ended without a connection.
type Failure struct {
	At  time.Time
	Why string // for a person
}

// Ended notes how a dial ended. One that its caller broke off says nothing of the
// peer and is not counted.
func (l *Log) Ended(peer contact.ODID, err error, why string) {
	switch {
	case err == nil:
		l.dialled.Add(1)
		l.Connected(peer)
		return
	case errors.Is(err, context.Canceled):
		return
	}
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = make(map[contact.ODID]Failure)
	}
	if _, known := l.last[peer]; !known && len(l.last) == remembered {
		for other := range l.last {
			delete(l.last, other)
			break
		}
	}
	l.last[peer] = Failure{time.Now(), why}
}

// Connected forgets the failure of a device there is a connection with, whoever
// made it.
func (l *Log) Connected(peer contact.ODID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, peer)
}

// Last returns the last failure of a device, zero if none is known.
func (l *Log) Last(peer contact.ODID) Failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[peer]
}

// Counts returns how many dials ended with a connection, and how many without.
func (l *Log) Counts() (dialled, failed uint64) { return l.dialled.Load(), l.failed.Load() }
