package contact

import "time"

// When a device locks its own asks. Nobody else can, and nobody is closed out: each
// device decides for itself, and what was agreed before stays as it is.
const (
	LockTime      = 7 * 24 * time.Hour
	lockWithin    = 30 * 24 * time.Hour
	lockReporters = 3
)

// Rebuke is that a device answered an ask of this one by reporting it.
type Rebuke struct {
	By ODID  `cbor:"1,keyasint"`
	At int64 `cbor:"2,keyasint"` // Unix milliseconds
}

// RebukeCounts reports whether r counts towards a lock.
func RebukeCounts(r Rebuke, now time.Time) bool {
	return now.Sub(time.UnixMilli(r.At)).Abs() < lockWithin
}

// Rebuked adds a rebuke to those that count. With the third different device within
// 30 days lock is true, and none counts any further: asks are locked for LockTime.
func Rebuked(all []Rebuke, by ODID, now time.Time) (kept []Rebuke, lock bool) {
	for _, r := range all {
		if r.By != by && RebukeCounts(r, now) {
			kept = append(kept, r)
		}
	}
	kept = append(kept, Rebuke{by, now.UnixMilli()})
	if len(kept) >= lockReporters {
		return nil, true
	}
	return kept, false
}
