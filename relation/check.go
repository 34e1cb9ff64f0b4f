package relation

import (
	"bytes"

	"contactsd/contact"
	"contactsd/store"
)

// Check adds to d what the rows of this package say that can't be: statements
// that are not their author's, or not about whom they are kept, and contacts
// without device. self is the ODID of this device, zero if it is not known.
func Check(tx *store.Tx, self contact.ODID, d *store.Damages) error {
	for row, err := range devices.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		checkDevice(row, self, d)
		if err := checkPaired(tx, row, d); err != nil {
			return err
		}
		if len(row.Value.Contact) == 0 {
			continue
		}
		if _, found, err := contacts.Get(tx, row.Value.Contact); err != nil {
			return err
		} else if !found {
			d.Add("relation/devices", row.Key, "its contact is missing")
		}
	}
	for row, err := range contacts.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		for _, odid := range row.Value.Devices {
			dev, found, err := devices.Get(tx, odid[:])
			if err != nil {
				return err
			}
			if !found || !bytes.Equal(dev.Contact, row.Key) {
				d.Add("relation/contacts", row.Key, "device %s is not its own", odid.Short())
			}
		}
	}
	if err := checkIndex(tx, d); err != nil {
		return err
	}
	if err := checkGroups(tx, d); err != nil {
		return err
	}
	if err := checkRequests(tx, d); err != nil {
		return err
	}
	for row, err := range blocks.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		dev, _, err := devices.Get(tx, row.Key)
		if err != nil {
			return err
		}
		if !dev.Marks.Blocked && !dev.Marks.Reported {
			d.Add("relation/blocked", row.Key, "the device is not blocked")
		}
	}
	return nil
}

func checkDevice(row store.Row[device], self contact.ODID, d *store.Damages) {
	const table = "relation/devices"
	if len(row.Key) != len(contact.ODID{}) {
		d.Add(table, row.Key, "a key of %d bytes", len(row.Key))
		return
	}
	peer := contact.ODID(row.Key)
	if s := row.Value.Theirs; s != nil {
		st, err := s.Open()
		switch {
		case err != nil:
			d.Add(table, row.Key, "their statement: %v", err)
		case st.Author != peer || !self.IsZero() && st.Subject != self:
			d.Add(table, row.Key, "a statement of %s about %s", st.Author.Short(), st.Subject.Short())
		}
	}
	if s := row.Value.Mine; s != nil {
		st, err := s.Open()
		switch {
		case err != nil:
			d.Add(table, row.Key, "own statement: %v", err)
		case st.Subject != peer || !self.IsZero() && st.Author != self:
			d.Add(table, row.Key, "own statement of %s about %s", st.Author.Short(), st.Subject.Short())
		}
	}
}

// checkPaired adds a paired contact that is not counted as one, or another that is.
func checkPaired(tx *store.Tx, row store.Row[device], d *store.Damages) error {
	_, made, err := totals.Get(tx, totalsKey())
	if err != nil || !made || len(row.Key) != len(contact.ODID{}) {
		return err
	}
	_, counted, err := paireds.Get(tx, row.Key)
	if err != nil {
		return err
	}
	e, err := takeApart(contact.ODID(row.Key), row.Value, true)
	if is := err == nil && e.view().Trust >= contact.Paired; is != counted {
		d.Add("relation/paired", row.Key, "paired: %v, and counted as such: %v", is, counted)
	}
	return nil
}

// checkRequests adds what the lists of requests say of asks that are not open, and
// counts that are wrong.
func checkRequests(tx *store.Tx, d *store.Damages) error {
	var want crowd
	for row, err := range requests.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		want.count(row.Value, 1)
		if row.Value.Withdrawn {
			continue
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if asked, open := e.asksNow(); !open || asked != row.Value.Digest {
			d.Add("relation/requests", row.Key, "the device does not ask for that")
		}
	}
	for row, err := range sentAsks.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if e.mine == nil || e.mine.Ask == nil || e.mine.Ask.ID != row.Value.ID {
			d.Add("relation/asks", row.Key, "this device does not ask for that")
		}
	}
	if err := checkCards(tx, &want, d); err != nil {
		return err
	}
	c, _, err := crowds.Get(tx, crowdKey())
	if err != nil {
		return err
	}
	if c.Open != want.Open || c.Strangers != want.Strangers || c.Withdrawn != want.Withdrawn || c.Held != want.Held {
		d.Add("relation/crowd", crowdKey(), "%d requests, %d of strangers, %d taken back and %d in quarantine; there are %d, %d, %d and %d",
			c.Open, c.Strangers, c.Withdrawn, c.Held, want.Open, want.Strangers, want.Withdrawn, want.Held)
	}
	return nil
}

// checkCards is checkRequests for the lists about cards; it adds those that wait to want.
func checkCards(tx *store.Tx, want *crowd, d *store.Damages) error {
	for row, err := range cardRequests.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		want.count(row.Value, 1)
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if asked, open := e.asksCardNow(); !open || asked != row.Value.Digest {
			d.Add("relation/cardrequests", row.Key, "the device does not ask for that")
		}
	}
	for row, err := range sentCardAsks.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if e.mine == nil || e.mine.CardAsk == nil || e.mine.CardAsk.ID != row.Value.ID {
			d.Add("relation/cardasks", row.Key, "this device does not ask for that")
		}
	}
	for row, err := range cardGrants.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if given := row.Value.Revoked == 0; given != e.cards().Given {
			d.Add("relation/cardgrants", row.Key, "given: %v, and the device may have the card: %v", given, e.cards().Given)
		}
	}
	return nil
}
