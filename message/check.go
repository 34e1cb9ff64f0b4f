package message

import (
	"errors"

	"contactsd/contact"
	"contactsd/store"
)

// Check adds to d what the tables of this package say about each other that can't
// be: a message in the outbox that is not in the history, one that never gets a
// number or gets another's, one in the history that is queued for ever, or is
// delivered before others, an id that leads nowhere, a count that is wrong.
func Check(tx *store.Tx, d *store.Damages) error {
	waiting := make(map[contact.ODID]uint64)
	for _, check := range []func() error{
		func() error { return checkOutbox(tx, d, waiting) },
		func() error { return checkHistory(tx, d) },
		func() error { return checkDelivered(tx, d) },
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
		a, err := getAccount(tx, peer)
		if err != nil {
			return err
		}
		if given := row.Value.Seq != 0; given != (orderOf(row.Key) <= a.Assigned) {
			d.Add(table, row.Key, "has a number: %t, and messages up to %d have", given, a.Assigned)
		}
		if row.Value.Seq == 0 {
			continue
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
		_, _, err = row.Value.resolve(tx, place{Contact: peer, Order: orderOf(row.Key)})
		switch {
		case errors.Is(err, errNeither):
			d.Add(table, row.Key, "queued and not in the outbox, nor delivered")
		case err != nil:
			return err
		}
	}
	return nil
}

// checkDelivered looks at the messages that stand for those before them.
func checkDelivered(tx *store.Tx, d *store.Damages) error {
	const table = "message.delivered"
	for row, err := range deliveredTable.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if !placed(table, row.Key, d) {
			continue
		}
		r, found, err := historyTable.Get(tx, row.Key)
		if err != nil {
			return err
		}
		if !found || r.Direction != Out || r.State != Queued {
			d.Add(table, row.Key, "no such message in the history")
		}
		waits := store.Range{Prefix: row.Key[:len(contact.ODID{})], Before: append(row.Key[:len(row.Key):len(row.Key)], 0)}
		for first, err := range outboxTable.Scan(tx, waits) {
			if err != nil {
				return err
			}
			d.Add(table, row.Key, "message %d, which is not newer, waits", orderOf(first.Key))
			break
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
		if err := checkRun(tx, d, peer, row.Value); err != nil {
			return err
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

// checkRun looks at the run that the next number may join.
func checkRun(tx *store.Tx, d *store.Damages, peer contact.ODID, rec peerRecord) error {
	if rec.RunSeq == 0 {
		return nil
	}
	r, _, err := sentTable.Get(tx, sentKey(peer, position{rec.Epoch, rec.RunSeq}))
	if err == nil && r != (run{rec.RunOrder, rec.Last - rec.RunSeq + 1}) {
		d.Add("message.peer", peer[:], "the last run of numbers is another than was sent")
	}
	return err
}
