package message

import (
	"errors"

	"contactsd/store"
)

// loader fills a cargo.
type loader struct {
	tx   *store.Tx
	peer *account
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
	done, err := l.peer.numbered(l.tx)
	if err != nil || done {
		return err
	}
	return l.assign()
}

func (l *loader) resend() error {
	if l.out.pos == (position{l.peer.Epoch, l.peer.Last}) {
		return nil // nothing was numbered since
	}
	list, more, err := l.peer.after(l.tx, l.out.pos, l.in.frames)
	if err != nil {
		return err
	}
	for _, n := range list {
		if l.full() {
			more = true
			break
		}
		l.skipTo(n.epoch, n.seq-1)
		if err := l.numbered(n.position, n.order); err != nil {
			return err
		}
	}
	if l.out.more = more; !more {
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
	key := placeKey(l.peer.id, order)
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
		if !w.Skipped {
			w.Skipped = true
			if err := outboxTable.Put(l.tx, key, w); err != nil {
				return err
			}
		}
		l.skip(p.epoch, p.seq, p.seq, skipCancelled, []item{{order, r.ID}})
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
	type waiting struct {
		key   []byte
		entry pending
		rec   record
	}
	var list []waiting
	size := l.out.size
	scan := store.Range{Prefix: l.peer.id[:], From: placeKey(l.peer.id, l.peer.Assigned+1)}
	for row, err := range outboxTable.Scan(l.tx, scan) {
		if err != nil {
			return err
		}
		if len(l.out.frames)+len(list) >= l.in.frames || size >= l.in.bytes {
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
		list = append(list, waiting{row.Key, row.Value, r})
	}
	for _, w := range list {
		order := orderOf(w.key)
		p, err := l.peer.number(l.tx, order)
		if err != nil {
			return err
		}
		w.entry.Seq = p.seq
		if err := outboxTable.Put(l.tx, w.key, w.entry); err != nil {
			return err
		}
		l.message(p, order, w.rec)
	}
	if !l.out.more {
		l.peer.tail = tailNumbered
	}
	return nil
}

func (l *loader) message(p position, order uint64, r record) {
	l.out.put(messageFrame(p, r), []item{{order, r.ID}})
}

func messageFrame(p position, r record) frame {
	return frame{Type: frameMessage, Epoch: &p.epoch, Seq: p.seq, ID: &r.ID, At: r.Sent, Kind: r.Kind, Body: r.Body}
}

// skip adds a skip, or lengthens the last one.
func (l *loader) skip(e Epoch, from, to uint64, reason skipReason, messages []item) {
	if n := len(l.out.frames) - 1; n >= 0 {
		f, fl := &l.out.frames[n], &l.out.flights[n]
		if f.Type == frameSkip && f.Skip == reason && *f.Epoch == e && f.To+1 == from {
			f.To, fl.last.seq, l.out.pos.seq = to, to, to
			fl.messages = append(fl.messages, messages...)
			return
		}
	}
	l.out.put(frame{Type: frameSkip, Epoch: &e, Seq: from, To: to, Skip: reason}, messages)
}

func (c *cargo) put(f frame, messages []item) {
	c.frames = append(c.frames, f)
	c.flights = append(c.flights, flight{f.last(), len(f.Body), messages})
	c.size += len(f.Body)
	c.pos = f.last()
}
