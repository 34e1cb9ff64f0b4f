package contact

import "time"

// CardLease is how long a holder keeps a contact card after it was last in touch
// with the owner, by its own clock. A grant that names a longer time counts as this.
const CardLease = 30 * 24 * time.Hour

// CardView is where two devices stand about each other's contact cards.
type CardView struct {
	MyAsk    AskState
	TheirAsk AskState
	Given    bool // the peer may have this device's card
	There    bool // Given, and the peer said that it holds the card

	Granted bool          // this device may have the peer's card
	Rev     uint64        // of that, as the peer said last
	Lease   time.Duration // how long it may be kept without being in touch
}

// DeriveCard is the one place that says what two statements mean for the cards. mine
// or theirs is nil when there is none. A card is shared among those alone who list
// each other, so a removal or a block ends it both ways, whoever it comes from.
func DeriveCard(mine, theirs *Statement, m Marks) CardView {
	if m.Blocked || m.Reported {
		return CardView{}
	}
	v := CardView{MyAsk: CardAskStateOf(mine, theirs), TheirAsk: CardAskStateOf(theirs, mine)}
	if mine == nil || !mine.Listed {
		return v
	}
	v.Given = mine.Card != nil
	if !lists(theirs) {
		return v
	}
	v.There = v.Given && theirs.holdsCard()
	if theirs.sharesCard() {
		v.Granted, v.Rev, v.Lease = true, theirs.Card.Rev, theirs.Card.lease()
	}
	return v
}

func lists(s *Statement) bool { return s != nil && s.Listed }

func (s *Statement) holdsCard() bool { return s.CardState != nil && s.CardState.Held }

// sharesCard reports whether the author shares its card for more than no time.
func (s *Statement) sharesCard() bool { return s.Card != nil && s.Card.lease() > 0 }

// lease returns how long the card may be kept.
func (g CardGrant) lease() time.Duration {
	return time.Duration(min(g.Lease, uint64(CardLease/time.Second))) * time.Second
}

// CardGone reports whether the peer, to whom no card is given any more, confirmed
// that it has none: it took a statement that gives none, which a device that keeps
// the rules does not do without deleting the card, and does not say that it holds one.
func CardGone(mine, theirs *Statement, m Marks) bool {
	if mine == nil || mine.Card != nil || Unacknowledged(mine, m) {
		return false
	}
	return !mine.Listed || !lists(theirs) || !theirs.holdsCard()
}

// CardAskStateOf is AskStateOf for asks for a card.
func CardAskStateOf(asker, asked *Statement) AskState {
	if asker == nil || asker.CardAsk == nil {
		return AskNone
	}
	if asked == nil || asked.CardAnswer == nil {
		return AskOpen
	}
	if d, err := asker.CardAsk.Digest(); err != nil || d != asked.CardAnswer.Digest {
		return AskOpen
	}
	switch asked.CardAnswer.Verdict {
	case Accepted, Crossed:
		return AskAccepted
	case Rejected:
		return AskRejected
	}
	return AskReported
}

// AskCard asks the subject for its card, in the place of an ask that is there.
func (s Statement) AskCard(a CardAsk) Statement {
	s.CardAsk = &a
	return s
}

// WithdrawCardAsk takes the author's ask for the card back.
func (s Statement) WithdrawCardAsk() Statement {
	s.CardAsk = nil
	return s
}

// GiveCard accepts an ask of the subject for the author's card, which is at revision
// rev. It lists the subject, for a card is shared with contacts alone, and gives no
// permission.
func (s Statement) GiveCard(d Digest, rev uint64) Statement {
	s = s.List(s.Grants)
	s.CardAnswer = &Answer{d, Accepted}
	s.Card = &CardGrant{Rev: rev, Lease: uint64(CardLease / time.Second)}
	return s
}

// RefuseCard rejects an ask of the subject for the author's card.
func (s Statement) RefuseCard(d Digest) Statement {
	s.CardAnswer = &Answer{d, Rejected}
	return s
}

// RevokeCard shares the author's card no more.
func (s Statement) RevokeCard() Statement {
	s.Card = nil
	return s
}

// ShowCard tells the subject, with whom the card is shared, which revision it has.
func (s Statement) ShowCard(rev uint64) Statement {
	if s.Card != nil {
		s.Card = &CardGrant{Rev: rev, Lease: s.Card.Lease}
	}
	return s
}

// HoldCard says that the author holds revision rev of the subject's card.
func (s Statement) HoldCard(rev uint64) Statement {
	s.CardState = &CardState{Rev: rev, Held: true}
	return s
}

// reactCard is React for cards. An ask that was refused, or accepted and revoked
// since, is over; a card that is shared no more is deleted, and that is said; and who
// does not list the author any more has its card no longer.
func (s Statement) reactCard(theirs *Statement) (_ Statement, ok bool) {
	granted := s.Listed && lists(theirs) && theirs.sharesCard()
	switch CardAskStateOf(&s, theirs) {
	case AskRejected, AskReported:
		s, ok = s.WithdrawCardAsk(), true
	case AskAccepted:
		if !granted {
			s, ok = s.WithdrawCardAsk(), true
		}
	}
	if s.holdsCard() && !granted {
		s.CardState, ok = &CardState{Rev: s.CardState.Rev}, true
	}
	if s.Card != nil && !lists(theirs) {
		s, ok = s.RevokeCard(), true
	}
	return s, ok
}
