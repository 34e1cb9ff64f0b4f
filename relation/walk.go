package relation

import (
	"bytes"
	"crypto/rand"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The walk goes through all devices, in parts, and has those tried that are not
// planned for and whose whereabouts are known. So nothing is kept of the others,
// and a start reads no more than it can use.
const (
	walkEvery = 5 * time.Minute
	fullEvery = 15 * time.Minute // if there is room for those alone who are owed something
	walkPart  = 64               // devices that are looked at in one go
	walkPause = 2 * time.Millisecond
)

// round is one walk: from a device to the last one, and from the first to that device.
type round struct {
	began contact.ODID
	next  []byte // where it goes on
}

// newRound begins anywhere: if all devices began at the lowest ODID, those with the
// lowest ones would be everybody's first choice, and seldom have room.
func newRound() *round {
	r := &round{}
	rand.Read(r.began[:])
	r.next = r.began[:]
	return r
}

// part reads the next devices, at most limit, and moves r on behind them. It returns
// false with the last ones. After an error r is where it was.
func (r *round) part(tx *store.Tx, limit int) (part []store.Row[whereabouts], more bool, err error) {
	for _, left := range r.left() {
		for row, err := range places.Scan(tx, left) {
			if err != nil {
				return nil, false, err
			}
			if len(part) == limit {
				r.next = row.Key
				return part, true, nil
			}
			part = append(part, row)
		}
	}
	return part, false, nil
}

// left returns what has yet to be walked through.
func (r *round) left() []store.Range {
	if bytes.Compare(r.next, r.began[:]) < 0 {
		return []store.Range{{From: r.next, Before: r.began[:]}}
	}
	return []store.Range{{From: r.next}, {Before: r.began[:]}}
}

// walk looks at the next part of the devices.
func (k *keeper) walk() error {
	if k.round == nil {
		k.round = newRound()
	}
	var part []store.Row[whereabouts]
	more := false
	err := k.s.cfg.DB.View(func(tx *store.Tx) (err error) {
		part, more, err = k.round.part(tx, walkPart)
		return err
	})
	if err != nil || !more {
		k.round, k.walkAt = nil, time.Now().Add(walkEvery)
		if k.full() {
			k.walkAt = time.Now().Add(fullEvery)
		}
	} else {
		k.walkAt = time.Now().Add(walkPause)
	}
	for _, row := range part {
		peer := contact.ODID(row.Key)
		if k.connected[peer] != nil || k.due[peer] != nil {
			continue
		}
		if (len(row.Value.Addresses) > 0 || k.s.cfg.Addresses.Knows(peer)) && k.wanted(peer) {
			k.note(notice{peer, said})
		}
	}
	return err
}
