package relation

import (
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// A request that is suspect goes to quarantine: it stands in "relation/requests" as
// others do, with the reason, but takes no place, is in no list of what waits, and
// notifies nobody. The asker hears what it would hear if it waited. There are as many
// in quarantine as strangers may wait; a further one puts out the oldest.

// wordings has a row for what was written in strangers' asks, by contact.WordingKey.
var wordings = store.NewTable[contact.Writings]("relation/wordings", 1)

// sweepEvery is how often quarantine is looked through for what is over.
const sweepEvery = time.Hour

func (r *request) hold(why contact.Suspicion, now time.Time) {
	r.Held, r.Until = why, now.Add(contact.QuarantineTime).UnixMilli()
}

func (r *request) release() { r.Held, r.Until = contact.Unsuspected, 0 }

// suspicion returns why the ask of e's device is suspect. Nothing makes a paired
// contact so, and a contact only what others report.
func (s *Service) suspicion(tx *store.Tx, e *entry, known asks) (contact.Suspicion, error) {
	if e.blocked() {
		return contact.Unsuspected, nil
	}
	released := time.UnixMilli(known.Released)
	accused, err := s.accused(tx, e)
	switch {
	case err != nil:
		return contact.Unsuspected, err
	case accused:
		return contact.SuspectedReports, nil
	case e.listed(), tx.Now().Sub(released) < contact.QuarantineTime:
		return contact.Unsuspected, nil
	case contact.RepeatsAfter(known.rejections(tx.Now())):
		return contact.SuspectedRepeater, nil
	}
	written, _, counts, err := writingsOf(tx, e)
	if err == nil && counts && written.Add(e.peer, tx.Now()).Copied() {
		return contact.SuspectedCopy, nil
	}
	return contact.Unsuspected, err
}

// accused reports whether the device is one that paired contacts reported.
func (s *Service) accused(tx *store.Tx, e *entry) (bool, error) {
	if e.view().Trust >= contact.Paired {
		return false, nil
	}
	var released time.Time
	if e.row.Asks != nil && e.row.Asks.Released != 0 {
		released = time.UnixMilli(e.row.Asks.Released)
	}
	return s.cfg.Spam.Accused(tx, e.peer, released)
}

// rejections returns how many of the device's asks were rejected that still count.
func (a asks) rejections(now time.Time) int {
	if now.Sub(time.UnixMilli(a.RejectedSince)).Abs() >= contact.SuspicionWindow {
		return 0
	}
	return a.Rejected
}

// rejectedNow counts a rejection, unless the device is a contact.
func (e *entry) rejectedNow(now time.Time) {
	if e.listed() || e.row.Asks == nil {
		return
	}
	if n := e.row.Asks.rejections(now); n > 0 {
		e.row.Asks.Rejected = n + 1
		return
	}
	e.row.Asks.Rejected, e.row.Asks.RejectedSince = 1, now.UnixMilli()
}

// writingsOf returns who wrote what e's device writes; counts is false if it is too
// short to count, or the device is a contact.
func writingsOf(tx *store.Tx, e *entry) (w contact.Writings, key [16]byte, counts bool, err error) {
	if key, counts = contact.WordingKey(e.theirs.Ask.Wording); !counts || e.listed() {
		return nil, key, false, nil
	}
	w, _, err = wordings.Get(tx, key[:])
	return w, key, true, err
}

// noteWording notes what e's device writes.
func (s *Service) noteWording(tx *store.Tx, e *entry) error {
	w, key, counts, err := writingsOf(tx, e)
	if err != nil || !counts {
		return err
	}
	return wordings.Put(tx, key[:], w.Add(e.peer, tx.Now()))
}

// quarantine puts r in quarantine, in the place of was if that was found; with the
// third of the same wording the others go there too.
func (s *Service) quarantine(tx *store.Tx, e *entry, was request, found bool, r request, policy contact.Policy) error {
	if !found || was.Held == contact.Unsuspected {
		if err := s.makeRoom(tx, policy.MaxWaiting); err != nil {
			return err
		}
	}
	before := &was
	if !found {
		before = nil
	}
	if err := s.setHeld(tx, e.peer, before, r); err != nil || r.Held != contact.SuspectedCopy {
		return err
	}
	return s.holdCopies(tx, e, policy)
}

// setHeld puts r, which is in quarantine, in the place of was and journals it.
func (s *Service) setHeld(tx *store.Tx, peer contact.ODID, was *request, r request) error {
	if err := setRequest(tx, peer, was, &r); err != nil {
		return err
	}
	if err := dropCardRequest(tx, peer); err != nil { // it waits beside one that waits
		return err
	}
	return tellRequest(tx, contact.RequestQuarantined, peer, r.id(), incoming, r.Held.String())
}

// holdCopies puts those strangers in quarantine whose requests have the wording of e's.
func (s *Service) holdCopies(tx *store.Tx, e *entry, policy contact.Policy) error {
	key, _ := contact.WordingKey(e.theirs.Ask.Wording)
	rows, err := requestRows(tx, func(r request) bool { return waitsHere(r) && r.Stranger })
	if err != nil {
		return err
	}
	for _, row := range rows {
		o, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return err
		}
		if o.peer == e.peer || o.theirs == nil || o.theirs.Ask == nil {
			continue
		}
		if other, _ := contact.WordingKey(o.theirs.Ask.Wording); other != key {
			continue
		}
		if err := s.makeRoom(tx, policy.MaxWaiting); err != nil {
			return err
		}
		held := row.Value
		held.hold(contact.SuspectedCopy, tx.Now())
		if err := s.setHeld(tx, o.peer, &row.Value, held); err != nil {
			return err
		}
	}
	return nil
}

