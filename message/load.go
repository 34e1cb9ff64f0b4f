package message

import (
	"errors"

	"contactsd/contact"
	"contactsd/store"
)

// loader fills a cargo.
type loader struct {
	tx   *store.Tx
	id   contact.ODID
	peer *peerRecord
	in   step
	out  *cargo
}

func (l *loader) full() bool {
	return len(l.out.frames) >= l.in.frames || l.out.size >= l.in.bytes
}

// load takes first what has a number after pos, again or still, then gives
// numbers to what waits.
func (l *loader) load() error {
	if err := l.resend(); err != nil || l.out.more {
		return err
	}
	return l.assign()
}

func (l *loader) resend() error {
	from := l.out.pos
	from.seq++
	scan := store.Range{Prefix: l.id[:], From: sentKey(l.id, from)}
	var rows []store.Row[uint64]
	for row, err := range sentTable.Scan(l.tx, scan) {
		if err != nil {
			return err
		}
		if len(rows) >= l.in.frames {
			l.out.more = true
			break
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		p, err := sentPosition(row.Key)
		if err != nil {
			return err
		}
		if l.full() {
			l.out.more = true
			return nil
		}
		l.skipTo(p.epoch, p.seq-1)
		if err := l.numbered(p, row.Value); err != nil {
			return err
		}
	}
	if !l.out.more {
		l.skipTo(l.peer.Epoch, l.peer.Last)
	}
	return nil
}

// skipTo fills the numbers up to seq whose messages are not in the index.
func (l *loader) skipTo(e Epoch, seq uint64) {
	from := uint64(1)
	if l.out.pos.epoch == e {
		from = l.out.pos.seq + 1
	}
	if seq >= from {
		l.skip(e, from, seq, skipLost, nil)
	}
}

// numbered takes a message that has a number already.
func (l *loader) numbered(p position, order uint64) error {
	key := placeKey(l.id, order)
	r, found, err := historyTable.Get(l.tx, key)
	if err != nil {
		return err
	}
	if !found {
		l.skip(p.epoch, p.seq, p.seq, skipLost, nil)
		return nil
	}
	w, waits, err := outboxTable.Get(l.tx, key)
	if err != nil {
		return err
	}
	switch {
	case waits && w.Cancel:
		w.Skipped = true
		if err := outboxTable.Put(l.tx, key, w); err != nil {
			return err
		}
		l.skip(p.epoch, p.seq, p.seq, skipCancelled, []uint64{order})
	case r.State == Cancelled:
		l.skip(p.epoch, p.seq, p.seq, skipCancelled, nil)
	case r.State == Failed:
		l.skip(p.epoch, p.seq, p.seq, skipExpired, nil)
	default:
		l.message(p, order, r)
	}
	return nil
}

// assign gives numbers to messages that have none.
func (l *loader) assign() error {
	type item struct {
		order uint64
		key   []byte
		entry pending
		rec   record
	}
	var items []item
	size := l.out.size
	scan := store.Range{Prefix: l.id[:], From: placeKey(l.id, l.peer.Assigned+1)}
	for row, err := range outboxTable.Scan(l.tx, scan) {
		if err != nil {
			return err
		}
		if len(l.out.frames)+len(items) >= l.in.frames || size >= l.in.bytes {
			l.out.more = true
			break
		}
		r, found, err := historyTable.Get(l.tx, row.Key)
		if err != nil {
			return err
		}
		if !found {
			return errors.New("a message of the outbox is not in the history")
		}
		size += len(r.Body)
		items = append(items, item{orderOf(row.Key), row.Key, row.Value, r})
	}
	for _, it := range items {
		l.peer.Last++
		l.peer.Assigned = it.order
		p := position{l.peer.Epoch, l.peer.Last}
		it.entry.Seq = p.seq
		if err := outboxTable.Put(l.tx, it.key, it.entry); err != nil {
			return err
		}
		if err := sentTable.Put(l.tx, sentKey(l.id, p), it.order); err != nil {
			return err
		}
		l.message(p, it.order, it.rec)
	}
	return nil
}

func (l *loader) message(p position, order uint64, r record) {
	l.put(frame{Type: frameMessage, Epoch: &p.epoch, Seq: p.seq, ID: &r.ID, At: r.Sent, Kind: r.Kind, Body: r.Body}, []uint64{order})
}

// skip adds a skip, or lengthens the last one.
func (l *loader) skip(e Epoch, from, to uint64, reason skipReason, orders []uint64) {
	if n := len(l.out.frames) - 1; n >= 0 {
		f, fl := &l.out.frames[n], &l.out.flights[n]
		if f.Type == frameSkip && f.Skip == reason && *f.Epoch == e && f.To+1 == from {
			f.To, fl.last.seq, l.out.pos.seq = to, to, to
			fl.orders = append(fl.orders, orders...)
			return
		}
	}
	l.put(frame{Type: frameSkip, Epoch: &e, Seq: from, To: to, Skip: reason}, orders)
}

func (l *loader) put(f frame, orders []uint64) {
	l.out.frames = append(l.out.frames, f)
	l.out.flights = append(l.out.flights, flight{f.last(), len(f.Body), orders})
	l.out.size += len(f.Body)
	l.out.pos = f.last()
}
