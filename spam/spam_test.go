package spam

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// world is one device with the feature, and what it knows of others.
type world struct {
	*Service
	t      testing.TB
	id     *identity.Identity
	paired map[contact.ODID]bool
	again  map[contact.ODID]int // how often the request of a device was looked at anew
}

func testIdentity(t testing.TB, name byte) *identity.Identity {
	t.Helper()
	id, err := identity.FromSeed([32]byte{name})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newWorld(t testing.TB, name byte) *world {
	t.Helper()
	w := &world{t: t, id: testIdentity(t, name), paired: make(map[contact.ODID]bool), again: make(map[contact.ODID]int)}
	db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{NoSync: true}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.Service, err = New(Config{
		DB: db, Identity: w.id, Network: memnet.New(memnet.Options{}).Device(w.id.Self()),
		Relation: func(_ *store.Tx, peer contact.ODID) (contact.View, bool, error) {
			v := contact.View{Trust: contact.Untrusted}
			if w.paired[peer] {
				v.Trust = contact.Paired
			}
			return v, true, nil
		},
		Reconsider: func(_ *store.Tx, peer contact.ODID) error {
			w.again[peer]++
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// evidence is what reported signed on an ask of reporter.
func evidence(t testing.TB, reported *identity.Identity, reporter contact.ODID, seen time.Time) contact.Evidence {
	t.Helper()
	signed, err := reported.SignStatement(contact.Statement{
		Author: reported.Self(), Subject: reporter, Seq: 1, Ask: &contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "buy my stuff"},
	})
	if err != nil {
		t.Fatal(err)
	}
	st, err := signed.Open()
	if err != nil {
		t.Fatal(err)
	}
	d, err := st.Ask.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return contact.Evidence{Ask: d, Proof: st.Ask.Proof, Seen: uint64(seen.UnixMilli())}
}

// report is a report of now with a number.
func report(t testing.TB, by, on *identity.Identity, seq uint64, change ...func(*contact.Report)) contact.Signed {
	t.Helper()
	now := time.Now()
	e := evidence(t, on, by.Self(), now)
	r := contact.Report{Reporter: by.Self(), Reported: on.Self(), Seq: seq, At: uint64(now.UnixMilli()), Evidence: &e}
	for _, f := range change {
		f(&r)
	}
	signed, err := by.SignReport(r)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func withdrawn(r *contact.Report) { r.Evidence, r.Withdrawn = nil, true }

// hears fails unless a report is answered like that; 0 for one that breaks the stream.
func (w *world) hears(from *identity.Identity, r contact.Signed, want outcome) {
	w.t.Helper()
	if is, err := w.take(from.Self(), r); is != want || (err != nil) != (want == 0) {
		w.t.Fatalf("%d, %v; want %d", is, err, want)
	}
}

func (w *world) accused(on *identity.Identity) (yes bool) {
	w.t.Helper()
	err := w.cfg.DB.View(func(tx *store.Tx) (err error) {
		yes, err = w.Accused(tx, on.Self(), time.Time{})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return yes
}

func (w *world) holds(n int) {
	w.t.Helper()
	if list, err := w.Reports(); err != nil || len(list) != n {
		w.t.Fatalf("%d reports, want %d: %v", len(list), n, err)
	}
}

// crowd returns identities.
func crowd(t testing.TB, from byte, n int) (all []*identity.Identity) {
	for i := range n {
		all = append(all, testIdentity(t, from+byte(i)))
	}
	return all
}

// TestHostileReports: what proves nothing is not kept, and ends the stream.
func TestHostileReports(t *testing.T) {
	w := newWorld(t, 1)
	by, on, other := testIdentity(t, 2), testIdentity(t, 3), testIdentity(t, 4)
	w.paired[by.Self()] = true
	for name, r := range map[string]contact.Signed{
		"evidence signed by another": report(t, by, on, 5, func(r *contact.Report) {
			e := evidence(t, other, by.Self(), time.Now())
			r.Evidence = &e
		}),
		"evidence about another subject": report(t, by, on, 5, func(r *contact.Report) {
			e := evidence(t, on, other.Self(), time.Now())
			r.Evidence = &e
		}),
		"old evidence": report(t, by, on, 5, func(r *contact.Report) {
			r.Evidence.Seen -= uint64((contact.MaxEvidenceAge + time.Hour).Milliseconds())
		}),
		"of a third device": report(t, other, on, 5),
		"no report":         {Bytes: []byte{0xa0}, Sig: []byte{1}},
		"signature of another": {
			Bytes: report(t, by, on, 5).Bytes, Sig: report(t, other, on, 5).Sig,
		},
		"without evidence": func() contact.Signed {
			b, err := codec.Marshal(contact.Report{Reporter: by.Self(), Reported: on.Self(), Seq: 5, At: uint64(time.Now().UnixMilli())})
			if err != nil {
				t.Fatal(err)
			}
			return contact.Signed{Bytes: b, Sig: make([]byte, 64)}
		}(),
	} {
		if is, err := w.take(by.Self(), r); err == nil {
			t.Errorf("%s: %d", name, is)
		}
	}
	w.holds(0)
	w.hears(by, report(t, by, on, 5), done)
	w.holds(1)
	if c := w.Counts(); c.Refused != 7 || c.Taken != 1 {
		t.Errorf("%+v", c)
	}
}

// TestThousandReportsOfOneDevice: 20 are kept, and the others cost neither a
// signature's check nor a commit. A day later there are 20 more.
func TestThousandReportsOfOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		by := testIdentity(t, 2)
		w.paired[by.Self()] = true
		for i, on := range crowd(t, 10, contact.MaxReportsADay) {
			w.hears(by, report(t, by, on, uint64(i+1)), done)
		}
		more, commits := report(t, by, testIdentity(t, 100), 50), w.cfg.DB.Commits()
		for range 980 {
			w.hears(by, more, later)
		}
		if n := w.cfg.DB.Commits() - commits; n != 0 {
			t.Errorf("%d commits", n)
		}
		w.hears(by, contact.Signed{Bytes: more.Bytes, Sig: []byte("not looked at")}, later)
		w.holds(contact.MaxReportsADay)
		for i, on := range crowd(t, 10, contact.MaxReportsADay) {
			w.hears(by, report(t, by, on, uint64(100+i), withdrawn), done) // what was said can be taken back
		}
		w.hears(by, report(t, by, testIdentity(t, 10), 200, withdrawn), later)
		w.holds(0)
		time.Sleep(24 * time.Hour)
		w.hears(by, more, done)
	})
}

// TestUnpairedReportersAreNotHeard: a hundred colluding devices count as much as none,
// also if the gate let them in just before they were unpaired.
func TestUnpairedReportersAreNotHeard(t *testing.T) {
	w := newWorld(t, 1)
	on := testIdentity(t, 200)
	for i, by := range crowd(t, 50, 100) {
		w.hears(by, report(t, by, on, uint64(i+1)), later)
	}
	w.holds(0)
	three := crowd(t, 2, 3)
	for i, by := range three {
		if w.accused(on) {
			t.Fatalf("accused by %d", i)
		}
		w.paired[by.Self()] = true
		w.hears(by, report(t, by, on, 1), done)
	}
	if !w.accused(on) || w.again[on.Self()] != 3 {
		t.Errorf("not accused by three; looked at anew %d times", w.again[on.Self()])
	}
	w.paired[three[0].Self()] = false
	if w.accused(on) {
		t.Error("accused by one that is paired no more")
	}
}

func TestReportOnAPairedContactCountsNothing(t *testing.T) {
	w := newWorld(t, 1)
	on := testIdentity(t, 9)
	w.paired[on.Self()] = true
	for _, by := range crowd(t, 2, 3) {
		w.paired[by.Self()] = true
		w.hears(by, report(t, by, on, 1), done)
	}
	if w.accused(on) {
		t.Error("accused")
	}
	list, err := w.Reports()
	if err != nil || len(list) != 3 || !list[0].Paired || list[0].Counts {
		t.Errorf("no warning: %+v, %v", list, err)
	}
}

func TestReportAboutMe(t *testing.T) {
	w := newWorld(t, 1)
	by := testIdentity(t, 2)
	w.paired[by.Self()] = true
	commits := w.cfg.DB.Commits()
	w.hears(by, report(t, by, w.id, 1), done)
	w.holds(0)
	if n := w.cfg.DB.Commits() - commits; n != 0 {
		t.Errorf("%d commits", n)
	}
}

// TestReplayedReportAfterWithdrawal: a report that was taken back is not taken again,
// now or when both are forgotten.
func TestReplayedReportAfterWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		by, on := testIdentity(t, 2), testIdentity(t, 3)
		w.paired[by.Self()] = true
		time.Sleep(time.Hour)
		first := report(t, by, on, 1, func(r *contact.Report) { r.At += uint64((23 * time.Hour).Milliseconds()) }) // its clock is ahead
		w.hears(by, first, done)
		w.hears(by, first, done)
		w.holds(1)
		w.hears(by, report(t, by, on, 2, withdrawn), done)
		w.holds(0)
		for range 4 * 91 {
			w.hears(by, first, done)
			w.holds(0)
			time.Sleep(6 * time.Hour)
			if err := w.sweep(); err != nil {
				t.Fatal(err)
			}
		}
		rows := 0
		err := w.cfg.DB.View(func(tx *store.Tx) error {
			for _, err := range reports.Scan(tx, store.Range{}) {
				if err != nil {
					return err
				}
				rows++
			}
			return nil
		})
		if err != nil || rows != 0 {
			t.Errorf("%d rows left, %v", rows, err)
		}
		w.hears(by, report(t, by, on, 3), done) // a new one counts
		w.holds(1)
	})
}

// TestOwnReports: reported, withdrawn and forgotten, with rising numbers.
func TestOwnReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		friend, on, quiet := testIdentity(t, 2), testIdentity(t, 3), testIdentity(t, 4)
		say := func(on *identity.Identity, share bool) {
			t.Helper()
			err := w.cfg.DB.Update(func(tx *store.Tx) error {
				return w.Report(tx, on.Self(), evidence(t, on, w.id.Self(), time.Now()), share)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		owes := func() (yes bool) {
			t.Helper()
			err := w.cfg.DB.View(func(tx *store.Tx) (err error) {
				yes, err = w.Owes(tx, friend.Self())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		w.paired[friend.Self()] = true
		say(quiet, false)
		if owes() {
			t.Error("owes what is not shared")
		}
		say(on, true)
		w.holds(2)
		list, err := w.untold(friend.Self())
		if err != nil || len(list) != 1 || !owes() {
			t.Fatalf("%+v, %v", list, err)
		}
		if r, err := contact.OpenReport(list[0].Report); err != nil || r.Reported != on.Self() || r.Evidence.Shown != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		if err := w.TakeBack(on.Self()); err != nil {
			t.Fatal(err)
		}
		if err := w.TakeBack(on.Self()); !errors.Is(err, ErrNoReport) {
			t.Errorf("twice: %v", err)
		}
		again, err := w.untold(friend.Self())
		if err != nil || len(again) != 1 || again[0].Seq <= list[0].Seq {
			t.Fatalf("%+v, %v", again, err)
		}
		if err := w.TakeBack(quiet.Self()); err != nil {
			t.Fatal(err)
		}
		w.holds(0)
		w.paired[friend.Self()] = false
		if owes() {
			t.Error("owes somebody who is not paired")
		}
		w.paired[friend.Self()] = true
		var found store.Damages
		if err := w.cfg.DB.View(func(tx *store.Tx) error { return Check(tx, w.id.Self(), &found) }); err != nil || len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
		time.Sleep(contact.ReportLife)
		if err := w.sweep(); err != nil {
			t.Fatal(err)
		}
		if owes() {
			t.Error("owes what is forgotten")
		}
	})
}

// TestGoldenBytes holds the formats of wire and disk: a change here needs a new
// version of the protocol, or a migration.
func TestGoldenBytes(t *testing.T) {
	signed := contact.Signed{Bytes: []byte{1}, Sig: []byte{2}}
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"a report", request{signed}, "a101a2014101024102"},
		{"done", response{done}, "a10101"},
		{"later", response{later}, "a10102"},
		{"own", own{Report: signed, Seq: 3, Share: true, At: 5}, "a401a2014101024102020303f50405"},
		{"heard", heard{Report: signed, Seq: 3, Withdrawn: true, At: 5, Lapses: 6}, "a501a2014101024102020303f504050506"},
		{"quota", quota{Since: 1, Taken: 2}, "a201010202"},
		{"told", told{Seq: 1}, "a10101"},
		{"self", self{Seq: 1, Shared: 2, Rebukes: []contact.Rebuke{{By: contact.ODID{3}, At: 4}}, Locked: 5},
			"a4010102020381a201582003" + strings.Repeat("00", 31) + "02040405"},
	} {
		b, err := codec.Marshal(test.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != test.want {
			t.Errorf("%s: encoded as %s, want %s", test.name, got, test.want)
		}
	}
}

// talker is a stream on which the peer says in and hears what is written.
type talker struct {
	peer contact.ODID
	in   *bytes.Reader
	out  bytes.Buffer
}

func (s *talker) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *talker) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s *talker) Close() error                { return nil }
func (s *talker) CloseWrite() error           { return nil }
func (s *talker) Reset() error                { return nil }
func (s *talker) SetDeadline(time.Time) error { return nil }
func (s *talker) Peer() contact.ODID          { return s.peer }

// FuzzHandle lets a paired contact say anything: there is one answer for each frame
// that was read, and nothing is kept that is no report.
func FuzzHandle(f *testing.F) {
	by, on := testIdentity(f, 2), testIdentity(f, 3)
	w := newWorld(f, 1)
	w.paired[by.Self()] = true
	var good bytes.Buffer
	if err := transport.WriteFrame(&good, request{report(f, by, on, 1)}, maxFrame); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, in []byte) {
		st := &talker{peer: by.Self(), in: bytes.NewReader(in)}
		w.Handle(context.Background(), st, contact.Serve)
		if n := st.out.Len(); n > 4*maxStream {
			t.Fatalf("answered %d bytes", n)
		}
		if list, err := w.Reports(); err != nil || len(list) > 1 {
			t.Fatalf("%+v, %v", list, err)
		}
	})
}

// FuzzExchange lets a contact answer anything.
func FuzzExchange(f *testing.F) {
	signed := report(f, testIdentity(f, 2), testIdentity(f, 3), 1)
	f.Add([]byte{3, 0xa1, 1, 1})
	f.Add([]byte{3, 0xa1, 1, 3})
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		st := &talker{in: bytes.NewReader(in)}
		is, err := exchange(st, transport.NewFrameReader(st, maxFrame), signed)
		if err == nil && is != done && is != later {
			t.Fatalf("taken as %d", is)
		}
	})
}
