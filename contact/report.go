package contact

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"contactsd/internal/codec"
)

// A Report says that its author was asked for something by a device and takes that
// for spam. It goes to the author's paired contacts, and no further.
//
//	key  field      type
//	 1   reporter   bytes[32]
//	 2   reported   bytes[32]
//	 3   seq        uint       max(last + 1, Unix milliseconds) of all reports of its author
//	 4   at         uint       Unix milliseconds of the author's clock
//	 5   evidence   map        optional: {1: digest of the ask, 2: proof, 3: seen, 4: ask}
//	 6   withdrawn  bool       optional: the author takes back what it reported before
//
// It travels as Signed: these bytes and an Ed25519 signature over
// "contacts/report/1", a zero byte, and these bytes.
type Report struct {
	Reporter  ODID      `cbor:"1,keyasint"`
	Reported  ODID      `cbor:"2,keyasint"`
	Seq       uint64    `cbor:"3,keyasint"`
	At        uint64    `cbor:"4,keyasint"`
	Evidence  *Evidence `cbor:"5,keyasint,omitempty"`
	Withdrawn bool      `cbor:"6,keyasint,omitempty"`
}

// Evidence is the reported device's own signature on the ask (AskSigningBytes). The
// ask itself, with its wording, is there only if the reporter chose to show it.
type Evidence struct {
	Ask   Digest `cbor:"1,keyasint"`
	Proof []byte `cbor:"2,keyasint"`
	Seen  uint64 `cbor:"3,keyasint"` // Unix milliseconds of when it was first heard, by the reporter's word
	Shown *Ask   `cbor:"4,keyasint,omitempty"`
}

// Limits of reports.
const (
	MaxReportSize   = 1024                // bytes of one encoded report
	MaxEvidenceAge  = 30 * 24 * time.Hour // of an ask, since it was first heard, when it is reported
	ReportLife      = 90 * 24 * time.Hour // then a report counts no more, and is forgotten
	MaxReportsADay  = 20                  // that are taken of one device
	reportClockSlip = 24 * time.Hour      // that the reporter's clock may be ahead
)

const reportDomain = "contacts/report/1\x00"

// Errors of reports. ErrReport is wrapped by every error about one that is malformed
// or does not fit, ErrReportSignature by one that its author did not sign, and
// ErrEvidence by one whose evidence proves nothing.
var (
	ErrReport          = errors.New("malformed report")
	ErrReportSignature = errors.New("report not signed by its author")
	ErrEvidence        = errors.New("evidence that proves nothing")
)

// ReportSigningBytes returns what the author of an encoded report signs.
func ReportSigningBytes(encoded []byte) []byte {
	return append([]byte(reportDomain), encoded...)
}

// Encode returns the bytes that are signed and sent.
func (r Report) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := codec.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrReport, err)
	}
	return b, nil
}

// OpenReport decodes and verifies a report and its evidence. Nothing of it is to be
// believed before.
func OpenReport(s Signed) (Report, error) {
	if len(s.Bytes) > MaxReportSize {
		return Report{}, fmt.Errorf("%w: %d bytes, at most %d", ErrReport, len(s.Bytes), MaxReportSize)
	}
	var r Report
	if err := codec.UnmarshalCanonical(s.Bytes, &r); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	if err := r.check(); err != nil {
		return Report{}, err
	}
	if len(s.Sig) != ed25519.SignatureSize || !ed25519.Verify(r.Reporter.Key(), ReportSigningBytes(s.Bytes), s.Sig) {
		return Report{}, ErrReportSignature
	}
	return r, r.checkEvidence()
}

// DecodeReport reads a report that this device verified before it stored it, or that
// it signed itself. Anything else goes through OpenReport.
func DecodeReport(s Signed) (Report, error) {
	var r Report
	if err := codec.Unmarshal(s.Bytes, &r); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrReport, err)
	}
	return r, nil
}

