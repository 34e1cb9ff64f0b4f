package pairing

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLimitedErrorSaysWhatToDo(t *testing.T) {
	for want, until := range map[string]time.Time{
		"that the other device shows now": {},
		"again from 2126-":                time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		err := error(&LimitedError{Until: until})
		if !strings.Contains(err.Error(), want) || !errors.Is(err, ErrLimited) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
