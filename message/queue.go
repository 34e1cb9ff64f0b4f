package message

import (
	"errors"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The window: what may be under way unacknowledged to one contact. A batch of
// the receiver is no larger.
const (
	windowFrames = 256
	windowBytes  = 1 << 20
)

// flight is a frame that was sent and is not acknowledged.
type flight struct {
	last   position
	size   int
	orders []uint64 // of the messages it settles
}

// cargo is what one step of a delivery found to send.
type cargo struct {
	frames  []frame
	flights []flight
	size    int
	pos     position // after the last frame
	more    bool     // the window ended it, not the queue
	held    bool     // the contact does not take messages
}

// step is one transaction of the sender: it takes the receiver's hello, if one
// came, settles what was acknowledged, and takes what comes next, up to the
// free part of the window. Numbers it gives out are durable when it returns.
type step struct {
	hello  *have
	pos    position // of the last frame that was sent
	acked  []flight
	frames int // free
	bytes  int
}

func (s *Service) step(id contact.ODID, in step) (cargo, error) {
	var c cargo
	err := s.db.Update(func(tx *store.Tx) error {
		peer, err := getPeer(tx, id)
		if err != nil {
			return err
		}
		before := peer
		c = cargo{pos: in.pos}
		if in.hello != nil {
			if err := resume(tx, id, &peer, *in.hello); err != nil {
				return err
			}
			c.pos = position{in.hello.Epoch, in.hello.Seq}
		}
		if err := settle(tx, id, &peer, in.acked); err != nil {
			return err
		}
		v, known, err := s.relation(tx, id)
		if err != nil {
			return err
		}
		if c.held = !known || !open(v); !c.held {
			l := loader{tx: tx, id: id, peer: &peer, in: in, out: &c}
			if err := l.load(); err != nil {
				return err
			}
		}
		if peer == before {
			return nil
		}
		return peerTable.Put(tx, id[:], peer)
	})
	return c, err
}

// resume compares what the receiver holds with what was sent.
//
// If it holds more than this store ever sent, or another message under the same
// number, then this store is an older copy and went on beside what it has
// forgotten: a new epoch begins, and everything unacknowledged is sent in it;
// the receiver knows by id what it has already. Otherwise what it holds is
// acknowledged, and the rest is sent on from there.
func resume(tx *store.Tx, id contact.ODID, peer *peerRecord, h have) error {
	self, _, err := selfTable.Get(tx, selfKey)
	if err != nil {
		return err
	}
	peer.Since, peer.Next, peer.Trouble = 0, 0, ""
	held := position{h.Epoch, h.Seq}
	fresh := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
	if !fresh && h.Epoch == peer.Epoch {
		if fresh, err = diverged(tx, id, h); err != nil {
			return err
		}
	}
	assigned, err := assigned(tx, id)
	if err != nil {
		return err
	}
	if fresh {
		return renumber(tx, id, peer, assigned, self.Epoch, h.Epoch)
	}
	if h.Epoch != peer.Epoch {
		return nil
	}
	var acked flight
	for _, row := range assigned {
		if row.Value.Seq <= h.Seq {
			acked.orders = append(acked.orders, orderOf(row.Key))
		}
	}
	return settle(tx, id, peer, []flight{acked})
}

// diverged reports whether the receiver has another message under a number
// than this device sent.
func diverged(tx *store.Tx, id contact.ODID, h have) (bool, error) {
	if h.ID == (ID{}) {
		return false, nil
	}
	order, found, err := sentTable.Get(tx, sentKey(id, position{h.Epoch, h.Seq}))
	if err != nil || !found {
		return false, err
	}
	r, found, err := historyTable.Get(tx, placeKey(id, order))
	return found && r.ID != h.ID, err
}

// assigned returns the outbox rows that have a number: a window at most.
func assigned(tx *store.Tx, id contact.ODID) ([]store.Row[pending], error) {
	var rows []store.Row[pending]
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return nil, err
		}
		if row.Value.Seq == 0 {
			break
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// renumber begins a new epoch for one peer and takes all numbers back. It is an
// epoch of the device's if that is new, else one for this peer alone, so that a
// peer which claims to hold what was never sent disturbs no other.
func renumber(tx *store.Tx, id contact.ODID, peer *peerRecord, rows []store.Row[pending], own, theirs Epoch) error {
	dropped := 0
	for _, row := range rows {
		if err := sentTable.Delete(tx, sentKey(id, position{peer.Epoch, row.Value.Seq})); err != nil {
			return err
		}
		if row.Value.Cancel {
			if err := finish(tx, place{Contact: id, Order: orderOf(row.Key)}, Cancelled, noteUnsure); err != nil {
				return err
			}
			dropped++
			continue
		}
		row.Value.Seq, row.Value.Skipped = 0, false
		if err := outboxTable.Put(tx, row.Key, row.Value); err != nil {
			return err
		}
	}
	e := own
	if e.compare(peer.Epoch) <= 0 || e.compare(theirs) <= 0 {
		e = epochAfter(peer.Epoch, theirs)
	}
	peer.Base, peer.Epoch, peer.Last, peer.Assigned = own, e, 0, 0
	return countQueued(tx, peer, -dropped)
}

// settle gives what was acknowledged its last state. Frames that were sent
// again from the history have nothing to settle.
func settle(tx *store.Tx, id contact.ODID, peer *peerRecord, acked []flight) error {
	n := 0
	for _, f := range acked {
		for _, order := range f.orders {
			p, found, err := outboxTable.Get(tx, placeKey(id, order))
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			state := Delivered
			if p.Skipped {
				state = Cancelled
			}
			if err := finish(tx, place{Contact: id, Order: order}, state, ""); err != nil {
				return err
			}
			n++
		}
	}
	if n == 0 {
		return nil
	}
	peer.Attempts = 0
	return countQueued(tx, peer, -n)
}

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

// Notes of messages that ended without being delivered.
const (
	noteExpired = "not delivered within 30 days"
	noteUnsure  = "it may have arrived"
)

// head is the state of a queue before an attempt.
type head struct {
	empty   bool
	open    bool      // the contact takes messages
	expires time.Time // of the oldest message
}

// peek expires what is too old and says whether there is something to do.
func (s *Service) peek(id contact.ODID) (head, error) {
	for {
		var h head
		err := s.db.View(func(tx *store.Tx) (err error) {
			h, err = s.head(tx, id)
			return err
		})
		if err != nil || h.empty || h.expires.After(time.Now()) {
			return h, err
		}
		if err := s.db.Update(func(tx *store.Tx) error { return expire(tx, id) }); err != nil {
			return h, err
		}
	}
}

func (s *Service) head(tx *store.Tx, id contact.ODID) (head, error) {
	h := head{empty: true}
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return h, err
		}
		h.empty, h.expires = false, fromMillis(row.Value.Queued).Add(Keep)
		break
	}
	v, known, err := s.relation(tx, id)
	h.open = known && open(v)
	return h, err
}

// expire fails the oldest messages of a queue that are too old, a window at most.
// Their numbers stay behind and are skipped when the next message is sent.
func expire(tx *store.Tx, id contact.ODID) error {
	now := time.Now()
	var rows []store.Row[pending]
	for row, err := range outboxTable.Scan(tx, store.Range{Prefix: id[:]}) {
		if err != nil {
			return err
		}
		if len(rows) == windowFrames || fromMillis(row.Value.Queued).Add(Keep).After(now) {
			break
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		state, note := Failed, noteExpired
		switch {
		case row.Value.Cancel:
			state, note = Cancelled, noteUnsure
		case row.Value.Seq != 0:
			note += "; " + noteUnsure
		}
		if err := finish(tx, place{Contact: id, Order: orderOf(row.Key)}, state, note); err != nil {
			return err
		}
	}
	peer, err := getPeer(tx, id)
	if err != nil {
		return err
	}
	if err := countQueued(tx, &peer, -len(rows)); err != nil {
		return err
	}
	return peerTable.Put(tx, id[:], peer)
}