func (r Report) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrReport, fmt.Sprintf(format, args...))
	}
	switch {
	case r.Reporter.IsZero() || r.Reported.IsZero():
		return bad("without reporter or reported device")
	case r.Reporter == r.Reported:
		return bad("about its own author")
	case r.Seq == 0:
		return bad("without seq")
	case r.Withdrawn && r.Evidence != nil:
		return bad("withdrawn, with evidence")
	case r.Withdrawn:
		return nil
	case r.Evidence == nil:
		return bad("without evidence")
	case len(r.Evidence.Proof) != ed25519.SignatureSize:
		return bad("a proof of %d bytes", len(r.Evidence.Proof))
	case r.Evidence.Shown != nil:
		if err := CheckWording(r.Evidence.Shown.Wording); err != nil {
			return bad("%v", err)
		}
		if len(r.Evidence.Shown.Proof) > 0 {
			return bad("the proof twice")
		}
	}
	return nil
}

// checkEvidence verifies that the reported device asked the reporter for something
// that was first seen at most MaxEvidenceAge before it was reported.
func (r Report) checkEvidence() error {
	if r.Withdrawn {
		return nil
	}
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrEvidence, what) }
	e := r.Evidence
	if e.Seen > r.At || r.At-e.Seen > uint64(MaxEvidenceAge.Milliseconds()) {
		return bad("seen after it was reported, or more than 30 days before")
	}
	if e.Shown != nil {
		if d, err := e.Shown.Digest(); err != nil || d != e.Ask {
			return bad("it shows another ask")
		}
	}
	if !proven(r.Reported, r.Reporter, e.Ask, e.Proof) {
		return bad("not signed by the reported device for the reporter")
	}
	return nil
}

// Admissible returns why a verified report that arrived from a device is not to be
// taken by self, nil if it is. It is taken from its author alone, tells nothing of
// self to itself, and has to be of the last 90 days.
func (r Report) Admissible(from, self ODID, now time.Time) error {
	at := time.UnixMilli(int64(min(r.At, maxClock)))
	switch {
	case r.Reporter != from:
		return fmt.Errorf("%w: brought by another device than its author", ErrReport)
	case r.Reported == self:
		return fmt.Errorf("%w: about the device that it is told to", ErrReport)
	case at.Sub(now) > reportClockSlip:
		return fmt.Errorf("%w: from the future", ErrReport)
	case now.Sub(at) > ReportLife:
		return fmt.Errorf("%w: older than 90 days", ErrReport)
	}
	return nil
}

// Lapses returns when a report that was heard at a time counts no more. Until then it
// or its withdrawal is kept: later Admissible refuses it as too old, so that it can't
// be told again.
func (r Report) Lapses(heard time.Time) time.Time {
	if at := time.UnixMilli(int64(min(r.At, maxClock))); at.After(heard) {
		heard = at
	}
	return heard.Add(ReportLife)
}

// Accusation is a report on one device that this one holds, as far as it counts.
type Accusation struct {
	Reporter ODID
	Paired   bool      // the reporter is a paired contact now
	Heard    time.Time // here
	Lapses   time.Time
}

// quarantineReporters is how many different paired contacts have to report a device.
const quarantineReporters = 3

// Quarantined reports whether the asks of the device that all accuse go to quarantine
// now, and until when they do as things are. Reports of those who are not paired count
// nothing, whatever their number; nor do any on a paired contact, nor those that were
// heard before the user released the device. Those that are withdrawn are not in all.
func Quarantined(accused Trust, all []Accusation, released, now time.Time) (until time.Time, yes bool) {
	if accused >= Paired {
		return time.Time{}, false
	}
	lapses := make(map[ODID]time.Time)
	for _, a := range all {
		if !a.Paired || !a.Heard.After(released) || !a.Lapses.After(now) {
			continue
		}
		if a.Lapses.After(lapses[a.Reporter]) {
			lapses[a.Reporter] = a.Lapses
		}
	}
	if len(lapses) < quarantineReporters {
		return time.Time{}, false
	}
	sorted := slices.SortedFunc(maps.Values(lapses), func(a, b time.Time) int { return b.Compare(a) })
	return sorted[quarantineReporters-1], true
}
