package contact

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"contactsd/internal/codec"
)

// reportedAt is when the reports of these tests are made.
var reportedAt = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// prove returns what author signs on an ask of subject.
func prove(t testing.TB, author byte, subject ODID, a Ask) Evidence {
	t.Helper()
	d, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return Evidence{
		Ask: d, Seen: uint64(reportedAt.Add(-time.Hour).UnixMilli()),
		Proof: ed25519.Sign(testKey(author), AskSigningBytes(testODID(t, author), subject, d)),
	}
}

// newReport returns a report of reporter on reported that nothing is wrong with.
func newReport(t testing.TB, reporter, reported byte) Report {
	t.Helper()
	e := prove(t, reported, testODID(t, reporter), Ask{ID: AskID{7}, Permissions: Messages, Wording: "buy my stuff"})
	at := uint64(reportedAt.UnixMilli())
	return Report{Reporter: testODID(t, reporter), Reported: testODID(t, reported), Seq: at, At: at, Evidence: &e}
}

// signReport signs whatever r says, as the device with this number.
func signReport(t testing.TB, by byte, r Report) Signed {
	t.Helper()
	b, err := codec.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return Signed{b, ed25519.Sign(testKey(by), ReportSigningBytes(b))}
}

// TestReportGoldenBytes fixes the bytes that are signed: other bytes for the same
// report would need a new version of the protocol.
func TestReportGoldenBytes(t *testing.T) {
	r := newReport(t, 1, 2)
	r.Evidence.Shown = &Ask{ID: AskID{7}, Permissions: Messages, Wording: "buy my stuff"}
	back := Report{Reporter: r.Reporter, Reported: r.Reported, Seq: r.Seq + 1, At: r.At, Withdrawn: true}
	for name, one := range map[string]struct {
		r    Report
		want string
	}{
		"with its wording": {r, goldenReport},
		"withdrawn":        {back, goldenWithdrawal},
	} {
		b, err := one.r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != one.want {
			t.Errorf("%s: encoded as\n%s, want\n%s", name, got, one.want)
		}
		if got, err := OpenReport(signReport(t, 1, one.r)); err != nil || got.Reported != r.Reported || got.Withdrawn != one.r.Withdrawn {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestHostileReports: what proves nothing is not believed, whoever signs it.
func TestHostileReports(t *testing.T) {
	const me, reporter, reported, other = 9, 1, 2, 3
	day := uint64((24 * time.Hour).Milliseconds())
	for name, one := range map[string]struct {
		by     byte
		change func(*Report)
		want   error
	}{
		"as it should be":                 {reporter, func(*Report) {}, nil},
		"30 days old":                     {reporter, func(r *Report) { r.Evidence.Seen = r.At - 30*day }, nil},
		"with its wording":                {reporter, func(r *Report) { r.Evidence.Shown = &Ask{ID: AskID{7}, Permissions: Messages, Wording: "buy my stuff"} }, nil},
		"without evidence":                {reporter, func(r *Report) { r.Evidence = nil }, ErrReport},
		"without a proof":                 {reporter, func(r *Report) { r.Evidence.Proof = nil }, ErrReport},
		"evidence signed by another":      {reporter, func(r *Report) { e := prove(t, other, r.Reporter, Ask{Wording: "x"}); r.Evidence = &e }, ErrEvidence},
		"evidence about another subject":  {reporter, func(r *Report) { e := prove(t, reported, testODID(t, other), Ask{Wording: "x"}); r.Evidence = &e }, ErrEvidence},
		"evidence of another ask":         {reporter, func(r *Report) { r.Evidence.Ask[0]++ }, ErrEvidence},
		"another wording than it signed":  {reporter, func(r *Report) { r.Evidence.Shown = &Ask{ID: AskID{7}, Permissions: Messages, Wording: "worse"} }, ErrEvidence},
		"old evidence":                    {reporter, func(r *Report) { r.Evidence.Seen = r.At - 30*day - 1 }, ErrEvidence},
		"seen later than reported":        {reporter, func(r *Report) { r.Evidence.Seen = r.At + 1 }, ErrEvidence},
		"seen at the beginning of time":   {reporter, func(r *Report) { r.Evidence.Seen = 0 }, ErrEvidence},
		"signed by another":               {other, func(*Report) {}, ErrReportSignature},
		"a third device's, by the sender": {reporter, func(r *Report) { r.Reporter = testODID(t, other) }, ErrReportSignature},
		"about its own author":            {reporter, func(r *Report) { r.Reported = r.Reporter }, ErrReport},
		"withdrawn, with evidence":        {reporter, func(r *Report) { r.Withdrawn = true }, ErrReport},
		"without a number":                {reporter, func(r *Report) { r.Seq = 0 }, ErrReport},
		"a wording that is too long": {reporter, func(r *Report) {
			r.Evidence.Shown = &Ask{Wording: strings.Repeat("x", 101)}
		}, ErrReport},
	} {
		r := newReport(t, reporter, reported)
		one.change(&r)
		if _, err := OpenReport(signReport(t, one.by, r)); !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
	for name, one := range map[string]struct {
		from byte
		at   time.Duration
		r    Report
		fits bool
	}{
		"of its author":                {reporter, 0, newReport(t, reporter, reported), true},
		"90 days later":                {reporter, ReportLife, newReport(t, reporter, reported), true},
		"of a clock that is ahead":     {reporter, -reportClockSlip, newReport(t, reporter, reported), true},
		"brought by another":           {other, 0, newReport(t, reporter, reported), false},
		"about me":                     {reporter, 0, newReport(t, reporter, me), false},
		"older than 90 days":           {reporter, ReportLife + time.Millisecond, newReport(t, reporter, reported), false},
		"of a clock that is far ahead": {reporter, -reportClockSlip - time.Millisecond, newReport(t, reporter, reported), false},
	} {
		if err := one.r.Admissible(testODID(t, one.from), testODID(t, me), reportedAt.Add(one.at)); (err == nil) != one.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithheldWordingTellsNothing: what a report carries of an ask is a digest over a
// random id, and no byte of what was written.
func TestWithheldWordingTellsNothing(t *testing.T) {
	b, err := newReport(t, 1, 2).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "buy my stuff") {
		t.Error("the wording is in it")
	}
	d, _ := Ask{ID: AskID{8}, Permissions: Messages, Wording: "buy my stuff"}.Digest()
	if strings.Contains(string(b), string(d[:])) {
		t.Error("the digest does not depend on the id")
	}
}

// TestQuarantined is the rule in rows.
func TestQuarantined(t *testing.T) {
	now := reportedAt
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	acc := func(by byte, paired bool, heard int) Accusation {
		return Accusation{Reporter: ODID{by}, Paired: paired, Heard: day(heard), Lapses: day(heard + 90)}
	}
	for name, one := range map[string]struct {
		accused  Trust
		all      []Accusation
		released time.Time
		until    int // days, 0 for none
	}{
		"nobody":                        {Untrusted, nil, time.Time{}, 0},
		"two":                           {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2)}, time.Time{}, 0},
		"three":                         {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5)}, time.Time{}, 85},
		"four: the third last counts":   {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5), acc(4, true, -9)}, time.Time{}, 85},
		"two, one of them often":        {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(2, true, -3), acc(2, true, -4)}, time.Time{}, 0},
		"three, one of them unpaired":   {Untrusted, []Accusation{acc(1, true, -1), acc(2, false, -2), acc(3, true, -5)}, time.Time{}, 0},
		"a hundred unpaired":            {Untrusted, many(100, func(i int) Accusation { return acc(byte(i), false, -1) }), time.Time{}, 0},
		"three on a paired contact":     {Paired, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5)}, time.Time{}, 0},
		"three, of long ago":            {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -90)}, time.Time{}, 0},
		"released after all of them":    {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5)}, day(-1), 0},
		"released before all of them":   {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5)}, day(-6), 85},
		"released after some of them":   {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -5)}, day(-3), 0},
		"and reported three times anew": {Untrusted, []Accusation{acc(1, true, -1), acc(2, true, -2), acc(3, true, -2)}, day(-3), 88},
	} {
		until, yes := Quarantined(one.accused, one.all, one.released, now)
		if yes != (one.until != 0) || yes && !until.Equal(day(one.until)) {
			t.Errorf("%s: %v, %v", name, until, yes)
		}
	}
}

