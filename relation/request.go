package relation

import (
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// Requests are asks that are open. What is asked stands in the statements; the
// tables here say of whom, so that they are listed without reading all devices. The
// statement of a stranger is kept in its device's row, as anybody's, for as long as
// its request has a place.

// request is the row of a device whose ask waits for the user.
type request struct {
	ID        requestID      `cbor:"1,keyasint"`
	At        int64          `cbor:"2,keyasint"` // Unix milliseconds of when it was heard
	Digest    contact.Digest `cbor:"3,keyasint"` // of the ask
	Name      string         `cbor:"4,keyasint,omitempty"`
	Stranger  bool           `cbor:"5,keyasint,omitempty"` // it takes one of the places
	Bits      int            `cbor:"7,keyasint,omitempty"` // of work in each of its stamps
	Withdrawn bool           `cbor:"6,keyasint,omitempty"` // taken back: the row counts what it asked today, until somebody needs the place

	Held  contact.Suspicion `cbor:"8,keyasint,omitempty"` // why it is in quarantine, and takes no place
	Until int64             `cbor:"9,keyasint,omitempty"` // Unix milliseconds of when it is dropped there
}

func (r request) id() string { return uuid.UUID(r.ID).String() }

// requestID is a UUIDv7 of this device's making: an asker's own could be another's.
type requestID [16]byte

// UnmarshalCBOR accepts a byte string of exactly the right length.
func (id *requestID) UnmarshalCBOR(data []byte) error { return codec.Fixed(id[:], data) }

// sentAsk is the row of a device that was asked and has not answered.
type sentAsk struct {
	ID   contact.AskID       `cbor:"1,keyasint"`
	At   int64               `cbor:"2,keyasint"` // Unix milliseconds
	Gave contact.Permissions `cbor:"3,keyasint"` // granted with the ask alone

	Ordered int              `cbor:"4,keyasint,omitempty"` // times that stamps were made for it
	Owes    bool             `cbor:"5,keyasint,omitempty"` // the device wants stamps, and has not taken any
	Receipt *contact.Receipt `cbor:"6,keyasint,omitempty"` // of those that it took
}

func (a sentAsk) id() string { return uuid.UUID(a.ID).String() }

// asks is what a device keeps of the asks of another one.
type asks struct {
	Since    int64           `cbor:"1,keyasint,omitempty"` // Unix milliseconds of the first that counts
	Taken    int             `cbor:"2,keyasint,omitempty"` // new ones, within a day from then
	Answered *contact.Digest `cbor:"3,keyasint,omitempty"` // the last one decided: it is no new one when the answer went with a removal
	Card     *contact.Digest `cbor:"4,keyasint,omitempty"` // the same of those for this device's card

	RejectedSince int64 `cbor:"5,keyasint,omitempty"` // Unix milliseconds of the first rejection that counts
	Rejected      int   `cbor:"6,keyasint,omitempty"` // rejections within contact.SuspicionWindow from then
	Released      int64 `cbor:"7,keyasint,omitempty"` // Unix milliseconds of when the user let one out of quarantine
}

// crowd is the one row that counts requests.
type crowd struct {
	Open      uint64 `cbor:"1,keyasint"` // requests that wait
	Strangers uint64 `cbor:"2,keyasint"` // of them, those that take a place
	Withdrawn uint64 `cbor:"3,keyasint"` // rows of strangers that took theirs back
	Since     int64  `cbor:"4,keyasint,omitempty"`
	Taken     uint64 `cbor:"5,keyasint,omitempty"` // strangers' asks, within a day from Since
	Welcomed  uint64 `cbor:"6,keyasint,omitempty"` // of them, accepted at once
	Held      uint64 `cbor:"7,keyasint,omitempty"` // requests in quarantine
	HeldToday uint64 `cbor:"8,keyasint,omitempty"` // strangers' asks that went there, within a day from Since
}

var (
	requests = store.NewTable[request]("relation/requests", 1)
	sentAsks = store.NewTable[sentAsk]("relation/asks", 1)
	crowds   = store.NewTable[crowd]("relation/crowd", 1)
)

func crowdKey() []byte { return []byte("all") }

const askDay = 24 * time.Hour

// today forgets what was counted more than a day ago.
func (a *asks) today(now time.Time) {
	if now.Sub(time.UnixMilli(a.Since)).Abs() >= askDay {
		a.Since, a.Taken = now.UnixMilli(), 0
	}
}

func (c *crowd) today(now time.Time) {
	if now.Sub(time.UnixMilli(c.Since)).Abs() >= askDay {
		c.Since, c.Taken, c.Welcomed, c.HeldToday = now.UnixMilli(), 0, 0, 0
	}
}

// count adds a row to the counts, or with by = -1 takes one off.
func (c *crowd) count(r request, by uint64) {
	switch {
	case r.Withdrawn:
		c.Withdrawn += by
		return
	case r.Held != contact.Unsuspected:
		c.Held += by
		return
	case r.Stranger:
		c.Strangers += by
	}
	c.Open += by
}

// setRequest puts now in the place of was, nil for no row, and counts.
func setRequest(tx *store.Tx, peer contact.ODID, was, now *request) error {
	return putRequest(tx, requests, peer, was, now)
}

// putRequest is setRequest in one of the tables of requests.
func putRequest(tx *store.Tx, table store.Table[request], peer contact.ODID, was, now *request) error {
	c, _, err := crowds.Get(tx, crowdKey())
	if err != nil {
		return err
	}
	if was != nil {
		c.count(*was, ^uint64(0))
	}
	if now == nil {
		err = table.Delete(tx, peer[:])
	} else {
		c.count(*now, 1)
		err = table.Put(tx, peer[:], *now)
	}
	if err != nil {
		return err
	}
	return crowds.Put(tx, crowdKey(), c)
}

// asksNow returns the digest of the open ask of e's device that was not decided
// yet; ok is false if there is none.
func (e *entry) asksNow() (d contact.Digest, ok bool) {
	if e.blocked() || contact.AskStateOf(e.theirs, e.mine) != contact.AskOpen {
		return d, false
	}
	d, err := e.theirs.Ask.Digest()
	return d, err == nil && (e.row.Asks == nil || e.row.Asks.Answered == nil || *e.row.Asks.Answered != d)
}

// decided notes that nothing is asked any more by the ask with this digest.
func (e *entry) decided(d contact.Digest) {
	if e.row.Asks == nil {
		e.row.Asks = &asks{}
	}
	e.row.Asks.Answered = &d
}

// meet is what st, which lists e's device, says to an ask that stood before. One that
// ended without an answer while the device was removed or blocked is rejected now: it
// is on no list, and without an answer would stay open for who asked.
func (e *entry) meet(st contact.Statement) contact.Statement {
	st = e.meetCard(st.Meet(e.theirs))
	if contact.AskStateOf(e.theirs, &st) != contact.AskOpen {
		return st
	}
	d, err := e.theirs.Ask.Digest()
	if err != nil || e.row.Asks == nil || e.row.Asks.Answered == nil || *e.row.Asks.Answered != d {
		return st
	}
	return st.Respond(d, contact.Rejected, contact.NoPermissions)
}

// refuse notes that the asks of e's device are decided without an answer: the device
// was removed or blocked.
func (e *entry) refuse() {
	if d, ok := e.asksNow(); ok {
		e.decided(d)
	}
	if d, ok := e.asksCardNow(); ok {
		e.decidedCard(d)
	}
}

// The direction of a request, as events tell it.
const (
	incoming = "in"
	outgoing = "out"
)

func tellRequest(tx *store.Tx, t contact.EventType, peer contact.ODID, id, direction, detail string) error {
	return tx.Emit(contact.Event{Type: t, At: tx.Now().UnixMilli(), Contact: peer, ID: id, State: direction, Detail: detail})
}

// track has the lists of requests follow the statements of e, which may have
// changed, and journals what became of those that are open no more.
func (s *Service) track(tx *store.Tx, e *entry) error {
	if _, err := s.trackSent(tx, e); err != nil {
		return err
	}
	if err := s.trackReceived(tx, e); err != nil {
		return err
	}
	return s.trackCards(tx, e)
}

// trackSent follows the ask of this device, and returns what was granted with it.
func (s *Service) trackSent(tx *store.Tx, e *entry) (gave contact.Permissions, err error) {
	a, found, err := sentAsks.Get(tx, e.peer[:])
	if err != nil || !found {
		return 0, err
	}
	became := contact.RequestCancelled
	if e.mine != nil && e.mine.Ask != nil && e.mine.Ask.ID == a.ID {
		switch contact.AskStateOf(e.mine, e.theirs) {
		case contact.AskOpen:
			return a.Gave, nil
		case contact.AskAccepted:
			became = contact.RequestAccepted
		case contact.AskReported:
			became = contact.RequestReported
			if err := s.cfg.Spam.Rebuked(tx, e.peer); err != nil {
				return 0, err
			}
		default:
			became = contact.RequestRejected
		}
	}
	if err := sentAsks.Delete(tx, e.peer[:]); err != nil {
		return 0, err
	}
	tx.OnCommit(func() { s.minter.drop(e.peer) })
	return a.Gave, tellRequest(tx, became, e.peer, a.id(), outgoing, "")
}

// askedBefore notes the ask of a statement that was taken over from a life that is
// lost: it may still be answered. What was granted with it alone is not known.
func (s *Service) askedBefore(tx *store.Tx, peer contact.ODID, st contact.Statement) error {
	if st.Ask == nil {
		return nil
	}
	a, found, err := sentAsks.Get(tx, peer[:])
	if err != nil || found && a.ID == st.Ask.ID {
		return err
	}
	return sentAsks.Put(tx, peer[:], sentAsk{ID: st.Ask.ID, At: tx.Now().UnixMilli()})
}

// trackReceived follows the ask of the other device.
func (s *Service) trackReceived(tx *store.Tx, e *entry) error {
	r, found, err := requests.Get(tx, e.peer[:])
	if err != nil || !found {
		return err
	}
	now := r
	now.Stranger = r.Stranger && !e.listed() // a contact needs no place
	if d, open := e.asksNow(); open && d == r.Digest && !r.Withdrawn {
		if now == r {
			return nil
		}
		return setRequest(tx, e.peer, &r, &now)
	}
	if r.Withdrawn && now.Stranger && e.disposable() {
		return nil
	}
	if !r.Withdrawn {
		became := e.became(r.Digest)
		if err := tellRequest(tx, became, e.peer, r.id(), incoming, ""); err != nil {
			return err
		}
		if became == contact.RequestCancelled && now.Stranger && e.disposable() {
			now.Withdrawn, now.Held, now.Until = true, contact.Unsuspected, 0
			return setRequest(tx, e.peer, &r, &now)
		}
	}
	return setRequest(tx, e.peer, &r, nil)
}

// became tells what became of an ask that is open no more.
func (e *entry) became(d contact.Digest) contact.EventType {
	if e.row.Marks.Reported {
		return contact.RequestReported
	}
	if a := e.mine; a != nil && a.Answer != nil && a.Answer.Digest == d {
		switch a.Answer.Verdict {
		case contact.Accepted, contact.Crossed:
			return contact.RequestAccepted
		}
		return contact.RequestRejected
	}
	if e.theirs != nil && e.theirs.Ask != nil {
		if still, err := e.theirs.Ask.Digest(); err == nil && still == d {
			return contact.RequestRejected // by a removal or a block
		}
	}
	return contact.RequestCancelled
}

// disposable reports whether nothing is kept of e's device but what it said itself:
// the user had no part in it.
func (e *entry) disposable() bool {
	return (e.row.Asks == nil || e.row.Asks.Released == 0) && e.row.Mine == nil && len(e.row.Contact) == 0 && e.row.Marks == contact.Marks{TheirsSeq: e.row.Marks.TheirsSeq}
}

// makePlace deletes what is kept of the stranger that took its request back first,
// if all places are taken by such and by those that wait.
func makePlace(tx *store.Tx, places int) error {
	c, _, err := crowds.Get(tx, crowdKey())
	if err != nil || c.Withdrawn == 0 || c.Strangers+c.Withdrawn < uint64(places) {
		return err
	}
	var first store.Row[request]
	for row, err := range requests.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if row.Value.Withdrawn && (first.Key == nil || row.Value.At < first.Value.At) {
			first = row
		}
	}
	if first.Key == nil {
		return nil
	}
	e, err := load(tx, contact.ODID(first.Key))
	if err != nil {
		return err
	}
	if e.disposable() {
		delete(viewsOf(tx), e.peer)
		if err := devices.Delete(tx, e.peer[:]); err != nil {
			return err
		}
	}
	return setRequest(tx, e.peer, &first.Value, nil)
}

