package check

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
)

// TestAtMostTenWithinAnyHour: whenever a device asks, it was answered at most ten
// times within the hour before, and is answered if it was fewer times.
func TestAtMostTenWithinAnyHour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, peer := newQuota(1), contact.ODID{1}
		now := time.Unix(1_700_000_000, 0)
		var answered []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "asks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			recent := 0
			for _, at := range answered {
				if now.Sub(at) < asksWithin {
					recent++
				}
			}
			ok := q.take(peer, now)
			if ok != (recent < maxAsks) {
				t.Fatalf("answered %d times within the hour, asks again: %v", recent, ok)
			}
			if ok {
				answered = append(answered, now)
			}
		}
	})
}

// TestQuotaIsBounded: when it is full, nobody new is answered, those in it are,
// and an hour later there is room.
func TestQuotaIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(3)
		for i := range byte(3) {
			if !q.take(contact.ODID{i + 1}, time.Now()) {
				t.Fatalf("device %d is not answered", i)
			}
		}
		time.Sleep(asksWithin - time.Second)
		if !q.take(contact.ODID{1}, time.Now()) {
			t.Error("one that is in it is not answered")
		}
		if q.take(contact.ODID{9}, time.Now()) {
			t.Error("another one is answered")
		}
		time.Sleep(time.Second)
		if !q.take(contact.ODID{9}, time.Now()) || !q.take(contact.ODID{8}, time.Now()) {
			t.Error("there is no room after an hour")
		}
		if q.take(contact.ODID{7}, time.Now()) {
			t.Error("the one that asked since was forgotten")
		}
		if len(q.asked) != 3 {
			t.Errorf("%d devices are remembered", len(q.asked))
		}
	})
}
