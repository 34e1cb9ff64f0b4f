package pairing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// Sessions are counted by how they ended, on both sides.
func TestSessionsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{})
		code := w.code(t)
		at := EnterOptions{At: s.id.Self()}
		if _, err := e.Enter(t.Context(), wrongOf(code.Digits), at); !errors.Is(err, ErrWrongCode) {
			t.Fatal(err)
		}
		if _, err := e.Enter(t.Context(), code.Digits, at); err != nil {
			t.Fatal(err)
		}
		<-w.ended
		if _, err := e.Enter(t.Context(), code.Digits, at); !errors.Is(err, ErrNoWindow) {
			t.Fatal(err)
		}
		third.stop()
		if _, err := e.Enter(t.Context(), code.Digits, EnterOptions{At: third.id.Self()}); !errors.Is(err, ErrUnreachable) {
			t.Fatal(err)
		}
		var shown, entered Sessions
		shown.Shown[OutcomePaired], shown.Shown[OutcomeWrong] = 1, 1
		entered.Entered[OutcomePaired], entered.Entered[OutcomeWrong] = 1, 1
		entered.Entered[OutcomeClosed], entered.Entered[OutcomeLost] = 1, 1
		if got := s.Sessions(); got != shown {
			t.Errorf("who showed counts %v, want %v", got, shown)
		}
		if got := e.Sessions(); got != entered {
			t.Errorf("who entered counts %v, want %v", got, entered)
		}
	})
}

func TestOutcomes(t *testing.T) {
	for err, want := range map[error]Outcome{
		nil:                         OutcomePaired,
		refusal{reasonCode}:         OutcomeWrong,
		refusal{reasonBusy}:         OutcomeBusy,
		refusal{reasonLimit}:        OutcomeLimited,
		refusal{reasonVersion}:      OutcomeIncompatible,
		refusal{reasonNameplate}:    OutcomeIncompatible,
		errNothingShown:             OutcomeClosed,
		errFrame:                    OutcomeBroken,
		io.ErrUnexpectedEOF:         OutcomeBroken,
		os.ErrDeadlineExceeded:      OutcomeLost,
		ours(store.ErrFull):         OutcomeFailed,
		ours(io.ErrUnexpectedEOF):   OutcomeFailed,
		ours(errNothingShown):       OutcomeClosed,
		ours(context.Canceled):      OutcomeLost,
		fmt.Errorf("x: %w", io.EOF): OutcomeLost,
	} {
		if got := showed(err); got != want {
			t.Errorf("showing, %v: %v, want %v", err, got, want)
		}
	}
	for err, want := range map[error]Outcome{
		nil:                                    OutcomePaired,
		ErrWrongCode:                           OutcomeWrong,
		ErrWrongLink:                           OutcomeWrong,
		&LimitedError{}:                        OutcomeLimited,
		ErrBusy:                                OutcomeBusy,
		ErrNoWindow:                            OutcomeClosed,
		fmt.Errorf("x: %w", ErrIncompatible):   OutcomeIncompatible,
		ErrProtocol:                            OutcomeBroken,
		ErrUnreachable:                         OutcomeLost,
		fmt.Errorf("%w", transport.ErrAddress): OutcomeLost,
		&commitError{store.ErrFull}:            OutcomeFailed,
		&commitError{ErrBlocked}:               OutcomeFailed,
	} {
		if got := entered(err); got != want {
			t.Errorf("entering, %v: %v, want %v", err, got, want)
		}
	}
}
