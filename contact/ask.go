package contact

// AskStateOf says where the ask in asker stands, given what the asked said last.
// An answer to another ask than this exact one does not count.
func AskStateOf(asker, asked *Statement) AskState {
	if asker == nil || asker.Ask == nil {
		return AskNone
	}
	if asked == nil || asked.Answer == nil {
		return AskOpen
	}
	if d, err := asker.Ask.Digest(); err != nil || d != asked.Answer.Digest {
		return AskOpen
	}
	switch asked.Answer.Verdict {
	case Accepted, Crossed:
		return AskAccepted
	case Rejected:
		return AskRejected
	}
	return AskReported
}

// Propose asks the subject for something, in the place of an ask that is there.
// The author grants what it asks for, unless oneWay.
func (s Statement) Propose(a Ask, oneWay bool) Statement {
	s.Ask = &a
	if !oneWay {
		s.Grants |= a.Permissions
	}
	return s
}

// Withdraw takes the author's ask back, and the permissions that it gave with it:
// what stood before the ask stands again.
func (s Statement) Withdraw(gave Permissions) Statement {
	s.Ask = nil
	return s.Narrow(gave)
}

// Respond gives the author's word on an ask of the subject. Accepting lists the
// subject with these permissions beside those that it has; no other verdict gives
// anything.
func (s Statement) Respond(d Digest, v Verdict, give Permissions) Statement {
	s.Answer = &Answer{d, v}
	if v == Accepted {
		return s.List(s.Grants | give)
	}
	return s
}

// Reply returns the answer that the author of mine gives by itself to the open ask
// in theirs; ok is false if that is for its user to decide, or nothing is asked.
//
// Two asks that cross are an acceptance of what both asked for: each author grants
// what it asks for, so nothing more has to be given. And an ask for no more than
// is granted already is accepted. Neither ever adds a permission.
func Reply(mine, theirs *Statement) (v Verdict, ok bool) {
	switch {
	case mine == nil || !mine.Listed || AskStateOf(theirs, mine) != AskOpen:
		return 0, false
	case crosses(mine, theirs):
		return Crossed, true
	case mine.Grants.Has(theirs.Ask.Permissions):
		return Accepted, true
	}
	return 0, false
}

// crosses reports whether the open ask in theirs was written before its author
// knew that of mine. That is so while mine is open, or when the other side was
// first to see the two cross. Its answer says so, for one that was accepted by a
// user may be followed by an ask that is to be decided on its own.
func crosses(mine, theirs *Statement) bool {
	if mine.Ask == nil || mine.Grants&mine.Ask.Permissions&theirs.Ask.Permissions == 0 {
		return false
	}
	crossed := func(s *Statement) bool { return s.Answer != nil && s.Answer.Verdict == Crossed }
	switch AskStateOf(mine, theirs) {
	case AskOpen:
		return true
	case AskAccepted:
		return crossed(theirs) && !crossed(mine)
	}
	return false
}

// React returns what the author says of its own accord once it has heard theirs;
// ok is false if that is nothing new. s is its next statement, gave what it granted
// with its ask alone. A refused ask is taken back, what Reply says is said, and so is
// what became of cards.
func (s Statement) React(theirs *Statement, gave Permissions) (_ Statement, ok bool) {
	s, ok = s.reactCard(theirs)
	switch AskStateOf(&s, theirs) {
	case AskRejected, AskReported:
		s, ok = s.Withdraw(gave), true
	}
	v, reply := Reply(&s, theirs)
	if !reply {
		return s, ok
	}
	d, err := theirs.Ask.Digest()
	if err != nil {
		return s, ok
	}
	return s.Respond(d, v, NoPermissions), true
}

// Meet answers the open ask in theirs when the author's user lists the subject, or
// pairs with it, without a word on the ask: something of what is asked for is
// granted, and so it is accepted.
func (s Statement) Meet(theirs *Statement) Statement {
	s, _ = s.React(theirs, NoPermissions)
	if AskStateOf(theirs, &s) != AskOpen || s.Grants&theirs.Ask.Permissions == 0 {
		return s
	}
	d, err := theirs.Ask.Digest()
	if err != nil {
		return s
	}
	return s.Respond(d, Accepted, NoPermissions)
}

// MaxAsksPerDay is how many new asks of one device that is no contact are taken a
// day. More are dropped, and it is not told.
const MaxAsksPerDay = 3

// Admission is what becomes of a new ask.
type Admission uint8

const (
	// Discard acknowledges it as any statement, and keeps nothing.
	Discard Admission = iota
	// Postpone keeps nothing and says so: the asker tries again later.
	Postpone
	// Keep has it wait for the user.
	Keep
	// Displace has it wait for the user, in the place of the one that waits with the
	// least work; of several such, the first.
	Displace
	// Welcome accepts it at once.
	Welcome
	// Quarantine keeps it on a list apart.
	Quarantine
)

// Asker is who asks, as far as it counts.
type Asker struct {
	Listed  bool // a contact, that asks for more
	Blocked bool
	Removed bool
	Waits   bool // an ask of it waits already, which the new one replaces
	Today   int  // its asks that were taken within a day
	Owes    bool // stamps are due for the ask, and it did not bring them
	Bits    int  // of work in each stamp that it brought
	Proven  bool // its ask has a proof, without which nobody could report it

	Suspicion Suspicion // none of a paired contact
}

// Crowd is the strangers that ask.
type Crowd struct {
	Waiting  int  // whose asks wait
	Today    int  // whose asks were taken within a day
	Welcomed int  // of these, accepted at once
	Full     bool // there are as many untrusted contacts as may be
	Weakest  int  // bits of work in the stamps of the one that waits with the least
}

// crowdADay is how many times MaxWaiting strangers' asks are taken a day. It
// bounds what a flood of ODIDs that ask and take it back can make a device write.
const crowdADay = 4

// Admit decides about an ask that was not heard before. The first row that fits
// counts.
//
//	who                                        policy      becomes
//	a contact, suspect                         any         quarantine
//	a contact                                  any         kept
//	blocked                                    any         discarded
//	owes stamps                                any         discarded
//	asked as often as it may today             any         discarded
//	without a proof                            any         discarded
//	removed, suspect                           any         quarantine
//	removed                                    any         kept
//	a stranger                                 none        discarded
//	a stranger, today's are used up            else        postponed
//	a stranger, suspect                        else        quarantine
//	a stranger, not MaxWaiting welcomed today,
//	and there is room for a contact            any         welcome
//	a stranger that waits, or there is a place else        kept
//	a stranger with more work than the weakest else        displaces that
//	a stranger                                 else        postponed
//
// Who was removed takes no place and is never postponed, and so gets the same as
// who is blocked. Who is in quarantine gets the same as who waits.
func Admit(p Policy, a Asker, c Crowd) Admission {
	suspect := a.Suspicion != Unsuspected
	switch {
	case a.Listed && suspect:
		return Quarantine
	case a.Listed:
		return Keep
	case a.Blocked, a.Owes, a.Today >= MaxAsksPerDay, !a.Proven:
		return Discard
	case a.Removed && suspect:
		return Quarantine
	case a.Removed:
		return Keep
	case p.Requests == RequestsNone:
		return Discard
	case c.Today >= crowdADay*p.MaxWaiting:
		return Postpone
	case suspect:
		return Quarantine
	case p.Requests == RequestsAny && c.Welcomed < p.MaxWaiting && !c.Full:
		return Welcome
	case a.Waits, c.Waiting < p.MaxWaiting:
		return Keep
	case a.Bits > c.Weakest:
		return Displace
	}
	return Postpone
}
