package contact

import "time"

// Marks are what a device keeps about a relation beside the two statements.
// They are its own and never sent.
type Marks struct {
	Blocked  bool `cbor:"1,keyasint,omitempty"` // nothing of the peer is served or shown
	Reported bool `cbor:"2,keyasint,omitempty"` // reported as spam, implies Blocked
	Removed  bool `cbor:"3,keyasint,omitempty"` // a tombstone: only an explicit act of the user brings the contact back

	MineSeq   uint64 `cbor:"4,keyasint,omitempty"` // highest seq that was ever issued about the peer
	TheirsSeq uint64 `cbor:"5,keyasint,omitempty"` // highest seq that was ever taken from the peer
	AckedSeq  uint64 `cbor:"6,keyasint,omitempty"` // highest own seq that the peer has shown to hold

	AddedSeq uint64 `cbor:"7,keyasint,omitempty"` // own seq of the last explicit add or pairing
	PartSeq  uint64 `cbor:"8,keyasint,omitempty"` // peer's seq whose part was last honoured

	OldPair *PairID `cbor:"9,keyasint,omitempty"` // the pairing before the one mine names, until the peer names the new one
}

// Trust is how far the identity behind a contact is known. It is derived and
// ordered: what needs Paired asks for at least Paired, so that levels between
// the two can come.
type Trust uint8

const (
	Untrusted Trust = 1 // added by ODID: whoever gave the ODID is believed
	Paired    Trust = 3 // both devices name the same pairing, or are between two of theirs
)

func (t Trust) String() string {
	if t >= Paired {
		return "paired"
	}
	return "untrusted"
}

// Status is what a relation is to its user.
type Status uint8

const (
	StatusNone     Status = iota
	StatusPending         // added or asked, not answered
	StatusAccepted        // both list each other
	StatusBlocked
	StatusReported
	StatusRemoved
)

var statusNames = [...]string{"none", "pending", "accepted", "blocked", "reported", "removed"}

func (s Status) String() string { return statusNames[s] }

// AskState is where an ask stands.
type AskState uint8

const (
	AskNone AskState = iota
	AskOpen
	AskAccepted
	AskRejected
	AskReported
)

// View is everything that is derived of a relation. It is never stored.
type View struct {
	Status   Status
	Incoming bool        // pending: the other side asked or added, not this one
	Trust    Trust       // Paired only while both statements name the same pairing
	Given    Permissions // what the peer may do here, in force
	Received Permissions // what this device may do there, as far as it knows
	MyAsk    AskState
	TheirAsk AskState

	Left  bool // listed here; the other side said that it does not list this device
	Parts bool // Left, and it asked this device to drop the relation as well
}

// Derive is the one place that says what two statements mean together. mine or
// theirs is nil when there is none.
//
//	mine listed  theirs listed  ask                      status
//	no           any            theirs open, not removed pending, incoming
//	no           any            else                     none; removed with a tombstone
//	yes          no             any                      pending, outgoing
//	yes          yes            any                      accepted
//
// A rejection is no removal: who is left (Left) was listed before, or was told
// nothing but that it is not.
//
// A block or report stands above all of it and leaves no permission and no
// trust. A rejected ask leaves the state that stood before it. The ask of a
// removed contact is in TheirAsk and waits for the user, but it makes nothing of
// the tombstone: an old ask, whose answer went with the removal, looks the same.
func Derive(mine, theirs *Statement, m Marks) View {
	v := View{Trust: Untrusted}
	switch {
	case m.Reported:
		v.Status = StatusReported
		return v
	case m.Blocked:
		v.Status = StatusBlocked
		return v
	}
	v.MyAsk = AskStateOf(mine, theirs)
	v.TheirAsk = AskStateOf(theirs, mine)
	listed := mine != nil && mine.Listed
	both := listed && theirs != nil && theirs.Listed
	switch {
	case both:
		v.Status = StatusAccepted
	case listed:
		v.Status = StatusPending
	case v.TheirAsk == AskOpen && !m.Removed:
		v.Status, v.Incoming = StatusPending, true
	case m.Removed:
		v.Status = StatusRemoved
	}
	if listed {
		v.Given = mine.Grants
		if theirs != nil && theirs.Listed {
			v.Received = theirs.Grants
		}
	}
	v.Left = listed && theirs != nil && !theirs.Listed && theirs.Answer == nil && theirs.CardAnswer == nil
	v.Parts = v.Left && theirs.Part != 0
	if both && mine.Pair != nil && theirs.Pair != nil && (*mine.Pair == *theirs.Pair || between(mine, theirs, m)) {
		v.Trust = Paired
	}
	return v
}

// between reports whether the two are between two pairings: the peer names the
// old one and was not seen to hold the statement that names the new one. Once it
// holds that and still names the old one, it does not know the new one (it was
// restored), and won't: without this end one side would trust for ever.
func between(mine, theirs *Statement, m Marks) bool {
	return m.OldPair != nil && *m.OldPair == *theirs.Pair && Unacknowledged(mine, m)
}