func many[T any](n int, f func(i int) T) (all []T) {
	for i := range n {
		all = append(all, f(i))
	}
	return all
}

// TestQuarantineNeedsThreePaired: whatever is reported by whomever, there are three
// paired reporters behind a quarantine, and one report more never ends one.
func TestQuarantineNeedsThreePaired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := reportedAt
		paired := make(map[ODID]bool)
		var all []Accusation
		for range rapid.IntRange(0, 12).Draw(t, "reports") {
			a := Accusation{
				Reporter: ODID{byte(rapid.IntRange(1, 5).Draw(t, "by"))},
				Heard:    now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "days")) * 24 * time.Hour),
			}
			a.Lapses = a.Heard.Add(ReportLife)
			if p, known := paired[a.Reporter]; known {
				a.Paired = p
			} else {
				a.Paired = rapid.Bool().Draw(t, "paired")
				paired[a.Reporter] = a.Paired
			}
			all = append(all, a)
		}
		count := make(map[ODID]bool)
		for _, a := range all {
			if a.Paired && a.Lapses.After(now) {
				count[a.Reporter] = true
			}
		}
		until, yes := Quarantined(Untrusted, all, time.Time{}, now)
		if yes != (len(count) >= 3) {
			t.Fatalf("%v of %d paired reporters", yes, len(count))
		}
		if _, now := Quarantined(Untrusted, all, time.Time{}, until.Add(-time.Millisecond)); yes && !now {
			t.Fatal("it ends before it is said to")
		}
		if _, still := Quarantined(Untrusted, all, time.Time{}, until); yes && still {
			t.Fatal("it goes on when it is said to end")
		}
		if _, more := Quarantined(Untrusted, append(all, Accusation{ODID{9}, true, now, now.Add(ReportLife)}), time.Time{}, now); yes && !more {
			t.Fatal("one report more ends it")
		}
	})
}