// consider decides about the ask in the statement of e's device, which is new in e
// and not saved. It changes nothing if the ask is discarded or postponed, or there is
// none that is new; an ask that is kept or welcomed is on its list, or accepted.
func (s *Service) consider(tx *store.Tx, e *entry, name string, t toll) (contact.Admission, error) {
	d, asks := e.asksNow()
	if !asks {
		return contact.Discard, nil
	}
	was, waits, err := requests.Get(tx, e.peer[:])
	if err != nil {
		return contact.Discard, err
	}
	waits = waits && !was.Withdrawn
	if waits && was.Digest == d {
		return contact.Keep, nil
	}
	c, _, err := crowds.Get(tx, crowdKey())
	if err != nil {
		return contact.Discard, err
	}
	c.today(tx.Now())
	untrusted, limit, err := s.untrusted(tx)
	if err != nil {
		return contact.Discard, err
	}
	known := asksOf(e, tx.Now())
	suspicion, err := s.suspicion(tx, e, known)
	if err != nil {
		return contact.Discard, err
	}
	today := &c.Taken
	if suspicion != contact.Unsuspected {
		today = &c.HeldToday // those who are suspect take nothing from the others
	}
	policy := s.cfg.Policy()
	var weakest store.Row[request]
	if t.bits > 0 && c.Strangers >= uint64(policy.MaxWaiting) {
		if weakest, err = weakestRequest(tx); err != nil {
			return contact.Discard, err
		}
	}
	is := contact.Admit(policy,
		contact.Asker{
			Listed: e.listed(), Blocked: e.blocked(), Removed: e.row.Marks.Removed, Waits: waits && was.Stranger && was.Held == contact.Unsuspected,
			Today: known.Taken, Owes: t.owes(), Bits: t.bits,
			Proven: len(e.theirs.Ask.Proof) > 0, Suspicion: suspicion,
		},
		contact.Crowd{Waiting: int(c.Strangers), Today: int(*today), Welcomed: int(c.Welcomed), Full: untrusted >= limit, Weakest: weakest.Value.Bits})
	if is == contact.Discard || is == contact.Postpone {
		return is, nil
	}
	if is == contact.Displace {
		if err := s.displace(tx, weakest); err != nil {
			return is, err
		}
		if c, _, err = crowds.Get(tx, crowdKey()); err != nil {
			return is, err
		}
		c.today(tx.Now())
		is = contact.Keep
	}
	stranger := !e.listed() && !e.row.Marks.Removed
	if !e.listed() {
		known.Taken++
		e.row.Asks = &known
	}
	if stranger {
		*today++
		if is == contact.Welcome {
			c.Welcomed++
		}
		if err := crowds.Put(tx, crowdKey(), c); err != nil {
			return is, err
		}
	}
	if err := s.noteWording(tx, e); err != nil {
		return is, err
	}
	r := request{At: tx.Now().UnixMilli(), Digest: d, Name: name, Stranger: stranger, Bits: t.bits}
	if is == contact.Quarantine {
		r.hold(suspicion, tx.Now())
	}
	return is, s.admit(tx, e, r, is, policy)
}

