package relation

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
)

// reporting stands for the package that keeps reports.
type reporting struct {
	accused map[contact.ODID]time.Time // when enough had reported a device
	rebuked []contact.ODID
	reports map[contact.ODID]contact.Evidence
	shared  bool
	locked  time.Time
}

func (r *reporting) Accused(_ *store.Tx, peer contact.ODID, after time.Time) (bool, error) {
	at, yes := r.accused[peer]
	return yes && at.After(after), nil
}

func (r *reporting) Report(_ *store.Tx, peer contact.ODID, e contact.Evidence, share bool) error {
	r.reports[peer], r.shared = e, share
	return nil
}

func (r *reporting) Withdraw(_ *store.Tx, peer contact.ODID) error {
	delete(r.reports, peer)
	return nil
}

func (r *reporting) Rebuked(_ *store.Tx, peer contact.ODID) error {
	r.rebuked = append(r.rebuked, peer)
	return nil
}

func (r *reporting) LockedUntil(*store.Tx) (time.Time, error) { return r.locked, nil }

// newReporting returns a device, and the part of it that keeps reports.
func newReporting(t *testing.T, self *identity.Identity) (*Service, *reporting) {
	t.Helper()
	s := newTestService(t, self)
	r := &reporting{accused: make(map[contact.ODID]time.Time), reports: make(map[contact.ODID]contact.Evidence)}
	s.cfg.Spam = r
	return s, r
}

// wants is the statement of somebody that asks.
func wants(seq uint64, wording string) func(*contact.Statement) {
	return func(s *contact.Statement) {
		s.Seq = seq
		s.Ask = &contact.Ask{ID: contact.AskID{byte(seq)}, Permissions: contact.Messages, Wording: wording}
	}
}

// lists fails unless so many requests wait and so many are in quarantine, and the
// tables agree with each other.
func lists(t *testing.T, s *Service, waiting int, held ...contact.Suspicion) {
	t.Helper()
	in, err := s.Requests(true)
	if err != nil || len(in) != waiting {
		t.Fatalf("%d wait, want %d: %v", len(in), waiting, err)
	}
	q, err := s.Quarantine()
	if err != nil || len(q) != len(held) {
		t.Fatalf("%d in quarantine, want %d: %v", len(q), len(held), err)
	}
	for i, r := range q {
		if r.Held != held[i] || r.Until.IsZero() {
			t.Fatalf("in quarantine since %v, until %v; want %v", r.Held, r.Until, held[i])
		}
	}
	if n, err := s.Held(); err != nil || n != len(held) {
		t.Fatalf("%d held, %v", n, err)
	}
	var d store.Damages
	if err := s.cfg.DB.View(func(tx *store.Tx) error { return Check(tx, s.self, &d) }); err != nil || len(d) > 0 {
		t.Fatalf("%v, %v", d, err)
	}
}

func TestSameWordingOfThree(t *testing.T) {
	self := testIdentity(t, 1)
	s, _ := newReporting(t, self)
	for i, wording := range []string{"Earn money from home", "earn money from home!!", "EARN MONEY, from home"} {
		lists(t, s, i)
		from := testIdentity(t, byte(2+i))
		hears(t, s, from.Self(), say(t, from, self, wants(1, wording)))
	}
	lists(t, s, 0, contact.SuspectedCopy, contact.SuspectedCopy, contact.SuspectedCopy)
	for i := range 5 { // who greets alike is let be
		from := testIdentity(t, byte(10+i))
		hears(t, s, from.Self(), say(t, from, self, wants(1, "Hi there!")))
	}
	lists(t, s, 5, contact.SuspectedCopy, contact.SuspectedCopy, contact.SuspectedCopy)
}

// TestQuarantineIsBounded: the oldest makes room, and those that wait keep theirs.
func TestQuarantineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		self := testIdentity(t, 1)
		s, r := newReporting(t, self)
		p := free()
		p.MaxWaiting = 2
		s.cfg.Policy = func() contact.Policy { return p }
		for i := range 4 {
			from := testIdentity(t, byte(2+i))
			r.accused[from.Self()] = time.Now()
			time.Sleep(time.Hour)
			hears(t, s, from.Self(), say(t, from, self, wants(1, "May I?")))
		}
		lists(t, s, 0, contact.SuspectedReports, contact.SuspectedReports)
		if q, err := s.Quarantine(); err != nil || q[1].ODID != testIdentity(t, 4).Self() {
			t.Errorf("the oldest is %v, %v", q[1].ODID.Short(), err)
		}
		if _, known := sides(t, s, testIdentity(t, 2).Self()); known.Theirs != nil {
			t.Error("what made room is kept")
		}
		from := testIdentity(t, 9)
		hears(t, s, from.Self(), say(t, from, self, wants(1, "May I?")))
		lists(t, s, 1, contact.SuspectedReports, contact.SuspectedReports)
		time.Sleep(contact.QuarantineTime)
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
		lists(t, s, 1)
	})
}