func requestRows(tx *store.Tx, fits func(request) bool) (rows []store.Row[request], err error) {
	for row, err := range requests.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		if fits(row.Value) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// makeRoom forgets the oldest requests in quarantine until there is room for one.
func (s *Service) makeRoom(tx *store.Tx, places int) error {
	c, _, err := crowds.Get(tx, crowdKey())
	if err != nil || c.Held < uint64(places) {
		return err
	}
	rows, err := requestRows(tx, isHeld)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b store.Row[request]) int { return int(a.Value.At - b.Value.At) })
	for _, row := range rows[:min(len(rows), len(rows)-places+1)] {
		if err := s.forgetHeld(tx, row); err != nil {
			return err
		}
	}
	return nil
}

// forgetHeld drops a request that is in quarantine, and all that is kept of a device
// that nothing else is known of.
func (s *Service) forgetHeld(tx *store.Tx, row store.Row[request]) error {
	e, err := load(tx, contact.ODID(row.Key))
	if err != nil {
		return err
	}
	if err := setRequest(tx, e.peer, &row.Value, nil); err != nil {
		return err
	}
	if err := tellRequest(tx, contact.RequestCancelled, e.peer, row.Value.id(), incoming, "expired"); err != nil {
		return err
	}
	if e.disposable() {
		delete(viewsOf(tx), e.peer)
		return devices.Delete(tx, e.peer[:])
	}
	e.decided(row.Value.Digest)
	return s.save(tx, &e)
}

// Reconsider looks again at the request of peer, since other reports count now than
// before: it goes to quarantine, or comes back from there if it was reported.
func (s *Service) Reconsider(tx *store.Tx, peer contact.ODID) error {
	r, found, err := requests.Get(tx, peer[:])
	if err != nil || !found || r.Withdrawn {
		return err
	}
	e, err := load(tx, peer)
	if err != nil {
		return err
	}
	accused, err := s.accused(tx, &e)
	if err != nil {
		return err
	}
	policy, now := s.cfg.Policy(), r
	switch {
	case accused && waitsHere(r):
		if err := s.makeRoom(tx, policy.MaxWaiting); err != nil {
			return err
		}
		now.hold(contact.SuspectedReports, tx.Now())
		return s.setHeld(tx, peer, &r, now)
	case !accused && r.Held == contact.SuspectedReports:
		c, _, err := crowds.Get(tx, crowdKey())
		if err != nil || now.Stranger && c.Strangers >= uint64(policy.MaxWaiting) {
			return err
		}
		now.release()
		if err := setRequest(tx, peer, &r, &now); err != nil {
			return err
		}
		return tellReceived(tx, peer, now, policy)
	}
	return nil
}

// Quarantine returns the requests in quarantine, the newest first.
func (s *Service) Quarantine() (list []Request, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) (err error) {
		list, err = received(tx, isHeld)
		return err
	})
	slices.SortFunc(list, func(a, b Request) int { return b.At.Compare(a.At) })
	return list, err
}

// Release puts requests in quarantine, named as in Answer, among those that wait. What
// made them suspect counts no more; reports that come later do.
func (s *Service) Release(items []string) (failed []error, err error) {
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		failed = nil
		list, err := received(tx, isHeld)
		if err != nil {
			return err
		}
		named := nameRequests(list)
		for _, item := range items {
			all, err := named.find(item)
			if err == nil {
				err = s.letOut(tx, all[0].ODID)
			}
			if err != nil && !refusedItem(err) {
				return err
			}
			failed = append(failed, err)
		}
		return nil
	})
	return failed, err
}

func (s *Service) letOut(tx *store.Tx, peer contact.ODID) error {
	r, found, err := requests.Get(tx, peer[:])
	if err != nil || !found || !isHeld(r) {
		return err // named twice
	}
	e, err := load(tx, peer)
	if err != nil {
		return err
	}
	known := asksOf(&e, tx.Now())
	known.Released, known.Rejected = tx.Now().UnixMilli(), 0
	e.row.Asks = &known
	if err := s.save(tx, &e); err != nil {
		return err
	}
	now := r
	now.release()
	if err := setRequest(tx, peer, &r, &now); err != nil {
		return err
	}
	return tellReceived(tx, peer, now, s.cfg.Policy())
}

// Held returns how many requests are in quarantine.
func (s *Service) Held() (n int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		c, _, err := crowds.Get(tx, crowdKey())
		n = int(c.Held)
		return err
	})
	return n, err
}

// sweep drops what was in quarantine for its time, lets out who is accused no more,
// and forgets wordings that count no more.
func (s *Service) sweep() error {
	var old [][]byte
	var over, held []store.Row[request]
	look := func(tx *store.Tx) (err error) {
		now := tx.Now()
		if over, err = requestRows(tx, func(r request) bool { return isHeld(r) && now.UnixMilli() >= r.Until }); err != nil {
			return err
		}
		if held, err = requestRows(tx, func(r request) bool { return r.Held == contact.SuspectedReports && now.UnixMilli() < r.Until }); err != nil {
			return err
		}
		old = nil
		for row, err := range wordings.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if w := row.Value; len(w) == 0 || now.Sub(time.UnixMilli(w[len(w)-1].At)).Abs() >= contact.SuspicionWindow {
				old = append(old, row.Key)
			}
		}
		return nil
	}
	if err := s.cfg.DB.View(look); err != nil || len(over)+len(held)+len(old) == 0 {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		for _, row := range over {
			if err := s.forgetHeld(tx, row); err != nil {
				return err
			}
		}
		for _, row := range held {
			if err := s.Reconsider(tx, contact.ODID(row.Key)); err != nil {
				return err
			}
		}
		for _, key := range old {
			if err := wordings.Delete(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}