// asksOf returns what counts of the asks of e's device.
func asksOf(e *entry, now time.Time) (a asks) {
	if e.row.Asks != nil {
		a = *e.row.Asks
	}
	a.today(now)
	return a
}

// admit puts a new request on the list, in the place of one that e's device made
// before, or accepts it.
func (s *Service) admit(tx *store.Tx, e *entry, r request, is contact.Admission, policy contact.Policy) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	r.ID = requestID(id)
	if err := s.trackReceived(tx, e); err != nil {
		return err
	}
	if is == contact.Welcome {
		if err := s.accept(tx, e, r, e.theirs.Ask.Permissions); err != nil {
			return err
		}
		return tellRequest(tx, contact.RequestAccepted, e.peer, r.id(), incoming, "")
	}
	was, found, err := requests.Get(tx, e.peer[:])
	switch {
	case err != nil:
		return err
	case r.Held != contact.Unsuspected:
		return s.quarantine(tx, e, was, found, r, policy)
	case found:
		err = setRequest(tx, e.peer, &was, &r)
	case r.Stranger:
		if err := makePlace(tx, policy.MaxWaiting); err != nil {
			return err
		}
		err = setRequest(tx, e.peer, nil, &r)
	default:
		err = setRequest(tx, e.peer, nil, &r)
	}
	if err != nil {
		return err
	}
	return tellReceived(tx, e.peer, r, policy)
}

// tellReceived journals that a request waits for the user.
func tellReceived(tx *store.Tx, peer contact.ODID, r request, policy contact.Policy) error {
	notify := "quiet"
	if policy.NotifyRequests {
		notify = "notify"
	}
	return tellRequest(tx, contact.RequestReceived, peer, r.id(), incoming, notify)
}

// accept lists the device that made request r, if it is not listed, and lets it do
// give, which is what it asked for or a part of it. The caller settles e.
func (s *Service) accept(tx *store.Tx, e *entry, r request, give contact.Permissions) error {
	listed := e.listed()
	if err := s.issue(e, s.next(e).Respond(r.Digest, contact.Accepted, give)); err != nil {
		return err
	}
	chosen := give != e.theirs.Ask.Permissions
	if listed {
		return s.describe(tx, e, func(d *details) { d.Chosen = d.Chosen || chosen })
	}
	tx.OnCommit(func() { s.cfg.Addresses.Learn(e.peer, e.row.Addresses) })
	return s.enlist(tx, e, details{Name: r.Name, Source: SourceRequest, Wording: e.theirs.Ask.Wording, Chosen: chosen})
}
