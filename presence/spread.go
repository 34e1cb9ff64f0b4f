package presence

import (
	"bytes"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

const (
	// patience is how long news that a peer offered may come from somebody else,
	// and how long an answer may take, before they are asked for.
	patience = 10 * time.Second
	// lookout is how long before its end a state is asked for at others, if no
	// renewal came by then.
	lookout = 90 * time.Second
	// seekers is how many are asked then.
	seekers = 2
)

// direct reports whether o tells its state itself, over a stream that stands.
func (o *origin) direct() bool { return o.in != nil && o.state != Unknown && !o.relayed }

// passable reports whether the newest beacon of o may be passed on at now: not by
// who has lost sight of o itself.
func (o *origin) passable(now time.Time) bool {
	return o.sealed != nil && o.state != Unknown && o.hops < maxHops && now.Before(o.until)
}

// far reports whether news of o come from too far away to be passed on.
func (o *origin) far() bool { return o.sealed != nil && o.hops == maxHops }

// newsAbove is the seq above which a beacon of o is news. If its state is unknown
// the one that was taken last is news again: somebody else has not lost sight of o.
func (o *origin) newsAbove() uint64 {
	if o.state == Unknown && o.seq > 0 {
		return o.seq - 1
	}
	return o.seq
}

// match notes that the peer of l knows the topic of key, which is that of o; mu is
// held. named is how the peer names it, looked up if nil.
func (s *Service) match(l *link, o *origin, key presenceKey, named *mask) {
	if s.links[l.peer] != l || !o.held || o.key != key || l.shared[o] != nil {
		return
	}
	if named == nil {
		for _, m := range l.theirMasks(key) {
			if _, ok := l.known[m]; ok {
				named = &m
				break
			}
		}
	}
	if named == nil {
		return
	}
	sh := &share{mine: l.ownMask(o), theirs: *named}
	l.shared[o], l.byMask[sh.mine] = sh, o
	o.sharers = append(o.sharers, l)
	if o.peer != l.peer && o.passable(time.Now()) {
		l.queue(o, tellHave)
	}
	s.wish(o)
}

// part forgets that the peer of l knows o; mu is held.
func (s *Service) part(l *link, o *origin) {
	sh := l.shared[o]
	if sh == nil {
		return
	}
	delete(l.shared, o)
	delete(l.byMask, sh.mine)
	delete(l.todo, o)
	o.sharers = slices.DeleteFunc(o.sharers, func(x *link) bool { return x == l })
	if o == s.me {
		l.renew = false
	}
	if o.asked == l {
		o.asked = nil
	}
	if o.supplier == l {
		o.supplier = nil
		s.seek(o, l, 1)
	}
	s.wish(o)
}

// clear forgets all that the peer of l knows; mu is held.
func (s *Service) clear(l *link) {
	for o := range l.shared {
		s.part(l, o)
	}
}

// forgetMask forgets a mask that the peer took back; mu is held.
func (s *Service) forgetMask(l *link, m mask) {
	if _, ok := l.known[m]; !ok {
		return
	}
	delete(l.known, m)
	for o, sh := range l.shared {
		if sh.theirs == m {
			s.part(l, o)
			return
		}
	}
}

// wish asks o to renew its state, while it is connected, if somebody beyond this
// device hears of it here, and takes that back else; mu is held.
func (s *Service) wish(o *origin) {
	l := s.links[o.peer]
	if o == s.me || l == nil || l.shared[o] == nil {
		return
	}
	want := len(o.sharers) > 1
	if want == l.wished {
		return
	}
	l.wished = want
	if want {
		l.queue(o, tellPull)
	} else {
		l.queue(o, tellStop)
	}
}

// spread tells the links of o's newest beacon, which came from one of them or,
// with nil, from o itself; mu is held.
func (s *Service) spread(o *origin, from *link) {
	if o.far() {
		for _, l := range o.sharers {
			if sh := l.shared[o]; l.peer != o.peer && sh.mode == pulled {
				sh.mode, sh.waits = announced, true
				l.queue(o, tellNone)
			}
		}
		s.nearer(o)
	}
	if !o.passable(time.Now()) {
		return
	}
	for _, l := range o.sharers {
		if l == from || l.peer == o.peer {
			continue
		}
		switch l.shared[o].mode {
		case pulled:
			l.queue(o, tellNews)
		case announced:
			l.queue(o, tellHave)
		}
	}
}

// seek has others bring news of o, at most n of those that know it, except one; mu
// is held.
func (s *Service) seek(o *origin, except *link, n int) {
	s.seekAt(o, n, func(l *link) bool { return l != except })
}

// seekAt is seek at some of those that know o; mu is held.
func (s *Service) seekAt(o *origin, n int, may func(*link) bool) {
	if !o.held || o.direct() {
		return
	}
	others := make([]*link, 0, len(o.sharers))
	for _, l := range o.sharers {
		if l.peer != o.peer && !l.shared[o].cannot && may(l) {
			others = append(others, l)
		}
	}
	mathrand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, l := range others[:min(n, len(others))] {
		if o.supplier == nil {
			o.supplier = l
		}
		l.queue(o, tellPull)
	}
}

// nearer has another one bring news of o, too, if they come from too far away to be
// passed on and somebody waits for them: of the two, who is nearer stays. Who was
// told that it need not bring them says no more that it has them. mu is held.
func (s *Service) nearer(o *origin) {
	waits := func(l *link) bool { return l.shared[o].waits }
	if o.sought || !slices.ContainsFunc(o.sharers, waits) {
		return
	}
	o.sought = true
	s.seekAt(o, 1, func(l *link) bool { return l != o.supplier && l.shared[o].mode != pulled && !waits(l) })
}

// approach has the peer of l bring news of o from now on, which brought the newest
// over fewer devices than who does; mu is held.
func (s *Service) approach(l *link, o *origin, hops int) {
	if o.supplier != nil {
		o.supplier.queue(o, tellStop)
	}
	o.supplier, o.hops = l, hops
	s.spread(o, l)
}

// offered takes that the peer of l has a beacon of o; mu is held. Who brings news
// stays the one who brings them: another is asked when they don't come. So each
// beacon comes once, and who claims to have news gains nothing by it.
func (s *Service) offered(l *link, o *origin, c claim, now time.Time) {
	if o == s.me || o.peer == l.peer {
		return
	}
	sh := l.shared[o]
	if sh.cannot = c.seq == 0; sh.cannot {
		if o.supplier == l {
			o.supplier = nil
			s.seek(o, l, 1)
		}
		return
	}
	sh.has = max(sh.has, c.seq)
	switch {
	case o.direct():
		l.queue(o, tellStop)
	case c.seq <= o.newsAbove():
		if o.supplier == nil {
			o.supplier = l
			l.queue(o, tellPull)
		} else if o.supplier != l {
			s.compare(l, o, c)
		}
	case o.supplier == nil && o.asked == nil:
		s.ask(o, l, now)
	default:
		if _, ok := s.chased[o]; !ok {
			s.chased[o], o.askedAt = struct{}{}, now
		}
		sh.offered, sh.hops = c.seq, int(c.hops)
	}
}

// compare tells the peer of l, which has what somebody else brought, that it need
// not say so, unless news come from too far away to be passed on and it is nearer
// to o: then of the two the one whose news come first stays. mu is held.
func (s *Service) compare(l *link, o *origin, c claim) {
	if c.seq == o.seq && o.far() && int(c.hops)+1 < o.hops {
		l.queue(o, tellPull)
	} else {
		l.queue(o, tellStop)
	}
}

// ask asks the peer of l for news of o; mu is held.
func (s *Service) ask(o *origin, l *link, now time.Time) {
	o.asked, o.askedAt = l, now
	l.shared[o].offered = 0
	l.queue(o, tellPull)
	s.chased[o] = struct{}{}
}

// chase asks the next who offered news that did not come.
func (s *Service) chase(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.chased {
		if now.Sub(o.askedAt) < patience {
			continue
		}
		o.asked = nil
		next := slices.IndexFunc(o.sharers, func(l *link) bool { return l.shared[o].offered > o.newsAbove() })
		if next < 0 || o.direct() {
			delete(s.chased, o)
			continue
		}
		s.ask(o, o.sharers[next], now)
	}
}

// wanted takes that the peer of l wants news of o above a seq; mu is held.
func (s *Service) wanted(l *link, o *origin, above uint64, now time.Time) {
	switch {
	case o == s.me:
		l.renew = true
		if s.outdated(now) && s.current != nil && !s.current.final {
			s.remint = true
		}
		s.poke()
		return
	case o.peer == l.peer:
		return
	}
	sh := l.shared[o]
	sh.mode, sh.has = pulled, min(sh.has, above)
	if o.passable(now) && o.seq > above {
		l.queue(o, tellNews)
	} else if o.far() {
		sh.mode, sh.waits = announced, true
		l.queue(o, tellNone)
		s.nearer(o)
	}
	if o.supplier == l { // it waits for what this side waits for
		o.supplier = nil
		s.seek(o, l, 1)
	}
}

// unwanted takes that the peer of l has somebody else for o; mu is held.
func (s *Service) unwanted(l *link, o *origin) {
	if o == s.me {
		l.renew = false
		return
	}
	sh := l.shared[o]
	sh.mode, sh.waits = stopped, false
}

// heardOf takes a beacon that the peer of l passes on. An error says that the
// peer breaks the rules: it must have looked at the beacon itself.
func (s *Service) heardOf(l *link, n passed, now time.Time) error {
	s.mu.Lock()
	o := l.byMask[n.Mask]
	switch {
	case o == nil || o == s.me || o.peer == l.peer:
		s.drops.Unasked++
		s.mu.Unlock()
		return nil
	case o.direct():
		l.queue(o, tellStop)
		s.mu.Unlock()
		return nil
	}
	sh := l.shared[o]
	sh.has, sh.cannot = max(sh.has, n.Seq), false
	if n.Seq <= o.newsAbove() {
		switch {
		case o.supplier == l:
		case o.far() && int(n.Hops) < o.hops && bytes.Equal(n.Beacon, o.sealed):
			s.approach(l, o, int(n.Hops))
		default:
			l.queue(o, tellStop)
		}
		s.mu.Unlock()
		s.relays.Known.Add(1)
		return nil
	}
	key, ahead := o.key, o.ahead
	s.mu.Unlock()

	listed := false
	if err := s.cfg.DB.View(func(tx *store.Tx) error {
		v, known, err := s.cfg.Relation(tx, o.peer)
		listed = mayPass(v, known)
		return err
	}); err != nil {
		return err
	}
	if !listed {
		s.count(errNotListed)
		return nil
	}
	b, err := unseal(o.peer, key, n.Beacon)
	if err == nil && b.Seq != n.Seq {
		err = errForged
	}
	if errors.Is(err, errForged) {
		return err
	}
	if err != nil {
		s.count(err) // a newer version may find it in order
		return nil
	}
	if err := b.timely(now, unixMilli(now.Add(-ahead))); err != nil {
		s.count(err) // clocks differ, of honest devices too
		return nil
	}
	if s.takeOver(l, o, key, b, n, now) && len(b.Addresses) > 0 {
		s.cfg.Addresses.Learn(o.peer, b.Addresses)
	}
	s.deliver()
	return nil
}

// takeOver makes b, which the peer of l brought, what is known of o. It returns
// false if it is not any more.
func (s *Service) takeOver(l *link, o *origin, key presenceKey, b beacon, n passed, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.origins[o.peer] != o || !o.held || o.key != key || l.shared[o] == nil || o.direct() || b.Seq <= o.newsAbove() {
		return false
	}
	if !o.limit.AllowN(now, 1) {
		s.drops.TooMany++
		return false
	}
	spoke := fromMilli(b.Sent).Add(o.ahead)
	if spoke.After(now) {
		spoke = now
	}
	s.become(o, b, spoke, o.ahead)
	o.relayed, o.sealed, o.hops, o.sought = true, n.Beacon, int(n.Hops), false
	s.relays.Taken.Add(1)
	if before := o.supplier; before != l {
		o.supplier = l
		if before != nil {
			before.queue(o, tellStop)
		}
	}
	o.asked = nil
	for _, x := range o.sharers {
		if sh := x.shared[o]; x != l && sh.offered > 0 && sh.offered <= b.Seq {
			s.compare(x, o, claim{seq: sh.offered, hops: byte(sh.hops)})
			sh.offered = 0
		}
	}
	s.spread(o, l)
	return true
}

// become makes b what is known of o, which spoke at a time; mu is held.
func (s *Service) become(o *origin, b beacon, spoke time.Time, ahead time.Duration) {
	since := fromMilli(b.Since).Add(ahead)
	if since.After(spoke) {
		since = spoke
	}
	changed := o.state != b.State || o.text != b.Text
	o.state, o.text, o.since, o.seq = b.State, b.Text, since, b.Seq
	o.until = fromMilli(b.Sent).Add(ahead + time.Duration(b.Validity)*time.Second)
	o.holds = o.until
	if spoke.After(o.heard) {
		o.heard = spoke
	}
	o.dirty = true
	if changed {
		s.tellWatchers(o.peer, o.presence())
	}
}

// expire ends what was heard through others and was not renewed, and looks for
// somebody else who knows more when that is about to happen.
func (s *Service) expire(now time.Time) {
	s.mu.Lock()
	for peer, o := range s.origins {
		if o.relayed && o.state != Unknown && o.state != Offline && !now.Before(o.holds) {
			s.unknown(peer, o)
		}
		if o.sealed == nil {
			continue
		}
		if !now.Before(o.until) {
			s.settle(o)
			if o.state == Unknown { // who has news was perhaps told that they need not come
				s.seek(o, nil, seekers)
			}
		} else if o.relayed && !o.sought && o.state != Offline && now.After(o.until.Add(-lookout)) {
			o.sought = true
			s.seek(o, o.supplier, seekers)
		}
	}
	s.mu.Unlock()
	s.deliver()
}

// settle forgets the beacon of o, whose time is over, and who brought it to whom:
// the next one is announced to all. mu is held.
func (s *Service) settle(o *origin) {
	o.sealed, o.supplier = nil, nil
	for _, l := range o.sharers {
		if l.peer != o.peer {
			sh := l.shared[o]
			sh.mode, sh.cannot, sh.waits = announced, false, false
		}
	}
}

// compose returns what the peer of l is to be told now; mu is held.
func (s *Service) compose(l *link, now time.Time) []outFrame {
	var out []outFrame
	add := func(frames ...gossipFrame) {
		for _, f := range frames {
			out = append(out, outFrame{gossipFrame: f})
		}
	}
	add(framesOf(l.diff.forget, func(f *gossipFrame, list masks, _ bool) { f.Forget = list })...)
	if len(l.diff.know) > 0 {
		add(framesOf(decoyed(l.diff.know, 1), func(f *gossipFrame, list masks, more bool) { f.Know, f.More = list, more })...)
	}
	l.diff = diff{}
	var have, pull []claim
	var stop []mask
	for o, t := range l.todo {
		sh := l.shared[o]
		if sh == nil {
			continue
		}
		if t&tellPull != 0 {
			pull = append(pull, claim{mask: sh.theirs, seq: o.newsAbove()})
		}
		if t&tellStop != 0 {
			stop = append(stop, sh.theirs)
		}
		switch news := o.passable(now) && o.seq > sh.has; {
		case news && t&tellNews != 0:
			if sh.sent == o.seq && now.Sub(sh.sentAt) < again {
				continue
			}
			sh.sent, sh.sentAt = o.seq, now
			out = append(out, outFrame{
				gossipFrame: gossipFrame{News: &passed{Mask: sh.theirs, Seq: o.seq, Hops: uint64(o.hops) + 1, Beacon: o.sealed}},
				of:          o.peer,
				key:         o.key,
				unproven:    o.hops == 0 && o != s.me,
			})
			sh.has, sh.waits = o.seq, false
		case t&tellNone != 0:
			have = append(have, claim{mask: sh.theirs})
		case news && t&tellHave != 0:
			have = append(have, claim{sh.theirs, o.seq, byte(o.hops)})
		}
	}
	clear(l.todo)
	for part := range slices.Chunk(have, maxClaims) {
		add(gossipFrame{Have: claimsOf(part)})
	}
	for part := range slices.Chunk(pull, maxClaims) {
		add(gossipFrame{Pull: claimsOf(part)})
	}
	add(framesOf(stop, func(f *gossipFrame, list masks, _ bool) { f.Stop = list })...)
	return out
}

func claimsOf(list []claim) (out claims) {
	for _, c := range list {
		out = out.add(c)
	}
	return out
}

// shun keeps gossip away from a peer that broke its rules, for a time.
func (s *Service) shun(peer contact.ODID, err error) {
	if !lasting(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shuns[peer] = time.Now().Add(shunned)
}

// shunned reports whether gossip with peer is to be kept away at now.
func (s *Service) shunned(peer contact.ODID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.shuns[peer]
	if ok && !now.Before(until) {
		delete(s.shuns, peer)
		return false
	}
	return ok
}
