package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/message"
	"contactsd/pairing"
	"contactsd/profile"
	"contactsd/relation"
	"contactsd/spam"
	"contactsd/store"
	"contactsd/transport"
)

// answer is what a caller is told for an error that wraps is.
type answer struct {
	is     error
	code   connect.Code
	reason string
	field  string
	text   string // default: what is says
	hint   string // default: what follows the first ": " of the text
	whole  bool   // what the error says after the text of is, is for the user too
}

// answers is the one table of what errors become. The first that fits counts.
func answers() []answer {
	const (
		bad       = connect.CodeInvalidArgument
		refused   = connect.CodePermissionDenied
		now       = connect.CodeFailedPrecondition
		gone      = connect.CodeNotFound
		away      = connect.CodeUnavailable
		exhausted = connect.CodeResourceExhausted
	)
	return []answer{
		{is: contact.ErrODIDEmpty, code: bad, reason: "odid_empty", field: "odid", whole: true},
		{is: contact.ErrODIDPrefix, code: bad, reason: "odid_prefix", field: "odid", whole: true},
		{is: contact.ErrODIDCase, code: bad, reason: "odid_case", field: "odid", whole: true},
		{is: contact.ErrODIDLength, code: bad, reason: "odid_length", field: "odid", whole: true},
		{is: contact.ErrODIDCharacter, code: bad, reason: "odid_character", field: "odid", whole: true},
		{is: contact.ErrODIDChecksum, code: bad, reason: "odid_checksum", field: "odid", whole: true},
		{is: contact.ErrODIDSecret, code: bad, reason: "odid_secret", field: "odid", whole: true},
		{is: contact.ErrODIDPeerID, code: bad, reason: "odid_peer_id", field: "odid", whole: true},
		{is: contact.ErrODIDKey, code: bad, reason: "odid_key", field: "odid", whole: true},

		{is: pairing.ErrCodeLetters, code: bad, reason: "bad_code", field: "code", hint: "it looks like 482-193"},
		{is: pairing.ErrCodeLength, code: bad, reason: "bad_code", field: "code", hint: "it looks like 482-193"},
		{is: pairing.ErrCodeNameplate, code: bad, reason: "bad_code", field: "code"},
		{is: pairing.ErrLink, code: bad, reason: "bad_link", field: "code"},
		{is: pairing.ErrWrongLink, code: refused, reason: "wrong_link", field: "code"},
		{is: pairing.ErrMany, code: now, reason: "many_devices", field: "at", hint: "name the one that shows the code with --at and its ODID", whole: true},
		{is: pairing.ErrNothingShown, code: now, reason: "no_window"},
		{is: pairing.ErrWrongCode, code: refused, reason: "wrong_code", field: "code"},
		{is: pairing.ErrNoWindow, code: now, reason: "no_window"},
		{is: pairing.ErrNobody, code: now, reason: "nobody"},
		{is: pairing.ErrBusy, code: away, reason: "busy"},
		{is: pairing.ErrLimited, code: now, reason: "guess_limit", whole: true},
		{is: pairing.ErrWindowLapsed, code: now, reason: "window_lapsed"},
		{is: pairing.ErrBlocked, code: refused, reason: "blocked"},
		{is: pairing.ErrSelf, code: bad, reason: "self"},
		{is: pairing.ErrUnreachable, code: away, reason: "peer_unreachable", hint: "see that it is running and on a network that reaches this one"},
		{is: pairing.ErrIncompatible, code: connect.CodeAborted, reason: "incompatible"},
		{is: pairing.ErrProtocol, code: connect.CodeAborted, reason: "protocol", hint: "try again; if it happens again, another device may be interfering"},

		{is: relation.ErrNotFound, code: gone, reason: "no_contact", field: "contact", hint: "see: contactsctl list", whole: true},
		{is: relation.ErrBlocked, code: refused, reason: "blocked", field: "contact"},
		{is: relation.ErrRemoved, code: now, reason: "removed", field: "contact"},
		{is: relation.ErrRequest, code: gone, reason: "no_request", field: "request", hint: "see: contactsctl requests", whole: true},
		{is: relation.ErrHasCard, code: now, reason: "has_card", field: "contact", hint: "see: contactsctl card show"},
		{is: relation.ErrNoGrant, code: gone, reason: "no_grant", field: "contact", hint: "see: contactsctl card grants", whole: true},
		{is: relation.ErrLocked, code: now, reason: "asks_locked", hint: "see: contactsctl status", whole: true},
		{is: spam.ErrNoReport, code: gone, reason: "no_report", field: "devices", hint: "see: contactsctl requests reports", whole: true},
		{is: relation.ErrNoGroup, code: gone, reason: "no_group", field: "group", hint: "see: contactsctl groups", whole: true},
		{is: relation.ErrSelf, code: bad, reason: "self", field: "odid", hint: "take the ODID of the other one: contactsctl status there"},

		{is: profile.ErrBlocked, code: refused, reason: "blocked", field: "contact"},
		{is: profile.ErrNone, code: gone, reason: "no_profile", field: "contact"},
		{is: profile.ErrLater, code: exhausted, reason: "asked_too_often"},
		{is: profile.ErrPrivate, code: refused, reason: "private_profile"},
		{is: profile.ErrMalformed, code: connect.CodeAborted, reason: "bad_profile", hint: "update both devices; if it happens again, that device does not keep to the protocol"},

		{is: message.ErrNotContact, code: now, reason: "not_contact", field: "contact", hint: "add it or pair with it first"},
		{is: message.ErrBlocked, code: refused, reason: "blocked", field: "contact"},
		{is: message.ErrQueueFull, code: exhausted, reason: "queue_full", hint: "cancel some, or wait until the contact is reached", whole: true},
		{is: message.ErrConflict, code: connect.CodeAlreadyExists, reason: "id_conflict", field: "id", hint: "send under a new id"},
		{is: message.ErrNotFound, code: gone, reason: "no_message", field: "id", hint: "see: contactsctl outbox", whole: true},
		{is: message.ErrFinal, code: now, reason: "too_late", field: "id", hint: "only what is queued can be cancelled", whole: true},

		{is: file.ErrNotFound, code: gone, reason: "no_file", field: "id", hint: "see: contactsctl files", whole: true},
		{is: file.ErrState, code: now, reason: "file_state", field: "id", hint: "see how it stands: contactsctl files", whole: true},
		{is: file.ErrConflict, code: connect.CodeAlreadyExists, reason: "id_conflict", field: "id", hint: "send under a new id"},
		{is: file.ErrSource, code: bad, reason: "source", field: "path", hint: "name a file or folder that this user can read", whole: true},

		{is: store.ErrCursor, code: connect.CodeOutOfRange, reason: "cursor", field: "after", hint: "read your lists anew, then go on from the newest event"},
		{is: store.ErrFull, code: exhausted, reason: "disk_full", hint: "free space, then try again"},
		{is: store.ErrCorrupt, code: connect.CodeDataLoss, reason: "damaged_store", hint: "stop the daemon and restore a backup", whole: true},
		{is: store.ErrClosed, code: away, reason: "stopping", text: errStopping.Error(), hint: "start it with: contactsd"},

		{is: transport.ErrAddress, code: bad, reason: "bad_address", field: "at", whole: true},
		{is: transport.ErrSelf, code: bad, reason: "self", field: "at"},
		{is: transport.ErrUnreachable, code: away, reason: "peer_unreachable", text: "the other device can't be reached", hint: "see that it is running and on a network that reaches this one"},
		{is: transport.ErrRefused, code: away, reason: "peer_refused", text: "the other device turned this one away"},
		{is: transport.ErrClosed, code: away, reason: "stopping", text: errStopping.Error(), hint: "start it with: contactsd"},

		{is: errPageOff, code: now, reason: "page_off", hint: "start the daemon without --page=off"},

		{is: errStopping, code: away, reason: "stopping", hint: "start it with: contactsd"},
		{is: context.Canceled, code: connect.CodeCanceled, reason: "canceled", text: "interrupted"},
		{is: context.DeadlineExceeded, code: connect.CodeDeadlineExceeded, reason: "timeout", text: "no answer in time", hint: "try again with a longer --timeout"},
	}
}

