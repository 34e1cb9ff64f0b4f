package message

import (
	"contactsd/contact"
	"contactsd/store"
)

// books are the counters that the functions of one commit read and change: the
// record of each peer and of the device is read once and written once, however
// many messages the commit is about.
type books struct {
	peers map[contact.ODID]*account
	self  *selfRecord
	saved selfRecord // as it is on the disk
}

// account is what the books have of one peer.
type account struct {
	peerRecord
	id      contact.ODID
	saved   peerRecord // as it is on the disk
	runOpen bool       // the last run has grown since it was written
	tail    tail
}

// tail says whether the end of an outbox has numbers.
type tail uint8

const (
	tailUnknown  tail = iota
	tailNumbered      // every message in the outbox has a number
	tailWaiting       // the newest have none
)

type booksKey struct{}

// booksOf returns the books of a transaction.
func booksOf(tx *store.Tx) *books {
	tx.Touch()
	return tx.Common(booksKey{}, func() store.Common {
		return &books{peers: make(map[contact.ODID]*account)}
	}).(*books)
}

// account returns the books' record of a peer, to be read and changed.
func (b *books) account(tx *store.Tx, id contact.ODID) (*account, error) {
	if a := b.peers[id]; a != nil {
		return a, nil
	}
	rec, _, err := peerTable.Get(tx, id[:])
	if err != nil {
		return nil, err
	}
	a := &account{peerRecord: rec, id: id, saved: rec}
	b.peers[id] = a
	return a, nil
}

// device returns the books' record of this device, to be read and changed.
func (b *books) device(tx *store.Tx) (*selfRecord, error) {
	if b.self == nil {
		self, _, err := selfTable.Get(tx, selfKey)
		if err != nil {
			return nil, err
		}
		b.self, b.saved = &self, self
	}
	return b.self, nil
}

// queue counts messages that came into the outbox of a peer, or left it.
func (b *books) queue(tx *store.Tx, a *account, n int) error {
	self, err := b.device(tx)
	if err != nil {
		return err
	}
	a.Queued += uint64(n)
	self.Queued += uint64(n)
	return nil
}

// Flush implements store.Common.
func (b *books) Flush(tx *store.Tx) error {
	for id, a := range b.peers {
		if err := a.putRun(tx); err != nil {
			return err
		}
		if a.peerRecord == a.saved {
			continue
		}
		if err := peerTable.Put(tx, id[:], a.peerRecord); err != nil {
			return err
		}
	}
	if b.self == nil || *b.self == b.saved {
		return nil
	}
	return selfTable.Put(tx, selfKey, *b.self)
}

// getAccount opens the books at one peer.
func getAccount(tx *store.Tx, id contact.ODID) (*account, error) { return booksOf(tx).account(tx, id) }

// numbered reports whether every message in the outbox has a number.
func (a *account) numbered(tx *store.Tx) (bool, error) {
	if a.tail == tailUnknown {
		a.tail = tailNumbered
		scan := store.Range{Prefix: a.id[:], From: placeKey(a.id, a.Assigned+1)}
		for _, err := range outboxTable.Scan(tx, scan) {
			if err != nil {
				a.tail = tailUnknown
				return false, err
			}
			a.tail = tailWaiting
			break
		}
	}
	return a.tail == tailNumbered, nil
}
