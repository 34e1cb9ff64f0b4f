package relation

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/store"
)

// Requests for contact cards wait in a table beside that of other requests, so that a
// device can have one of each open. A stranger makes that for the card beside the one to
// be a contact, and takes one place with both.

// sentCardAsk is the row of a device that was asked for its card and has not answered.
type sentCardAsk struct {
	ID contact.AskID `cbor:"1,keyasint"`
	At int64         `cbor:"2,keyasint"` // Unix milliseconds
}

func (a sentCardAsk) id() string { return uuid.UUID(a.ID).String() }

// cardGrant is the row of a device with which this device's card is shared, or was.
type cardGrant struct {
	Since     int64 `cbor:"1,keyasint"`           // Unix milliseconds
	Revoked   int64 `cbor:"2,keyasint,omitempty"` // when it ended, 0 if it is in force
	Confirmed bool  `cbor:"3,keyasint,omitempty"` // then: the device has no copy, as it says
}

var (
	cardRequests = store.NewTable[request]("relation/cardrequests", 1)
	sentCardAsks = store.NewTable[sentCardAsk]("relation/cardasks", 1)
	cardGrants   = store.NewTable[cardGrant]("relation/cardgrants", 1)
)

// The events' word for what became of a revoked card.
const (
	revokedAsked     = "asked"
	revokedConfirmed = "confirmed"
	revokedByOwner   = "revoked"
)

func (e *entry) cards() contact.CardView {
	return contact.DeriveCard(e.mine, e.theirs, e.row.Marks)
}

// asksCardNow is asksNow for this device's card.
func (e *entry) asksCardNow() (d contact.Digest, ok bool) {
	if e.blocked() || contact.CardAskStateOf(e.theirs, e.mine) != contact.AskOpen {
		return d, false
	}
	d, err := e.theirs.CardAsk.Digest()
	return d, err == nil && (e.row.Asks == nil || e.row.Asks.Card == nil || *e.row.Asks.Card != d)
}

// decidedCard is decided for the ask for this device's card.
func (e *entry) decidedCard(d contact.Digest) {
	if e.row.Asks == nil {
		e.row.Asks = &asks{}
	}
	e.row.Asks.Card = &d
}

// meetCard rejects the ask for the card that ended without an answer while the device
// was removed or blocked, as meet does.
func (e *entry) meetCard(st contact.Statement) contact.Statement {
	if contact.CardAskStateOf(e.theirs, &st) != contact.AskOpen {
		return st
	}
	d, err := e.theirs.CardAsk.Digest()
	if err != nil || e.row.Asks == nil || e.row.Asks.Card == nil || *e.row.Asks.Card != d {
		return st
	}
	return st.RefuseCard(d)
}

// hearAsks decides about the asks in the statement of e's device, as consider does
// about that of one kind.
func (s *Service) hearAsks(tx *store.Tx, e *entry, name string, t toll) (contact.Admission, error) {
	is, err := s.consider(tx, e, name, t)
	if err != nil || is == contact.Postpone {
		return is, err
	}
	card, err := s.considerCard(tx, e, name)
	if is == contact.Discard {
		is = card
	}
	return is, err
}

// considerCard is consider for the ask for this device's card, after that. A stranger's
// is kept only beside one to be a contact that waits, whose stamps and place are for
// both. None is ever accepted without the user.
func (s *Service) considerCard(tx *store.Tx, e *entry, name string) (contact.Admission, error) {
	d, asks := e.asksCardNow()
	if !asks {
		return contact.Discard, nil
	}
	was, waits, err := cardRequests.Get(tx, e.peer[:])
	if err != nil || waits && was.Digest == d {
		return contact.Keep, err
	}
	if !e.listed() {
		beside, err := asksToBeContact(tx, e)
		known := asksOf(e, tx.Now())
		if err != nil || !beside || known.Taken >= contact.MaxAsksPerDay {
			return contact.Discard, err
		}
		known.Taken++
		e.row.Asks = &known
	}
	return contact.Keep, s.admitCard(tx, e, request{At: tx.Now().UnixMilli(), Digest: d, Name: name})
}

