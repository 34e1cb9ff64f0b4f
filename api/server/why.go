package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/message"
	"contactsd/relation"
	"contactsd/transport"
)

// reach is what there is to say of how a device is reached.
type reach struct {
	relation.Contact
	route   transport.Route
	outlook relation.Outlook
	seen    time.Time // when it was last heard, as far as it lets itself be
	queued  int       // messages
	waiting string    // why the first of them waits
	now     time.Time
}

func (s contacts) ExplainContact(_ context.Context, req *contactsv1.ExplainContactRequest) (*contactsv1.ExplainContactResponse, error) {
	c, err := s.find(req.Contact)
	if peer, perr := contact.ParseODID(req.Contact); perr == nil && errors.Is(err, relation.ErrNotFound) {
		if peer == s.node.Identity.Self() {
			return nil, relation.ErrSelf
		}
		c, err = relation.Contact{ODID: peer}, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := s.reach(c)
	if err != nil {
		return nil, err
	}
	return r.message(), nil
}

func (s *Server) reach(c relation.Contact) (reach, error) {
	r := reach{Contact: c, route: s.node.Network.Route(c.ODID), seen: s.node.Presence.Of(c.ODID).LastSeen, now: time.Now()}
	var err error
	if r.outlook, err = s.node.Relation.Outlook(c.ODID); err != nil {
		return r, err
	}
	if r.queued, err = s.node.Message.Waiting(c.ODID); err != nil || r.queued == 0 {
		return r, err
	}
	first, err := s.node.Message.Outbox(message.OutboxQuery{Contact: c.ODID, Limit: 1})
	if len(first.Messages) > 0 {
		r.waiting = first.Messages[0].Waiting
	}
	return r, err
}

func (r reach) message() *contactsv1.ExplainContactResponse {
	m := &contactsv1.ExplainContactResponse{
		Odid:      r.ODID.String(),
		Name:      r.Name,
		Remark:    r.Remark,
		Trust:     r.View.Trust.String(),
		Relation:  r.View.Status.String(),
		Connected: r.connected(),
		FailedAt:  stamp(r.route.FailedAt),
		Failure:   r.route.Why,
		Attempts:  uint32(r.outlook.Failed),
		Queued:    uint32(r.queued),
		Waiting:   r.waiting,
		Why:       r.why(),
	}
	if !r.connected() {
		m.NextAttempt = stamp(r.outlook.Next)
	}
	for _, c := range slices.Backward(r.route.Connections) {
		direction := "out"
		if c.Inbound {
			direction = "in"
		}
		m.Connections = append(m.Connections, &contactsv1.Connection{
			Transport: c.Transport, Address: string(c.Address), Direction: direction, Distance: c.Distance.String(), Since: stamp(c.Since),
		})
	}
	for _, a := range r.route.Known {
		m.Addresses = append(m.Addresses, string(a))
	}
	return m
}

func (r reach) connected() bool { return len(r.route.Connections) > 0 }

// listed reports whether this device has the other one on its list.
func (r reach) listed() bool {
	return r.View.Status == contact.StatusAccepted || r.View.Status == contact.StatusPending && !r.View.Incoming
}

// why says all of it in sentences, the most important one first.
func (r reach) why() []string {
	if !r.listed() {
		return append(r.unlisted(), r.queue()...)
	}
	var all []string
	if r.connected() {
		all = append(all, r.connection())
		switch {
		case errors.Is(r.outlook.Err, relation.ErrLater):
			all = append(all, "It has no room for more requests now; yours is sent again by itself.")
		case r.outlook.Failed > 0:
			all = append(all, fmt.Sprintf("Yet the two can't tell each other what they are to each other: %v.", r.outlook.Err))
		}
	} else {
		all = append(all, r.away()...)
	}
	if p := r.outlook.Minting; p != nil {
		all = append(all, "Its device wants work to be done for a request: "+minting(*p)+".")
	}
	all = append(all, r.permissions()...)
	return append(all, r.queue()...)
}

// connection is "bob is connected since 14:02 (3 minutes), over QUIC, on this
// machine: it dialled, from 127.0.0.1:53122."
func (r reach) connection() string {
	c := r.route.Connections[len(r.route.Connections)-1]
	over := c.Transport
	if over != "memory" {
		over = strings.ToUpper(over)
	}
	where := ""
	switch c.Distance {
	case transport.SameMachine:
		where = ", on this machine"
	case transport.SameNetwork:
		where = ", over the local network"
	}
	who := "this device dialled it, at"
	if c.Inbound {
		who = "it dialled this device, from"
	}
	more := ""
	switch n := len(r.route.Connections) - 1; {
	case n == 1:
		more = ", and there is another connection"
	case n > 1:
		more = fmt.Sprintf(", and there are %d other connections", n)
	}
	return fmt.Sprintf("%s is connected since %s, over %s%s: %s %s%s.", r.Title(), r.since(c.Since), over, where, who, c.Address, more)
}

// away says why a contact is not connected.
func (r reach) away() (all []string) {
	switch {
	case !r.outlook.Heard && !r.outlook.Told:
		all = append(all, r.Title()+" was never reached.")
	case r.seen.IsZero():
		all = append(all, r.Title()+" is not connected.")
	default:
		all = append(all, fmt.Sprintf("%s is not connected; it was last heard %s ago, at %s.", r.Title(), span(r.now.Sub(r.seen)), r.clock(r.seen)))
	}
	n := len(r.route.Known)
	switch {
	case n == 0:
		all = append(all, fmt.Sprintf("No address of it is known: it has to come by itself or be found on the local network, unless you say where it is (contactsctl add %s --at ADDRESS).", r.ODID))
	case r.route.FailedAt.IsZero():
		all = append(all, fmt.Sprintf("It was not dialled since; %s known.", times(n, "address of it is", "addresses of it are")))
	}
	return append(all, r.attempts()...)
}

// minting is "2 of 3 stamps are made, the rest takes about 4 seconds".
func minting(p relation.Minting) string {
	done := fmt.Sprintf("%d of %s are made", p.Made, times(p.Count, "stamp", "stamps"))
	if p.Made == p.Count {
		return done + ", to be shown when it can be reached"
	}
	if p.Left > 0 {
		done += ", the rest takes about " + span(p.Left)
	}
	return done
}

// attempts says what came of dialling, and when it is tried again.
func (r reach) attempts() (all []string) {
	if !r.route.FailedAt.IsZero() {
		all = append(all, fmt.Sprintf("Dialling it failed at %s: %s.", r.clock(r.route.FailedAt), r.route.Why))
	}
	switch next := r.outlook.Next; {
	case r.outlook.Trying:
		all = append(all, "An attempt is under way.")
	case next.IsZero():
	case !next.After(r.now):
		all = append(all, "The next attempt comes now.")
	default:
		before := ""
		if n := r.outlook.Failed; n > 1 {
			before = fmt.Sprintf(", after %d that failed", n)
		}
		all = append(all, fmt.Sprintf("The next attempt is at %s, in %s%s.", r.clock(next), span(next.Sub(r.now)), before))
	}
	return all
}

// unlisted says what a device is that is no contact, or not any more.
func (r reach) unlisted() (all []string) {
	switch r.View.Status {
	case contact.StatusBlocked, contact.StatusReported:
		all = append(all, r.Title()+" is blocked here: nothing of it is taken, and it is told nothing.")
	case contact.StatusRemoved:
		all = append(all, r.Title()+" was removed: it is treated as any stranger.")
	case contact.StatusPending:
		all = append(all, r.Title()+" lists this device; this one does not list it.")
	default:
		all = append(all, fmt.Sprintf("%s is no contact. Add it (contactsctl add %s), or pair with it.", r.Title(), r.ODID))
	}
	if r.connected() {
		c := r.route.Connections[len(r.route.Connections)-1]
		all = append(all, fmt.Sprintf("It is connected since %s nevertheless, as any device may be.", r.since(c.Since)))
	}
	if r.outlook.Due {
		all = append(all, "It has yet to learn that it is not listed here any more, and is dialled for that alone.")
		if !r.connected() {
			all = append(all, r.attempts()...)
		}
	}
	return all
}

// permissions says what the relation holds back.
func (r reach) permissions() (all []string) {
	v := r.View
	if v.Status == contact.StatusPending {
		if v.Left {
			all = append(all, r.left())
		}
		said := "It does not list this device; until it does"
		if !r.outlook.Told && r.outlook.Minting == nil {
			said = "It does not know yet that this device added it; until it lists this one"
		}
		return append(all, said+", messages wait and presence is not shown.")
	}
	lacks := func(has contact.Permissions) (messages, presence bool) {
		return !has.Has(contact.Messages), !has.Has(contact.Presence)
	}
	say := func(has contact.Permissions, both, messages, presence string) {
		switch m, p := lacks(has); {
		case m && p:
			all = append(all, both)
		case m:
			all = append(all, messages)
		case p:
			all = append(all, presence)
		}
	}
	say(v.Received,
		"It takes no messages from you and does not show you its presence.",
		"It takes no messages from you.",
		"It does not show you its presence.")
	say(v.Given,
		"You take no messages from it and do not show it your presence.",
		"You take no messages from it.",
		"You do not show it your presence.")
	return all
}

// left says that the other side ended it.
func (r reach) left() string {
	if r.View.Parts {
		return "It removed this device and asks you to remove it as well."
	}
	return "It removed this device."
}

func (r reach) queue() []string {
	switch {
	case r.queued == 0 && r.listed():
		return []string{"No message waits for it."}
	case r.queued == 0:
		return nil
	case r.queued == 1:
		return []string{fmt.Sprintf("1 message waits for it: %s.", r.waiting)}
	}
	return []string{fmt.Sprintf("%d messages wait for it, the first: %s.", r.queued, r.waiting)}
}

// since is "14:02 (3 minutes)".
func (r reach) since(t time.Time) string {
	return fmt.Sprintf("%s (%s)", r.clock(t), span(r.now.Sub(t)))
}

// clock is the time of day, with the date if it is not today's.
func (r reach) clock(t time.Time) string {
	t, now := t.Local(), r.now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// span tells how long something takes as people do, in its largest unit.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.of {
			return times(int(d/unit.of), unit.name, unit.name+"s")
		}
	}
	return times(max(1, int(d/time.Second)), "second", "seconds")
}

func times(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
