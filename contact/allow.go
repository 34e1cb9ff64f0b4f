package contact

// Service is what a stream of another device wants to reach.
type Service uint8

const (
	ServicePairing Service = iota
	ServiceRelation
	ServicePresence
	ServiceMessages
	ServiceGossip
	ServiceCheck
	ServiceFiles
	ServiceProfile
	ServiceCard
	ServiceReports
)

var serviceNames = [...]string{"pairing", "relation", "presence", "messages", "gossip", "check", "files", "profile", "card", "reports"}

// Services is how many services there are.
const Services = len(serviceNames)

func (s Service) String() string { return serviceNames[s] }

// Decision is what the gate does with a stream.
type Decision uint8

const (
	// Drop resets the stream without a word.
	Drop Decision = iota
	// Refuse answers in words: a listed contact that lacks the permission may know.
	Refuse
	// ServeStranger serves as anybody is served: of relation under policy none,
	// asks are acknowledged and discarded, nothing is told; of the profile within
	// tight limits.
	ServeStranger
	// Serve serves.
	Serve
)

var decisionNames = [...]string{"drop", "refuse", "stranger", "serve"}

func (d Decision) String() string { return decisionNames[d] }

// Party is the other end of an inbound stream, as the gate sees it.
type Party struct {
	Mine       *Statement // this device's latest statement about the peer, nil if none
	Marks      Marks
	Trust      Trust
	Staged     bool // a pairing with the peer waits for its last step
	WindowOpen bool // a pairing window is open
	Policy     Policy
}

// Allow decides about an inbound stream; it is asked once for each. The default
// is no.
//
//	service    listed                    staged  removed, final      stranger, removed,
//	                                             statement unacked   blocked
//	pairing    serve in a window, to anybody but the blocked
//	relation   serve                     serve   serve               as a stranger
//	presence   serve                     drop    drop                drop
//	messages   serve with the grant,     drop    drop                drop
//	           else refuse in words
//	gossip     serve with `status`,      drop    drop                drop
//	           else drop
//	check      serve, unless             as a stranger if anyone may ask, else drop;
//	           nobody may ask            the blocked also if blocks are disclosed
//	files      serve what was offered    drop    drop                drop
//	           to it
//	reports    serve if paired,          drop    drop                drop
//	           else drop
//	profile    serve, unless          as a    drop                as a stranger if anyone
//	           nobody may read it,    stranger                    may, but those two; else
//	           then refuse in words                               drop
//	card       serve with a grant     drop    drop                drop
//	           of it, else drop
//
// A blocked device and one that was removed get the same in every row but
// pairing, unless the user discloses blocks.
func Allow(p Party, s Service) Decision {
	blocked := p.Marks.Blocked || p.Marks.Reported
	listed := !blocked && p.Mine != nil && p.Mine.Listed
	switch s {
	case ServicePairing:
		if p.WindowOpen && !blocked {
			return Serve
		}
	case ServiceRelation:
		switch {
		case listed, p.Staged && !blocked, Unacknowledged(p.Mine, p.Marks):
			return Serve
		}
		return ServeStranger
	case ServicePresence, ServiceFiles:
		if listed {
			return Serve
		}
	case ServiceGossip:
		if listed && p.Mine.Grants.Has(Presence) {
			return Serve
		}
	case ServiceReports:
		if listed && p.Trust >= Paired {
			return Serve
		}
	case ServiceProfile:
		switch audience := p.Policy.Profile; {
		case listed && (audience == Anyone || audience == ContactsOnly):
			return Serve
		case listed:
			return Refuse
		case audience == Anyone && !blocked && !p.Marks.Removed:
			return ServeStranger
		}
	case ServiceCard:
		if listed && p.Mine.Card != nil {
			return Serve
		}
	case ServiceMessages:
		switch {
		case listed && p.Mine.Grants.Has(Messages):
			return Serve
		case listed:
			return Refuse
		}
	case ServiceCheck:
		return allowCheck(p.Policy, listed, blocked)
	}
	return Drop
}

// allowCheck decides who may ask whether this device lists or blocks it. Whoever is
// no contact is told alike, so that nobody learns whether it once was one.
func allowCheck(p Policy, listed, blocked bool) Decision {
	contacts := p.Checks == ContactsOnly || p.Checks == Anyone
	switch {
	case listed && contacts:
		return Serve
	case p.Checks == Anyone, blocked && contacts && p.DiscloseBlocks:
		return ServeStranger
	}
	return Drop
}

// Unacknowledged reports whether the peer has yet to confirm the newest
// statement about it. A removal or block is offered until it is confirmed;
// after that the peer is a stranger.
func Unacknowledged(mine *Statement, m Marks) bool {
	return mine != nil && m.AckedSeq < mine.Seq
}