// errStopping ends the streams of a daemon that stops.
var errStopping = errors.New("the daemon is stopping")

// explain makes of an error what a caller is told. known is false for one that
// nobody foresaw.
func explain(err error) (e *connect.Error, known bool) {
	var ready *connect.Error
	if errors.As(err, &ready) {
		return reasoned(ready), true
	}
	var limit *contact.LimitError
	if errors.As(err, &limit) {
		return told(connect.CodeInvalidArgument, limit.Error(), &contactsv1.ErrorInfo{
			Reason: "limit", Field: limit.Field, Limit: fmt.Sprintf("%d %s", limit.Limit, limit.Unit),
		}), true
	}
	var invalid *contact.InvalidError
	if errors.As(err, &invalid) {
		text, hint, advised := strings.Cut(invalid.Error(), ": use ")
		if advised {
			hint = "use " + hint
		}
		return told(connect.CodeInvalidArgument, text, &contactsv1.ErrorInfo{Reason: "invalid", Field: invalid.Field, Hint: hint}), true
	}
	var credit *contact.CreditError
	if errors.As(err, &credit) {
		return told(connect.CodeResourceExhausted, credit.Error(), &contactsv1.ErrorInfo{
			Reason: "credits_exhausted", Limit: fmt.Sprintf("%d credits", credit.Daily), Hint: "see: contactsctl credits",
		}), true
	}
	var several *relation.AmbiguousError
	if errors.As(err, &several) {
		return told(connect.CodeInvalidArgument, several.Error(), &contactsv1.ErrorInfo{
			Reason: "ambiguous_contact", Field: "contact", Hint: "name it by its ODID, or by more of it",
		}), true
	}
	for _, a := range answers() {
		if !errors.Is(err, a.is) {
			continue
		}
		text, hint := cmp.Or(a.text, a.is.Error()), a.hint
		if a.whole {
			_, detail, _ := strings.Cut(err.Error(), a.is.Error())
			text += detail
		}
		if hint == "" {
			text, hint, _ = strings.Cut(text, ": ")
		}
		return told(a.code, text, &contactsv1.ErrorInfo{Reason: a.reason, Field: a.field, Hint: hint}), true
	}
	return told(connect.CodeInternal, err.Error(), &contactsv1.ErrorInfo{Reason: "internal", Hint: "the daemon's log says more"}), false
}

