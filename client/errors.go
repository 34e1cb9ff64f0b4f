package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
)

// Unreachable says that no daemon answers at the socket.
type Unreachable struct {
	Socket string // empty if not even its path could be found
	Err    error
}

func (e *Unreachable) Error() string {
	switch {
	case e.Socket == "":
		return fmt.Sprintf("the daemon can't be reached: %v", e.Err)
	case errors.Is(e.Err, fs.ErrNotExist), errors.Is(e.Err, syscall.ENOTDIR), errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no daemon answers at %s", e.Socket)
	}
	return fmt.Sprintf("the daemon at %s can't be reached: %v", e.Socket, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// Hint returns what the user can do.
func (e *Unreachable) Hint() string {
	switch {
	case e.Socket == "":
		return ""
	case errors.Is(e.Err, fs.ErrPermission):
		return "the daemon of another user can't be used; start your own with: contactsd"
	}
	return "start it with: contactsd"
}

// Reasons that this package gives itself, or that say that the daemon is not
// there. All others come from the daemon.
const (
	ReasonUnreachable = "daemon_unreachable"
	ReasonStopping    = "stopping"
	ReasonTimeout     = "timeout"
	ReasonCanceled    = "canceled"
	ReasonInvalid     = "invalid"
)

// Error is what went wrong with a call.
type Error struct {
	Code   connect.Code
	Reason string // stable word to branch on, "wrong_code"
	Text   string // for a person, without the hint
	Hint   string // what the user can do, or empty
	Field  string // field of the request that was not acceptable, or empty
	Limit  string // limit that was exceeded, or empty
	err    error
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return e.err }

// Explain says what went wrong with a call. err is what a call or stream of this
// package returned; for nil it returns nil. The result wraps err.
func Explain(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	e := &Error{Code: connect.CodeOf(err), Text: err.Error(), err: err}
	var ce *connect.Error
	if errors.As(err, &ce) {
		e.Text = ce.Message()
	}
	var down *Unreachable
	switch info := detail(ce); {
	case errors.As(err, &down):
		e.Reason, e.Text, e.Hint = ReasonUnreachable, down.Error(), down.Hint()
	case info != nil:
		e.Reason, e.Hint, e.Field, e.Limit = info.Reason, info.Hint, info.Field, info.Limit
	case errors.Is(err, context.DeadlineExceeded), e.Code == connect.CodeDeadlineExceeded:
		e.Reason, e.Text = ReasonTimeout, "no answer in time"
		e.Hint = "try again with a longer --timeout"
	case errors.Is(err, context.Canceled), e.Code == connect.CodeCanceled:
		e.Reason, e.Text = ReasonCanceled, "interrupted"
	case e.Code == connect.CodeInternal && strings.HasSuffix(e.Text, "invalid UTF-8"):
		// Said while the request was made; what the daemon says has an info.
		e.Code, e.Reason, e.Text = connect.CodeInvalidArgument, ReasonInvalid, "text is not valid UTF-8"
	case e.Code == connect.CodeUnavailable, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		// The daemon explains each of its errors, so this one is not from it.
		e.Reason, e.Text = ReasonUnreachable, "the daemon stopped while it was asked"
		e.Hint = "start it with: contactsd"
	}
	return e
}

func detail(ce *connect.Error) *contactsv1.ErrorInfo {
	if ce == nil {
		return nil
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*contactsv1.ErrorInfo); ok {
				return info
			}
		}
	}
	return nil
}

// Reason returns the stable word for why a call failed, "" for nil or when
// there is none.
func Reason(err error) string {
	if e := Explain(err); e != nil {
		return e.Reason
	}
	return ""
}

// Hint returns what the user can do about err, "" if there is nothing.
func Hint(err error) string {
	if e := Explain(err); e != nil {
		return e.Hint
	}
	return ""
}
