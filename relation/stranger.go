package relation

import (
	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// answerStranger acknowledges what a stranger says. A new request of it may be kept
// (consider); else nothing is, for a device that is not listed can't make this one
// store anything. It hears the same whether its request waits, is dropped, or it is
// blocked: a challenge while it owes stamps (toll.go), then a receipt. Only if all
// places are taken it is told to come later, and if requests
// are accepted at once it is a contact and hears what contacts hear.
//
// The other exception is proof, signed by this device itself, that it once said
// more than it remembers: then it says now, for good, that the stranger is not
// listed. A stranger that shows an older word is told the last one again: it was
// restored from a copy that does not have it, and would trust for ever.
func (s *Service) answerStranger(st transport.Stream) error {
	r := transport.NewFrameReader(st, maxFrame)
	in, _, err := s.begin(st, r, contact.ServeStranger)
	if err != nil {
		return err
	}
	peer := st.Peer()
	h, err := s.verify(peer, in)
	if err != nil {
		return err
	}
	out := frame{Yours: in.Mine}
	if out.Mine, err = s.remind(peer, h); err != nil {
		return err
	}
	t, err := s.toll(peer, h)
	if err != nil {
		return err
	}
	is, err := s.hearStranger(peer, h, t)
	if err != nil || is == contact.Postpone {
		s.desk.giveBack(t.payment)
	}
	if err != nil {
		return err
	}
	if is == contact.Welcome {
		return s.conclude(st, r, t, is)
	}
	t.tell(&out, is)
	return transport.WriteFrame(st, out, maxFrame)
}

// remind returns what is to be told to a stranger that shows an old statement of
// this device, or one that this device does not remember; nil if there is nothing.
func (s *Service) remind(peer contact.ODID, h heard) (mine *contact.Signed, err error) {
	if h.yours == nil {
		return nil, nil
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		mine = nil
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		if !contact.Outrun(e.row.Mine, e.row.Marks, *h.Yours, *h.yours) {
			if !e.listed() && !same(e.row.Mine, h.Yours) {
				mine = e.row.Mine
			}
			return nil
		}
		e.row.Marks.MineSeq = h.yours.Seq
		now := s.next(&e).Unlist(0)
		if !h.yours.Listed {
			now.Answer, now.CardAnswer = h.yours.Answer, h.yours.CardAnswer // a refusal stays one
		}
		if err := s.issue(&e, now); err != nil {
			return err
		}
		mine = e.row.Mine
		return s.save(tx, &e)
	})
	return mine, err
}

// hearStranger takes the request of a device that is not listed, or that it took
// it back. It says what becomes of a request; Discard also if there is none.
func (s *Service) hearStranger(peer contact.ODID, h heard, t toll) (is contact.Admission, err error) {
	if h.mine == nil {
		return contact.Discard, nil
	}
	idle := false
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		e, fresh, err := s.said(tx, peer, h, t)
		if err != nil {
			return err
		}
		waits, err := s.waits(tx, peer)
		idle = !fresh || !e.asks() && !waits
		return err
	})
	if err != nil || idle {
		return contact.Discard, err
	}
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		is = contact.Discard
		e, fresh, err := s.said(tx, peer, h, t)
		if err != nil || !fresh {
			return err
		}
		before := e.view()
		if len(h.Addresses) > 0 {
			e.row.Addresses = h.Addresses
		}
		if e.asks() {
			if is, err = s.hearAsks(tx, &e, h.Name, t); err != nil || is == contact.Discard || is == contact.Postpone {
				return err
			}
			if is == contact.Welcome {
				return s.settle(tx, &e, before)
			}
		} else if waits, err := s.waits(tx, peer); err != nil || !waits {
			return err
		}
		if err := s.trackReceived(tx, &e); err != nil {
			return err
		}
		if err := s.trackCardReceived(tx, &e); err != nil {
			return err
		}
		return s.save(tx, &e)
	})
	return is, err
}

// said returns the entry of a device with the statement that it says now, which is
// not saved; fresh is false if it is not newer than the one held, nor one whose stamps
// come only now.
func (s *Service) said(tx *store.Tx, peer contact.ODID, h heard, t toll) (e entry, fresh bool, err error) {
	if e, err = load(tx, peer); err != nil || e.blocked() || e.listed() {
		return e, false, err
	}
	switch contact.Judge(e.row.Theirs, e.row.Marks, *h.Mine, *h.mine) {
	case contact.Fresh:
	case contact.Same:
		return e, t.state == tollPaid, nil
	default:
		return e, false, nil
	}
	e.row.Theirs, e.theirs = h.Mine, h.mine
	e.row.Marks.TheirsSeq = h.mine.Seq
	return e, true, nil
}

// asks reports whether e's device asks for anything that was not decided yet.
func (e *entry) asks() bool {
	_, contact := e.asksNow()
	_, card := e.asksCardNow()
	return contact || card
}

// waits reports whether any request of peer waits for the user.
func (s *Service) waits(tx *store.Tx, peer contact.ODID) (bool, error) {
	r, found, err := requests.Get(tx, peer[:])
	if err != nil || found && !r.Withdrawn {
		return found, err
	}
	_, found, err = cardRequests.Get(tx, peer[:])
	return found, err
}
