package message

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"contactsd/internal/codec"
	"contactsd/store"
)

// Epoch is one life of a store's outgoing queues: sequence numbers of different
// epochs have nothing to do with each other. It is 8 bytes of Unix milliseconds,
// big endian, and 16 random bytes, so that a later epoch is a greater one and
// two restores of one backup never have the same.
type Epoch [24]byte

// maxMillis bounds times that others name, so that there is always a later epoch.
const maxMillis = 1 << 53

// UnmarshalCBOR accepts a byte string of exactly 24 bytes.
func (e *Epoch) UnmarshalCBOR(data []byte) error { return codec.Fixed(e[:], data) }

func (e Epoch) millis() uint64 { return binary.BigEndian.Uint64(e[:8]) }

func (e Epoch) isZero() bool { return e == Epoch{} }

func (e Epoch) compare(f Epoch) int { return bytes.Compare(e[:], f[:]) }

// epochAfter returns an epoch of now, or just after those given if they are
// ahead of the clock.
func epochAfter(now time.Time, others ...Epoch) Epoch {
	ms := uint64(max(now.UnixMilli(), 0))
	for _, o := range others {
		ms = max(ms, o.millis()+1)
	}
	var e Epoch
	binary.BigEndian.PutUint64(e[:8], ms)
	rand.Read(e[8:])
	return e
}

// NewEpoch begins a new epoch. Whoever restores a store from a backup calls it
// before the store is used: what the backup does not know of was sent under
// the epoch before.
func NewEpoch(tx *store.Tx) error {
	self, err := booksOf(tx).device(tx)
	if err != nil {
		return fmt.Errorf("new epoch: %w", err)
	}
	self.Epoch = epochAfter(tx.Now(), self.Epoch)
	return nil
}

// position is a place in the messages of one sender to one receiver.
type position struct {
	epoch Epoch
	seq   uint64
}

func (p position) compare(q position) int {
	if c := p.epoch.compare(q.epoch); c != 0 {
		return c
	}
	switch {
	case p.seq < q.seq:
		return -1
	case p.seq > q.seq:
		return 1
	}
	return 0
}