// TestReportsComeAndGo: what waits goes to quarantine, and comes back when nobody
// accuses any more, or the user lets it out.
func TestReportsComeAndGo(t *testing.T) {
	self, from := testIdentity(t, 1), testIdentity(t, 2)
	s, r := newReporting(t, self)
	hears(t, s, from.Self(), say(t, from, self, wants(1, "May I?")))
	again := func() {
		t.Helper()
		if err := s.cfg.DB.Update(func(tx *store.Tx) error { return s.Reconsider(tx, from.Self()) }); err != nil {
			t.Fatal(err)
		}
	}
	again()
	lists(t, s, 1)
	r.accused[from.Self()] = time.Now()
	again()
	again()
	lists(t, s, 0, contact.SuspectedReports)
	delete(r.accused, from.Self())
	if err := s.sweep(); err != nil {
		t.Fatal(err)
	}
	lists(t, s, 1)
	r.accused[from.Self()] = time.Now().Add(-time.Minute)
	again()
	if failed, err := s.Release([]string{from.Self().String()}); err != nil || failed[0] != nil {
		t.Fatal(failed, err)
	}
	again()
	lists(t, s, 1)
	hears(t, s, from.Self(), say(t, from, self, wants(2, "May I now?")))
	lists(t, s, 1) // it was released
	r.accused[from.Self()] = time.Now().Add(time.Hour)
	again()
	lists(t, s, 0, contact.SuspectedReports)
	hears(t, s, from.Self(), say(t, from, self, func(st *contact.Statement) { st.Seq = 3 }))
	lists(t, s, 0) // taken back
}

// TestAskWithoutProof: nobody could report it, so a stranger's is not taken.
func TestAskWithoutProof(t *testing.T) {
	self, from := testIdentity(t, 1), testIdentity(t, 2)
	s := newTestService(t, self)
	st := contact.Statement{Author: from.Self(), Subject: self.Self(), Seq: 1}
	wants(1, "May I?")(&st)
	b, err := st.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := hears(t, s, from.Self(), frameOf(t, frame{Mine: &contact.Signed{Bytes: b, Sig: signBytes(t, 2, b)}})); got[0] == "" {
		t.Error("not acknowledged")
	}
	lists(t, s, 0)
	if _, known := sides(t, s, from.Self()); known.Theirs != nil {
		t.Error("it is kept")
	}
}

// TestReportNeedsEvidence: what can't be proven can be blocked.
func TestReportNeedsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		self, from := testIdentity(t, 1), testIdentity(t, 2)
		s, r := newReporting(t, self)
		hears(t, s, from.Self(), say(t, from, self, wants(1, "May I?")))
		time.Sleep(contact.MaxEvidenceAge + time.Hour)
		report := func(a Answer) error {
			a.Response = Report
			_, failed, err := s.Answer([]string{from.Self().String()}, false, a)
			return errors.Join(append(failed, err)...)
		}
		var invalid *contact.InvalidError
		if err := report(Answer{}); !errors.As(err, &invalid) {
			t.Fatalf("heard 31 days ago: %v", err)
		}
		lists(t, s, 1)
		hears(t, s, from.Self(), say(t, from, self, wants(2, "Well, may I?")))
		if err := report(Answer{WithWording: true, NoShare: true}); err != nil {
			t.Fatal(err)
		}
		e := r.reports[from.Self()]
		if e.Shown == nil || e.Shown.Wording != "Well, may I?" || r.shared {
			t.Errorf("%+v, shared %v", e, r.shared)
		}
		lists(t, s, 0)
		row, st := sides(t, s, from.Self())
		if !row.Marks.Reported || st.Mine.Listed || st.Mine.Answer == nil || st.Mine.Answer.Verdict != contact.Reported {
			t.Errorf("%+v, %+v", row.Marks, st.Mine)
		}
		if err := s.Unblock(from.Self()); err != nil || len(r.reports) != 0 {
			t.Errorf("unblocked: %v, %d reports", err, len(r.reports))
		}
	})
}

// TestFullBlocklistReportsNothing: a report that can't block is none.
func TestFullBlocklistReportsNothing(t *testing.T) {
	self, from := testIdentity(t, 1), testIdentity(t, 2)
	s, r := newReporting(t, self)
	p := free()
	p.MaxBlocked = 0
	s.cfg.Policy = func() contact.Policy { return p }
	hears(t, s, from.Self(), say(t, from, self, wants(1, "May I?")))
	_, failed, err := s.Answer([]string{from.Self().String()}, false, Answer{Response: Report})
	var limit *contact.LimitError
	if err != nil || !errors.As(failed[0], &limit) || len(r.reports) != 0 {
		t.Errorf("%v, %v, %d reports", failed, err, len(r.reports))
	}
	lists(t, s, 1)
}

// TestUnknownDigestsLockNothing: only the answer to just what was asked counts, once.
func TestUnknownDigestsLockNothing(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	s, r := newReporting(t, self)
	if _, _, err := s.Add(peer.Self(), AddOptions{Wording: "May I?", Ask: contact.Messages}); err != nil {
		t.Fatal(err)
	}
	_, said := sides(t, s, peer.Self())
	right, err := said.Mine.Ask.Digest()
	if err != nil {
		t.Fatal(err)
	}
	answers := func(seq uint64, d contact.Digest) {
		hears(t, s, peer.Self(), say(t, peer, self, func(st *contact.Statement) {
			*st = st.Unlist(0)
			st.Seq, st.Answer = seq, &contact.Answer{Digest: d, Verdict: contact.Reported}
		}))
	}
	for i := range byte(10) {
		answers(uint64(i+1), contact.Digest{i})
	}
	if len(r.rebuked) != 0 {
		t.Fatalf("rebuked by answers to what was never asked: %v", r.rebuked)
	}
	for i := range 3 {
		answers(uint64(20+i), right)
	}
	if len(r.rebuked) != 1 || r.rebuked[0] != peer.Self() {
		t.Errorf("%v", r.rebuked)
	}
	r.locked = time.Now().Add(time.Hour)
	if _, err := s.Ask(peer.Self(), AskOptions{Permissions: contact.Audio, Wording: "May I?"}); !errors.Is(err, ErrLocked) {
		t.Errorf("asked while locked: %v", err)
	}
}
