package message

import (
	"iter"

	"contactsd/contact"
	"contactsd/store"
)

// All returns the messages with a contact that follow a cursor, oldest first,
// as they are stored. It is for programs that look into a store which no daemon
// uses; after an error there are no more.
func All(tx *store.Tx, peer contact.ODID, after uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		scan := store.Range{Prefix: peer[:], From: placeKey(peer, after+1)}
		for row, err := range historyTable.Scan(tx, scan) {
			if err != nil {
				yield(Message{}, err)
				return
			}
			at := place{Contact: peer, Order: orderOf(row.Key)}
			r := row.Value
			if _, _, err := r.resolve(tx, at); err != nil {
				yield(Message{}, err)
				return
			}
			if !yield(r.message(peer, at.Order), nil) {
				return
			}
		}
	}
}