func TestRebuked(t *testing.T) {
	day := 24 * time.Hour
	var all []Rebuke
	lock := false
	for i, one := range []struct {
		by   byte
		at   time.Duration
		lock bool
	}{
		{1, 0, false}, {1, day, false}, {1, 2 * day, false}, // one device, however often
		{2, 3 * day, false}, {3, 32*day + time.Millisecond, false}, // the first is forgotten
		{4, 32*day + 2*time.Millisecond, true},     // 2, 3 and 4
		{5, 33 * day, false}, {6, 33 * day, false}, // those that locked count no more
		{7, 34 * day, true},
	} {
		if all, lock = Rebuked(all, ODID{one.by}, reportedAt.Add(one.at)); lock != one.lock {
			t.Errorf("%d: lock %v with %v", i, lock, all)
		}
	}
}

func TestWordingKey(t *testing.T) {
	same := func(a, b string) bool {
		x, xs := WordingKey(a)
		y, ys := WordingKey(b)
		return x == y && xs && ys
	}
	if !same("Earn money from home!!", "earn  MONEY from home 💰") {
		t.Error("signs and case make another wording")
	}
	if same("Earn money from home", "Earn money from Rome") {
		t.Error("another letter makes no other wording")
	}
	if _, counts := WordingKey("Hello there"); counts {
		t.Error("a greeting counts")
	}
	var w Writings
	for i, by := range []byte{1, 1, 2, 1} {
		if w = w.Add(ODID{by}, reportedAt.Add(time.Duration(i)*time.Hour)); w.Copied() {
			t.Errorf("copied by two: %v", w)
		}
	}
	if !w.Add(ODID{3}, reportedAt.Add(5*time.Hour)).Copied() {
		t.Error("not copied by three")
	}
	if w.Add(ODID{3}, reportedAt.Add(31*24*time.Hour)).Copied() {
		t.Error("copied, a month later")
	}
}

// FuzzReport lets anybody send anything as a report: what is opened is whole, and
// comes back byte for byte.
func FuzzReport(f *testing.F) {
	s := signReport(f, 1, newReport(f, 1, 2))
	f.Add(s.Bytes, s.Sig)
	f.Add([]byte{0xa0}, []byte{})
	f.Fuzz(func(t *testing.T, b, sig []byte) {
		r, err := OpenReport(Signed{b, sig})
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil || len(again) > MaxReportSize {
			t.Fatalf("%+v: %d bytes, %v", r, len(again), err)
		}
	})
}

const (
	goldenReport     = "a50158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0258208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394031b0000019de368f600041b0000019de368f60005a401582019947fa4d27c5950b19224ce76114077305473db345f402410472dfb2201f4a502584031e07bbcf58bd7b351151453c017592c50aac9cc428ad9f958010b363262ad82a9a9ef5f83385bfc0f8ac39705daf2fca71fde451fc4e6f8e88533198771090b031b0000019de332078004a30150070000000000000000000000000000000281686d65737361676573036c627579206d79207374756666"
	goldenWithdrawal = "a50158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0258208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394031b0000019de368f601041b0000019de368f60006f5"
)
