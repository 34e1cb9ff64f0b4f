package message

import (
	"strings"
	"testing"
	"time"
)

// The disk of either side is full for hours, and the messages are there a minute
// after it no longer is.
func TestRoomOnADiskIsUsedSoon(t *testing.T) {
	for name, c := range map[string]struct {
		full func(*world) *device
		why  string
	}{
		"the receiver's": {func(w *world) *device { return w.bob }, "put off: its device can't store messages now since "},
		"the sender's":   {func(w *world) *device { return w.alice }, "the disk of this device is full since "},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				m, d := w.alice.write(w.bob, "hello"), c.full(w)
				d.full.Store(true)
				pass(6 * time.Hour)
				d.full.Store(false)
				if got := w.alice.get(m.ID).Waiting; !strings.HasPrefix(got, c.why) {
					t.Errorf("waiting: %q", got)
				}
				if n := w.alice.svc.Traffic().Failures; n < 6*60 || n > 10*60 {
					t.Errorf("%d failures in 6 hours", n)
				}
				pass(fullRetry)
				w.bob.wantReceived(w.alice, []string{"hello"})
			})
		})
	}
}
