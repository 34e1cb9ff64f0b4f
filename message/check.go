package message

import (
	"errors"

	"contactsd/contact"
	"contactsd/store"
)

// Check adds to d what the tables of this package say about each other that can't
// be: a message in the outbox that is not in the history, one in the history that
// is queued for ever, an id that leads nowhere, a count that is wrong.
func Check(tx *store.Tx, d *store.Damages) error {
	waiting := make(map[contact.ODID]uint64)
	for _, check := range []func() error{
		func() error { return checkOutbox(tx, d, waiting) },
		func() error { return checkHistory(tx, d) },
		func() error { return checkIDs(tx, d) },
		func() error { return checkCounts(tx, d, waiting) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// placed reports whether key has a contact and an order, and says so if not.
func placed(table string, key []byte, d *store.Damages) bool {
	if len(key) != len(contact.ODID{})+8 {
		d.Add(table, key, "a key of %d bytes", len(key))
		return false
	}
	return true
}

func checkOutbox(tx *store.Tx, d *store.Damages, waiting map[contact.ODID]uint64) error {
	const table = "message.outbox"
	for row, err := range outboxTable.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if !placed(table, row.Key, d) {
			continue
		}
		peer := contact.ODID(row.Key[:len(contact.ODID{})])
		waiting[peer]++
		r, found, err := historyTable.Get(tx, row.Key)
		if err != nil {
			return err
		}
		if !found || r.Direction != Out || r.State != Queued {
			d.Add(table, row.Key, "no queued message in the history")
		}
		if row.Value.Seq == 0 {
			continue
		}
		a, err := getAccount(tx, peer)
		if err != nil {
			return err
		}
		order, found, err := a.numberedAt(tx, position{a.Epoch, row.Value.Seq})
		if err != nil {
			return err
		}
		if !found || order != orderOf(row.Key) {
			d.Add(table, row.Key, "its number %d is another message's", row.Value.Seq)
		}
	}
	return nil
}

func checkHistory(tx *store.Tx, d *store.Damages) error {
	const table = "message.history"
	for row, err := range historyTable.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if !placed(table, row.Key, d) {
			continue
		}
		peer := contact.ODID(row.Key[:len(contact.ODID{})])
		at, found, err := idTable.Get(tx, row.Value.ID[:])
		if err != nil {
			return err
		}
		if !found || at != (place{peer, orderOf(row.Key), row.Value.Direction}) {
			d.Add(table, row.Key, "its id leads elsewhere")
		}
		if row.Value.State != Queued {
			continue
		}
		_, waits, err := outboxTable.Get(tx, row.Key)
		if err == nil && !waits {
			r := row.Value
			err = r.arrived(tx, place{Contact: peer, Order: orderOf(row.Key)})
			if errors.Is(err, store.ErrCorrupt) {
				d.Add(table, row.Key, "queued and not in the outbox, nor delivered")
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkIDs(tx *store.Tx, d *store.Damages) error {
	for row, err := range idTable.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		r, found, err := historyTable.Get(tx, placeKey(row.Value.Contact, row.Value.Order))
		if err != nil {
			return err
		}
		if !found || string(r.ID[:]) != string(row.Key) {
			d.Add("message.id", row.Key, "no such message in the history")
		}
	}
	return nil
}

func checkCounts(tx *store.Tx, d *store.Damages, waiting map[contact.ODID]uint64) error {
	total := uint64(0)
	for row, err := range peerTable.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if len(row.Key) != len(contact.ODID{}) {
			d.Add("message.peer", row.Key, "a key of %d bytes", len(row.Key))
			continue
		}
		peer := contact.ODID(row.Key)
		total += waiting[peer]
		if row.Value.Queued != waiting[peer] {
			d.Add("message.peer", row.Key, "%d messages are counted, %d wait", row.Value.Queued, waiting[peer])
		}
		for last, err := range historyTable.Scan(tx, store.Range{Prefix: row.Key, Reverse: true}) {
			if err != nil {
				return err
			}
			if orderOf(last.Key) > row.Value.Order {
				d.Add("message.peer", row.Key, "the newest message is %d, the history goes to %d", row.Value.Order, orderOf(last.Key))
			}
			break
		}
	}
	self, _, err := selfTable.Get(tx, selfKey)
	if err != nil {
		return err
	}
	if self.Queued != total {
		d.Add("message.self", selfKey, "%d messages are counted, %d wait", self.Queued, total)
	}
	return nil
}