// asksToBeContact reports whether a request of e's device to be a contact waits.
func asksToBeContact(tx *store.Tx, e *entry) (bool, error) {
	r, found, err := requests.Get(tx, e.peer[:])
	return found && waitsHere(r), err
}

// dropCardRequest takes a device's request for the card off the list, if there is one.
func dropCardRequest(tx *store.Tx, peer contact.ODID) error {
	r, found, err := cardRequests.Get(tx, peer[:])
	if err != nil || !found {
		return err
	}
	if err := putRequest(tx, cardRequests, peer, &r, nil); err != nil {
		return err
	}
	return tellRequest(tx, contact.CardCancelled, peer, r.id(), incoming, "")
}

// admitCard puts a new request for the card on the list, in the place of one that e's
// device made before.
func (s *Service) admitCard(tx *store.Tx, e *entry, r request) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	r.ID = requestID(id)
	if err := dropCardRequest(tx, e.peer); err != nil {
		return err
	}
	if err := putRequest(tx, cardRequests, e.peer, nil, &r); err != nil {
		return err
	}
	notify := "quiet"
	if s.cfg.Policy().NotifyRequests {
		notify = "notify"
	}
	return tellRequest(tx, contact.CardRequested, e.peer, r.id(), incoming, notify)
}

// trackCards has the lists about cards follow the statements of e, as track does, and
// what is held of a card that may not be held any more goes.
func (s *Service) trackCards(tx *store.Tx, e *entry) error {
	if err := s.trackCardSent(tx, e); err != nil {
		return err
	}
	if err := s.trackCardReceived(tx, e); err != nil {
		return err
	}
	if err := trackCardGrant(tx, e); err != nil {
		return err
	}
	if e.cards().Granted {
		return nil
	}
	return s.cfg.DropCard(tx, e.peer)
}

// trackCardSent follows the ask of this device for the other's card.
func (s *Service) trackCardSent(tx *store.Tx, e *entry) error {
	a, found, err := sentCardAsks.Get(tx, e.peer[:])
	if err != nil || !found {
		return err
	}
	became := contact.CardCancelled
	if e.mine != nil && e.mine.CardAsk != nil && e.mine.CardAsk.ID == a.ID {
		switch contact.CardAskStateOf(e.mine, e.theirs) {
		case contact.AskOpen:
			return nil
		case contact.AskAccepted:
			became = contact.CardGranted
		default:
			became = contact.CardRejected
		}
	}
	if err := sentCardAsks.Delete(tx, e.peer[:]); err != nil {
		return err
	}
	return tellRequest(tx, became, e.peer, a.id(), outgoing, "")
}

// cardAskedBefore is askedBefore for the ask for a card.
func cardAskedBefore(tx *store.Tx, peer contact.ODID, st contact.Statement) error {
	if st.CardAsk == nil {
		return nil
	}
	a, found, err := sentCardAsks.Get(tx, peer[:])
	if err != nil || found && a.ID == st.CardAsk.ID {
		return err
	}
	return sentCardAsks.Put(tx, peer[:], sentCardAsk{ID: st.CardAsk.ID, At: tx.Now().UnixMilli()})
}

// trackCardReceived follows the ask of the other device for this one's card. Of a device
// in which the user had no part it ends with the one to be a contact.
func (s *Service) trackCardReceived(tx *store.Tx, e *entry) error {
	r, found, err := cardRequests.Get(tx, e.peer[:])
	if err != nil || !found {
		return err
	}
	if e.disposable() {
		if beside, err := asksToBeContact(tx, e); err != nil || !beside {
			return errors.Join(err, dropCardRequest(tx, e.peer))
		}
	}
	if d, open := e.asksCardNow(); open && d == r.Digest {
		return nil
	}
	if err := tellRequest(tx, e.becameCard(r.Digest), e.peer, r.id(), incoming, ""); err != nil {
		return err
	}
	return putRequest(tx, cardRequests, e.peer, &r, nil)
}

