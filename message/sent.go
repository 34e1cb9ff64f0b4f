package message

import (
	"fmt"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// run is numbers in a row that messages in a row were given: number first+i is
// that of the message at Order+i. Its key has the first number.
type run struct {
	Order uint64 `cbor:"1,keyasint"`
	Count uint64 `cbor:"2,keyasint"`
}

// migrateSent makes a run of each number, as version 1 had them.
func migrateSent(key, value []byte) ([]byte, []byte, error) {
	var order uint64
	if err := codec.Unmarshal(value, &order); err != nil {
		return nil, nil, err
	}
	value, err := codec.Marshal(run{Order: order, Count: 1})
	return key, value, err
}

func sentKey(peer contact.ODID, p position) []byte {
	return store.Key(peer[:], p.epoch[:], store.Uint64(p.seq))
}

// sentPosition is the inverse of sentKey.
func sentPosition(key []byte) (position, error) {
	var p position
	if len(key) != len(contact.ODID{})+len(Epoch{})+8 {
		return p, fmt.Errorf("key of %d bytes in the index of what was sent: %w", len(key), store.ErrCorrupt)
	}
	key = key[len(contact.ODID{}):]
	p.epoch = Epoch(key[:len(Epoch{})])
	p.seq = orderOf(key)
	return p, nil
}

// number gives the message at order the next number.
func (a *account) number(tx *store.Tx, order uint64) (position, error) {
	if a.RunSeq == 0 || order != a.RunOrder+(a.Last+1-a.RunSeq) {
		if err := a.putRun(tx); err != nil {
			return position{}, err
		}
		a.RunSeq, a.RunOrder = a.Last+1, order
	}
	a.runOpen = true
	a.Last++
	a.Assigned = order
	return position{a.Epoch, a.Last}, nil
}

// putRun writes the last run. It must have been written before runs are read.
func (a *account) putRun(tx *store.Tx) error {
	if !a.runOpen {
		return nil
	}
	a.runOpen = false
	return sentTable.Put(tx, sentKey(a.id, position{a.Epoch, a.RunSeq}), run{a.RunOrder, a.Last - a.RunSeq + 1})
}

// sent is a number that was given, and the message it was given to.
type sent struct {
	position
	order uint64
}

// numberedAt returns the message that a number was given to.
func (a *account) numberedAt(tx *store.Tx, p position) (order uint64, found bool, err error) {
	s, found, err := a.runAt(tx, p)
	if err != nil || !found {
		return 0, false, err
	}
	return s.first.order + p.seq - s.first.seq, true, nil
}

// stretch is a run with its place.
type stretch struct {
	first sent
	count uint64
}

// runAt returns the run that has a number.
func (a *account) runAt(tx *store.Tx, p position) (s stretch, found bool, err error) {
	if err := a.putRun(tx); err != nil {
		return s, false, err
	}
	scan := store.Range{
		Prefix:  store.Key(a.id[:], p.epoch[:]),
		Before:  sentKey(a.id, position{p.epoch, p.seq + 1}),
		Reverse: true,
	}
	for row, err := range sentTable.Scan(tx, scan) {
		if err != nil {
			return s, false, err
		}
		if s, err = newStretch(row); err != nil {
			return s, false, err
		}
		return s, p.seq-s.first.seq < s.count, nil
	}
	return s, false, nil
}

func newStretch(row store.Row[run]) (stretch, error) {
	p, err := sentPosition(row.Key)
	return stretch{sent{p, row.Value.Order}, row.Value.Count}, err
}

// after returns the next numbers that were given after p, of this epoch and those
// that follow, at most so many; more says that there are others behind them.
func (a *account) after(tx *store.Tx, p position, limit int) (list []sent, more bool, err error) {
	next := position{p.epoch, p.seq + 1}
	at, found, err := a.runAt(tx, next)
	if err != nil {
		return nil, false, err
	}
	from := next
	if found {
		from = at.first.position
	}
	for row, err := range sentTable.Scan(tx, store.Range{Prefix: a.id[:], From: sentKey(a.id, from)}) {
		if err != nil {
			return nil, false, err
		}
		s, err := newStretch(row)
		if err != nil {
			return nil, false, err
		}
		i := uint64(0)
		if s.first.compare(next) < 0 { // it is the run that has next
			i = next.seq - s.first.seq
		}
		for ; i < s.count; i++ {
			n := sent{position{s.first.epoch, s.first.seq + i}, s.first.order + i}
			if len(list) >= limit {
				return list, true, nil
			}
			list = append(list, n)
		}
	}
	return list, false, nil
}

// takeBack forgets that numbers were given, of the present epoch, from the first
// of them on.
func (a *account) takeBack(tx *store.Tx, first uint64) error {
	if err := a.putRun(tx); err != nil {
		return err
	}
	var over []stretch
	scan := store.Range{Prefix: store.Key(a.id[:], a.Epoch[:]), Reverse: true}
	for row, err := range sentTable.Scan(tx, scan) {
		if err != nil {
			return err
		}
		s, err := newStretch(row)
		if err != nil {
			return err
		}
		if s.first.seq+s.count <= first {
			break
		}
		over = append(over, s)
	}
	for _, s := range over {
		key := sentKey(a.id, s.first.position)
		var err error
		if s.first.seq >= first {
			err = sentTable.Delete(tx, key)
		} else {
			err = sentTable.Put(tx, key, run{s.first.order, first - s.first.seq})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
