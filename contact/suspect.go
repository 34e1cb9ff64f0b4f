package contact

import (
	"crypto/sha256"
	"strings"
	"time"
	"unicode"
)

// Suspicion is why an ask goes to quarantine: a list apart, that notifies nobody.
type Suspicion uint8

const (
	Unsuspected       Suspicion = iota
	SuspectedReports            // three paired contacts reported the device
	SuspectedCopy               // three devices wrote the same
	SuspectedRepeater           // it asks again and again after it was rejected
)

var suspicionNames = [...]string{"", "reported", "same wording", "asks again"}

func (s Suspicion) String() string { return suspicionNames[s] }

// What makes an ask suspect without a report.
const (
	QuarantineTime   = 90 * 24 * time.Hour // after that an ask is dropped that nobody looked for
	SuspicionWindow  = 30 * 24 * time.Hour // in which wordings and rejections count
	copiesSuspected  = 3                   // devices that write the same
	rejectsSuspected = 3                   // rejections, after which a further ask is suspect
	minCopied        = 12                  // letters and digits of a wording that counts: many greet alike
)

// WordingKey stands for all wordings that differ in no letter and no digit. ok is
// false for one that is too short to be anybody's mark.
func WordingKey(wording string) (key [16]byte, ok bool) {
	n := 0
	bare := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		n++
		return unicode.ToLower(r)
	}, wording)
	sum := sha256.Sum256([]byte(bare))
	return [16]byte(sum[:16]), n >= minCopied
}

// Writing is that a device wrote a wording.
type Writing struct {
	By ODID  `cbor:"1,keyasint"`
	At int64 `cbor:"2,keyasint"` // Unix milliseconds
}

// Writings are the devices that wrote the same, each once, the last one last.
type Writings []Writing

// Add notes that by writes it now, and forgets what counts no more. Only as many are
// kept as are needed.
func (w Writings) Add(by ODID, now time.Time) Writings {
	kept := make(Writings, 0, copiesSuspected)
	for _, o := range w {
		if o.By != by && now.Sub(time.UnixMilli(o.At)).Abs() < SuspicionWindow {
			kept = append(kept, o)
		}
	}
	kept = append(kept, Writing{by, now.UnixMilli()})
	return kept[max(0, len(kept)-copiesSuspected):]
}

// Copied reports whether so many wrote the same that it is suspect.
func (w Writings) Copied() bool { return len(w) >= copiesSuspected }

// RepeatsAfter reports whether an ask is suspect after so many rejections of the same
// device within SuspicionWindow.
func RepeatsAfter(rejections int) bool { return rejections >= rejectsSuspected }