// becameCard tells what became of an ask for the card that is open no more.
func (e *entry) becameCard(d contact.Digest) contact.EventType {
	if a := e.mine; a != nil && a.CardAnswer != nil && a.CardAnswer.Digest == d {
		if a.CardAnswer.Verdict == contact.Accepted {
			return contact.CardGranted
		}
		return contact.CardRejected
	}
	if e.theirs != nil && e.theirs.CardAsk != nil {
		if still, err := e.theirs.CardAsk.Digest(); err == nil && still == d {
			return contact.CardRejected // by a removal or a block
		}
	}
	return contact.CardCancelled
}

// trackCardGrant follows whether e's device may have this device's card.
func trackCardGrant(tx *store.Tx, e *entry) error {
	g, found, err := cardGrants.Get(tx, e.peer[:])
	if err != nil {
		return err
	}
	now := tx.Now().UnixMilli()
	was, detail := g, ""
	switch given := e.cards().Given; {
	case given && (!found || g.Revoked != 0):
		g = cardGrant{Since: now}
	case given || !found:
	case g.Revoked == 0:
		g.Revoked, detail = max(now, 1), revokedAsked
	case !g.Confirmed && contact.CardGone(e.mine, e.theirs, e.row.Marks):
		g.Confirmed, detail = true, revokedConfirmed
	}
	if g == was {
		return nil
	}
	if err := cardGrants.Put(tx, e.peer[:], g); err != nil || detail == "" {
		return err
	}
	return tellRequest(tx, contact.CardRevoked, e.peer, "", incoming, detail)
}

// respondCard answers the request of one device for this one's card.
func (s *Service) respondCard(tx *store.Tx, peer contact.ODID, a Answer) error {
	r, found, err := cardRequests.Get(tx, peer[:])
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrRequest, peer.Short())
	}
	e, err := load(tx, peer)
	if err != nil {
		return err
	}
	before := e.view()
	switch a.Response {
	case Accept:
		err = s.acceptCard(tx, &e, r)
	case Reject:
		err = s.issue(&e, s.next(&e).RefuseCard(r.Digest))
	}
	if err != nil {
		return err
	}
	tx.OnCommit(func() { s.touch(peer) })
	return s.settle(tx, &e, before)
}

// receivedAll returns the requests of all kinds that wait here.
func receivedAll(tx *store.Tx) ([]Request, error) {
	list, err := received(tx, waitsHere)
	if err != nil {
		return nil, err
	}
	for row, err := range cardRequests.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return nil, err
		}
		if e.theirs == nil || e.theirs.CardAsk == nil {
			continue
		}
		r := Request{
			ID: row.Value.id(), Kind: KindCard, ODID: e.peer, Incoming: true, Contact: e.listed(), Title: row.Value.Name,
			Wording: e.theirs.CardAsk.Wording, At: time.UnixMilli(row.Value.At), Told: true,
		}
		if r.Contact {
			if r.Title, err = title(tx, &e); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// sentAll returns the requests of all kinds that others have yet to answer.
func sentAll(tx *store.Tx) ([]Request, error) {
	list, err := sent(tx)
	if err != nil {
		return nil, err
	}
	for row, err := range sentCardAsks.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		e, err := load(tx, contact.ODID(row.Key))
		if err != nil {
			return nil, err
		}
		r, err := sentCardRequest(tx, &e, row.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func sentCardRequest(tx *store.Tx, e *entry, a sentCardAsk) (r Request, err error) {
	r = Request{ID: a.id(), Kind: KindCard, ODID: e.peer, Contact: e.listed(), At: time.UnixMilli(a.At), Told: e.mine != nil && !contact.Unacknowledged(e.mine, e.row.Marks)}
	if e.mine != nil && e.mine.CardAsk != nil {
		r.Wording = e.mine.CardAsk.Wording
	}
	beside, _, err := sentAsks.Get(tx, e.peer[:])
	if err != nil {
		return r, err
	}
	r.Told = r.Told && !beside.Owes
	r.Title, err = title(tx, e)
	return r, err
}