// Next begins the statement that follows prev (nil for the first): same content,
// new seq above everything issued before, no part (a part is said once).
func Next(author, subject ODID, prev *Statement, m Marks, now time.Time) Statement {
	s := Statement{Author: author, Subject: subject}
	last := m.MineSeq
	if prev != nil {
		s = *prev
		last = max(last, prev.Seq)
	}
	s.Part = 0
	s.Seq = NextSeq(last, now)
	s.At = uint64(max(now.UnixMilli(), 0))
	return s
}

// List puts the subject on the list with these grants. It is the explicit act
// of the user: a tombstone ends here.
func (s Statement) List(grants Permissions) Statement {
	s.Listed, s.Grants = true, grants
	return s
}

// PairBy lists the subject as paired.
func (s Statement) PairBy(id PairID, grants Permissions) Statement {
	s = s.List(grants)
	s.Pair = &id
	return s
}

// Unlist takes the subject off the list and withdraws everything. Removing and
// blocking issue exactly this, so neither tells which it was. With partSeq > 0,
// the newest seq seen of the subject, it asks the subject to do the same.
func (s Statement) Unlist(partSeq uint64) Statement {
	return Statement{Author: s.Author, Subject: s.Subject, Seq: s.Seq, At: s.At, Part: partSeq}
}

// Narrow withdraws permissions. It never adds any.
func (s Statement) Narrow(withdraw Permissions) Statement {
	s.Grants &^= withdraw
	return s
}

// Arrival is what an arriving statement of the peer is to the one held.
type Arrival uint8

const (
	Fresh       Arrival = iota // newer: to be stored
	Same                       // the one held
	Stale                      // older: a replay, or a peer that fell back
	Conflicting                // same seq, other bytes: the peer must have been restored
	Leaping                    // numbered further ahead than any clock accounts for: not to be taken
)

// MaxSeqLeap is how far a seq may lie above the one before. No device that keeps
// the rules comes near it (maxClock), however wrong its clock goes; and after any
// statement that is taken, its author has room for as many more as it can ever
// make. So a single wild number, of a fault or of ill will, can't use up all there
// are and leave its author unheard.
const MaxSeqLeap = 1 << 48

// Judge compares an arriving, verified statement of the peer with the newest
// held (nil if none) and the high-water mark.
func Judge(held *Signed, m Marks, got Signed, st Statement) Arrival {
	switch {
	case st.Seq < m.TheirsSeq:
		return Stale
	case st.Seq-m.TheirsSeq > MaxSeqLeap:
		return Leaping
	case st.Seq > m.TheirsSeq:
		return Fresh
	case held != nil && string(held.Bytes) == string(got.Bytes):
		return Same
	case held == nil:
		return Stale // seen once and dropped with a removal: a replay
	}
	return Conflicting
}

// Outrun reports whether shown, a verified statement of this device's own that
// the peer holds, proves that the device was restored from an older copy: a
// higher seq than any it knows of, or an equal one with other bytes. A seq that
// leaps proves nothing: no peer takes such a statement.
func Outrun(mine *Signed, m Marks, shown Signed, st Statement) bool {
	if st.Seq != m.MineSeq {
		return st.Seq > m.MineSeq && st.Seq-m.MineSeq <= MaxSeqLeap
	}
	return mine == nil || string(mine.Bytes) != string(shown.Bytes)
}

// TakeOver returns mine with everything withdrawn that the newer copy had
// withdrawn already: consent and trust that were taken back do not come back
// with a backup. Asks and answers, which give nothing, are those of the newer copy; what
// is said of the other's card is of what this copy has.
// The caller gives it a seq above newer's with Next's rule.
func TakeOver(mine, newer Statement) Statement {
	if !newer.Listed {
		mine = mine.Unlist(newer.Part)
		mine.Answer, mine.CardAnswer = newer.Answer, newer.CardAnswer
		return mine
	}
	mine.Grants &= newer.Grants
	if mine.Listed {
		mine.Ask, mine.CardAsk = newer.Ask, newer.CardAsk
	}
	if newer.Answer != nil {
		mine.Answer = newer.Answer
	}
	if newer.CardAnswer != nil {
		mine.CardAnswer = newer.CardAnswer
	}
	if newer.Card == nil {
		mine.Card = nil
	}
	if newer.Pair == nil {
		mine.Pair = nil
	}
	return mine
}

// HonourPart reports whether the peer's wish to drop the relation on both sides
// counts: once for each of its statements, and not when the user added the peer
// explicitly after the statement it names, or when that was never issued: then it
// would count against what is said later.
func HonourPart(theirs Statement, m Marks) bool {
	return theirs.Part != 0 && theirs.Part <= m.MineSeq && theirs.Seq > m.PartSeq && m.AddedSeq <= theirs.Part
}
