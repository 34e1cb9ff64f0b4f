package dials

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"contactsd/contact"
)

func TestLastFailureIsKeptUntilAConnectionComes(t *testing.T) {
	var l Log
	a, b := contact.ODID{1}, contact.ODID{2}
	broken := errors.New("broken")
	l.Ended(a, broken, "first")
	l.Ended(a, broken, "second")
	l.Ended(b, broken, "other")
	l.Ended(a, context.Canceled, "broken off")
	if got := l.Last(a); got.Why != "second" || got.At.IsZero() {
		t.Errorf("last failure %v", got)
	}
	l.Ended(a, nil, "")
	l.Connected(b)
	for _, peer := range []contact.ODID{a, b} {
		if got := l.Last(peer); got != (Failure{}) {
			t.Errorf("after a connection: %v", got)
		}
	}
	if dialled, failed := l.Counts(); dialled != 1 || failed != 3 {
		t.Errorf("%d dialled, %d failed; want 1 and 3", dialled, failed)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	var l Log
	var newest contact.ODID
	for i := range uint64(3 * remembered) {
		binary.BigEndian.PutUint64(newest[:], i)
		l.Ended(newest, errors.New("broken"), "no answer")
	}
	if len(l.last) != remembered || l.Last(newest).Why == "" {
		t.Errorf("%d failures are kept, the newest: %v", len(l.last), l.Last(newest))
	}
}
