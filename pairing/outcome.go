package pairing

import (
	"context"
	"errors"
	"sync/atomic"

	"contactsd/transport"
)

// Outcome is how a session ended, as it is counted.
type Outcome uint8

const (
	OutcomePaired       Outcome = iota
	OutcomeWrong                // wrong code or link
	OutcomeLimited              // too many wrong codes
	OutcomeBusy                 // too many others, or it is not this one's turn
	OutcomeClosed               // no code is shown there any more, or not to this device
	OutcomeIncompatible         // another version of the protocol
	OutcomeBroken               // the peer did not keep to the protocol
	OutcomeLost                 // the peer could not be reached, or was lost midway
	OutcomeFailed               // this device's own disk or rules
)

var outcomeNames = [...]string{"paired", "wrong", "limited", "busy", "closed", "incompatible", "broken", "lost", "failed"}

func (o Outcome) String() string { return outcomeNames[o] }

// Sessions says how many sessions ended in each way since the start, by Outcome:
// those at a code or link of this device, and those at another's.
type Sessions struct {
	Shown, Entered [len(outcomeNames)]uint64
}

// Sessions returns the counts.
func (s *Service) Sessions() (n Sessions) {
	for o := range outcomeNames {
		n.Shown[o], n.Entered[o] = s.shown[o].Load(), s.entered[o].Load()
	}
	return n
}

// outcomes counts the sessions of one side.
type outcomes [len(outcomeNames)]atomic.Uint64

// ownError is a failure of this device's own store within a session.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }
func (e *ownError) Unwrap() error { return e.err }

// ours marks an error of the store, so that it is not taken for one of the way.
func ours(err error) error {
	if err == nil || errors.Is(err, ErrLimited) || errors.Is(err, errPace) || errors.Is(err, errNothingShown) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ownError{err}
}

// showed is how a session at this device's code ended.
func showed(err error) Outcome {
	if refused, ok := errors.AsType[refusal](err); ok {
		switch refused.reason {
		case reasonCode:
			return OutcomeWrong
		case reasonBusy:
			return OutcomeBusy
		case reasonLimit:
			return OutcomeLimited
		}
		return OutcomeIncompatible
	}
	_, own := errors.AsType[*ownError](err)
	switch {
	case err == nil:
		return OutcomePaired
	case own:
		return OutcomeFailed
	case errors.Is(err, errNothingShown):
		return OutcomeClosed
	case broken(err):
		return OutcomeBroken
	}
	return OutcomeLost
}

// entered is how a session at another device's code ended, by what Enter says.
func entered(err error) Outcome {
	_, own := errors.AsType[*commitError](err)
	switch {
	case err == nil:
		return OutcomePaired
	case own:
		return OutcomeFailed
	case errors.Is(err, ErrWrongCode), errors.Is(err, ErrWrongLink):
		return OutcomeWrong
	case errors.Is(err, ErrLimited):
		return OutcomeLimited
	case errors.Is(err, ErrBusy):
		return OutcomeBusy
	case errors.Is(err, ErrNoWindow), errors.Is(err, transport.ErrRefused):
		return OutcomeClosed
	case errors.Is(err, ErrIncompatible):
		return OutcomeIncompatible
	case errors.Is(err, ErrProtocol):
		return OutcomeBroken
	}
	return OutcomeLost
}
