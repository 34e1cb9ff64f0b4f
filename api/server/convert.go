package server

import (
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/message"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/store"
)

// stamp is nil for the zero time, and for what others claim that JSON has no way
// to write: a year before 1 or after 9999. Nobody needs less than a millisecond.
func stamp(t time.Time) *timestamppb.Timestamp {
	out := timestamppb.New(t.Truncate(time.Millisecond))
	if t.IsZero() || !out.IsValid() {
		return nil
	}
	return out
}

func presenceOf(p presence.Presence) *contactsv1.Presence {
	return &contactsv1.Presence{State: p.State.String(), Text: p.Text, Since: stamp(p.Since), LastSeen: stamp(p.LastSeen), Relayed: p.Relayed}
}

func ownPresence(o presence.Own) *contactsv1.Presence {
	state := o.State
	if o.Chosen == presence.Invisible {
		state = presence.Invisible // contacts are told offline, the user is not
	}
	return &contactsv1.Presence{State: state.String(), Text: o.Text, Since: stamp(o.Since)}
}

func (s *Server) contact(c relation.Contact) *contactsv1.Contact {
	return &contactsv1.Contact{
		Odid:                c.ODID.String(),
		Name:                c.Name,
		Remark:              c.Remark,
		Trust:               c.View.Trust.String(),
		Relation:            c.View.Status.String(),
		PermissionsGiven:    c.View.Given.Names(),
		PermissionsReceived: c.View.Received.Names(),
		Presence:            presenceOf(s.node.Presence.Of(c.ODID)),
		Source:              string(c.Source),
		AddedAt:             added(c),
		Left:                c.View.Left,
		AsksToPart:          c.View.Parts,
		Groups:              c.Groups,
		Fields:              fieldsOf(c.Fields),
		App:                 c.App,
		Wording:             c.Wording,
	}
}

// added is nil for a contact of which only the tombstone is left.
func added(c relation.Contact) *timestamppb.Timestamp {
	if c.AddedAt.UnixMilli() <= 0 {
		return nil
	}
	return timestamppb.New(c.AddedAt)
}

func permissionsOf(c relation.Contact) *contactsv1.ContactPermissions {
	return &contactsv1.ContactPermissions{
		Odid:                c.ODID.String(),
		PermissionsGiven:    c.View.Given.Names(),
		PermissionsReceived: c.View.Received.Names(),
	}
}

func messageOf(m message.Message) *contactsv1.Message {
	out := &contactsv1.Message{
		Id:          m.ID.String(),
		Contact:     m.Contact.String(),
		Direction:   m.Direction.String(),
		Kind:        m.Kind,
		State:       m.State.String(),
		Waiting:     m.Waiting,
		SentAt:      stamp(m.SentAt),
		DeliveredAt: stamp(m.DeliveredAt),
		ReadAt:      stamp(m.ReadAt),
	}
	switch m.Kind {
	case message.KindText:
		out.Text = string(m.Body)
	case message.KindFile:
		out.Text = file.OfferedName(m.Body)
	}
	if out.Waiting == "" {
		out.Waiting = m.Note
	}
	return out
}

func messagesOf(list []message.Message) []*contactsv1.Message {
	out := make([]*contactsv1.Message, 0, len(list))
	for _, m := range list {
		out = append(out, messageOf(m))
	}
	return out
}

func eventOf(e store.Entry) *contactsv1.Event {
	return &contactsv1.Event{
		Cursor:  cursorText(e.Cursor),
		Type:    string(e.Event.Type),
		At:      timestamppb.New(time.UnixMilli(e.Event.At)),
		Contact: odidText(e.Event.Contact),
		Id:      e.Event.ID,
		State:   e.Event.State,
		Detail:  e.Event.Detail,
	}
}

func odidText(id contact.ODID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func cursorText(n uint64) string { return strconv.FormatUint(n, 10) }

// parseCursor reads a cursor as cursorText writes it.
func parseCursor(field, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, invalid(field, "%q is no cursor", clip(text))
	}
	return n, nil
}

// clip shortens what a caller sent for use in an error.
func clip(s string) string { return clipTo(s, 64) }

// clipTo returns at most so many bytes of s, of whole characters, and a mark if
// that is not all.
func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// pageSize reads the page_size of a request.
func pageSize(n uint32) (int, error) {
	switch {
	case n == 0:
		return defaultPage, nil
	case n > maxPage:
		return 0, &contact.LimitError{Field: "page_size", Got: int(n), Limit: maxPage, Unit: "items"}
	}
	return int(n), nil
}
