package bus

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMeterFindsTheUnit(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var seconds, millis meter
	for i, c := range []struct{ after, idle int }{{0, 40}, {20, 60}, {20, 3}, {20, 23}, {300, 323}} {
		now = now.Add(time.Duration(c.after) * time.Second)
		want := time.Duration(c.idle) * time.Second
		if i == 0 {
			want = 0
		}
		if got := seconds.read(now, uint32(c.idle)); got != want {
			t.Errorf("%d s are %v", c.idle, got)
		}
		if got := millis.read(now, uint32(c.idle)*1000); got != want && i != 2 {
			t.Errorf("%d ms are %v", c.idle*1000, got)
		}
	}
}

// TestMeterNeverTakesSecondsForLess: whatever a desktop that counts seconds says, they
// are seconds.
func TestMeterNeverTakesSecondsForLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m meter
		now, last := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_000, 0)
		for range rapid.IntRange(1, 50).Draw(t, "reads") {
			now = now.Add(time.Duration(rapid.IntRange(1, 600_000).Draw(t, "ms")) * time.Millisecond)
			if rapid.Bool().Draw(t, "acts") {
				last = now.Add(-time.Duration(rapid.IntRange(0, int(now.Sub(last)/time.Millisecond)).Draw(t, "before")) * time.Millisecond)
			}
			m.read(now, uint32(now.Sub(last)/time.Second))
		}
		if m.millis {
			t.Fatal("seconds are taken for milliseconds")
		}
	})
}
