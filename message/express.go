package message

import "contactsd/contact"

// express is what is queued while a stream to its contact waits for it. It gets its
// number in the transaction that queues it, and is sent without being read again:
// one commit at the sender instead of two. It is a short cut and no more: whatever
// is missing from it is read from the disk. Service.mu guards it.
type express struct {
	frames  int // that may still be taken
	bytes   int
	list    []parcel // numbers in a row, perhaps not committed yet
	durable position // the newest number that is known to be committed
	behind  bool     // there is more on the disk
}

// parcel is a message that was just queued.
type parcel struct {
	frame frame
	order uint64
}

// admit reports whether a message that is being queued may be numbered. It may be
// asked for one that is not committed after all.
func (s *Service) admit(peer contact.ODID, size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.activeLane(peer)
	if l == nil || l.express.frames == 0 || l.express.bytes < size {
		return false
	}
	l.express.frames--
	l.express.bytes -= size
	return true
}

// post takes a message that was admitted and got a number. A transaction that
// runs anew gives a number again: then the last message to get it counts.
func (s *Service) post(peer contact.ODID, f parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sched.activeLane(peer)
	if l == nil {
		return
	}
	x, p := &l.express, f.frame.position()
	for n := len(x.list); n > 0 && x.list[n-1].frame.position().compare(p) >= 0; n-- {
		x.list = x.list[:n-1]
	}
	if n := len(x.list); n > 0 && !x.list[n-1].frame.position().precedes(p) {
		x.list = nil
	}
	x.list = append(x.list, f)
}

// precedes reports whether q is the number after p.
func (p position) precedes(q position) bool { return p.epoch == q.epoch && p.seq+1 == q.seq }

// committed says that messages up to p are on the disk, and whether there are
// others, without a number. The caller holds mu.
func (x *express) committed(p position, behind bool) {
	if p.compare(x.durable) > 0 {
		x.durable = p
	}
	x.behind = x.behind || behind
}

// take returns the messages that follow pos and are committed. It is whole if
// there is nothing else to be sent, else the disk has to be read. The caller
// holds mu.
func (x *express) take(pos position) (list []parcel, whole bool) {
	n := 0
	for n < len(x.list) {
		p := x.list[n].frame.position()
		if !pos.precedes(p) || p.compare(x.durable) > 0 {
			break
		}
		pos = p
		n++
	}
	return x.list[:n:n], !x.behind && x.durable.compare(pos) <= 0
}

// grant lets messages after pos be numbered as they are queued, as many as the
// window has room for. The caller holds mu.
func (x *express) grant(pos position, frames, bytes int) {
	for len(x.list) > 0 && x.list[0].frame.position().compare(pos) <= 0 {
		x.list[0] = parcel{} // let go of its body
		x.list = x.list[1:]
	}
	if len(x.list) > 0 && !pos.precedes(x.list[0].frame.position()) {
		x.list = nil
	}
	for _, f := range x.list {
		bytes -= len(f.frame.Body)
	}
	x.frames, x.bytes = max(frames-len(x.list), 0), max(bytes, 0)
}

// express says that an active lane is about to look for what is new, and returns it
// if it need not be read from the disk.
func (s *Service) express(l *lane, pos position, frames, bytes int) (c cargo, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	renewed := l.renewed
	l.again, l.renewed = false, false
	list, whole := l.express.take(pos)
	l.express.behind = false
	// What the contact takes may have changed, or it is not compared yet what it
	// holds: this store may be a copy that has forgotten numbers.
	if renewed || !whole || pos == (position{}) {
		return cargo{}, false
	}
	bytes = s.sched.share(bytes)
	c.pos = pos
	for _, f := range list {
		c.put(f.frame, []item{{f.order, *f.frame.ID}})
	}
	l.express.grant(c.pos, frames-len(c.frames), bytes-c.size)
	return c, true
}

// grant lets messages be numbered as they are queued, if all before were sent.
func (s *Service) grant(l *lane, c cargo, frames, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.more {
		l.express.behind, frames = true, 0
	}
	l.express.grant(c.pos, frames, s.sched.share(bytes))
}

// forget has what is queued for a contact be read from the disk: something was
// changed there.
func (s *Service) forget(peer contact.ODID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.sched.activeLane(peer); l != nil {
		l.express.list = nil
	}
}