// maxErrorText bounds the text of an error, which may repeat what the caller sent.
const maxErrorText = 1000 // bytes

func told(code connect.Code, text string, info *contactsv1.ErrorInfo) *connect.Error {
	e := connect.NewError(code, errors.New(clipTo(text, maxErrorText)))
	if d, err := connect.NewErrorDetail(info); err == nil {
		e.AddDetail(d)
	}
	return e
}

// refusal is for whoever may not call at all.
func refusal(err error) error {
	return told(connect.CodePermissionDenied, err.Error(), &contactsv1.ErrorInfo{Reason: "caller_refused"})
}

// invalid is an error about a field of the request.
func invalid(field, format string, args ...any) error {
	return &contact.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// explainer turns every error of a call into what its caller is told.
type explainer struct{ s *Server }

func (e explainer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		res, err := next(ctx, req)
		if err != nil {
			err = e.explain(req.Spec().Procedure, err)
		}
		e.s.counts.ended(req.Spec().Procedure, err)
		return res, err
	}
}

func (e explainer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler also ends streams when the daemon stops.
func (e explainer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, cancel := e.s.untilStop(ctx)
		defer cancel()
		err := next(ctx, conn)
		if err != nil {
			if e.s.stopping.Err() != nil && ctx.Err() != nil {
				err = errStopping
			}
			err = e.explain(conn.Spec().Procedure, err)
		}
		e.s.counts.ended(conn.Spec().Procedure, err)
		return err
	}
}

func (e explainer) explain(procedure string, err error) error {
	told, known := explain(err)
	if !known {
		e.s.log.Error("api: call failed", "call", procedure, "err", err)
	}
	return told
}

// untilStop returns a context that also ends when the daemon stops.
func (s *Server) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { unlink(); cancel() }
}

// infoOf is the detail of an error that was explained, nil if it has none.
func infoOf(e *connect.Error) *contactsv1.ErrorInfo {
	for _, d := range e.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*contactsv1.ErrorInfo); ok {
				return info
			}
		}
	}
	return nil
}

// reasonOf is the stable word of an error that was explained.
func reasonOf(err error) string {
	var e *connect.Error
	if errors.As(err, &e) {
		return infoOf(e).GetReason()
	}
	return ""
}

// textOf is what an error that was explained says.
func textOf(err error) string {
	var e *connect.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return err.Error()
}
