package contact

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	held, same, other := Signed{Bytes: []byte("held")}, Signed{Bytes: []byte("held")}, Signed{Bytes: []byte("other")}
	for _, tt := range []struct {
		name string
		held *Signed
		high uint64
		got  Signed
		seq  uint64
		want Arrival
	}{
		{"the first ever", nil, 0, other, 1, Fresh},
		{"newer", &held, 5, other, 6, Fresh},
		{"newer after a removal dropped the held one", nil, 5, other, 6, Fresh},
		{"the one held", &held, 5, same, 5, Same},
		{"the one held, signed anew", &held, 5, Signed{Bytes: []byte("held"), Sig: []byte("x")}, 5, Same},
		{"older", &held, 5, other, 4, Stale},
		{"older with the bytes of the held one", &held, 5, same, 4, Stale},
		{"seen once and dropped", nil, 5, other, 5, Stale},
		{"same seq, other bytes", &held, 5, other, 5, Conflicting},
		{"the first, as far ahead as may be", nil, 0, other, MaxSeqLeap, Fresh},
		{"the first, too far ahead", nil, 0, other, MaxSeqLeap + 1, Leaping},
		{"as far ahead as may be", &held, 5, other, MaxSeqLeap + 5, Fresh},
		{"too far ahead", &held, 5, other, MaxSeqLeap + 6, Leaping},
		{"enormous", &held, 5, other, 1 << 63, Leaping},
		{"the largest there is", &held, 5, other, math.MaxUint64, Leaping},
		{"the largest with the bytes of the held one", &held, 5, same, math.MaxUint64, Leaping},
		{"an older one after an enormous one", &held, 1 << 63, other, 6, Stale},
		{"the one after an enormous one", &held, 1 << 63, other, 1<<63 + 1, Fresh},
	} {
		if got := Judge(tt.held, Marks{TheirsSeq: tt.high}, tt.got, Statement{Seq: tt.seq}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOutrun(t *testing.T) {
	mine, same, other := Signed{Bytes: []byte("mine")}, Signed{Bytes: []byte("mine")}, Signed{Bytes: []byte("other")}
	for _, tt := range []struct {
		name  string
		mine  *Signed
		high  uint64
		shown Signed
		seq   uint64
		want  bool
	}{
		{"the newest", &mine, 5, same, 5, false},
		{"an older one", &mine, 5, other, 4, false},
		{"a newer one", &mine, 5, other, 6, true},
		{"a newer one of the same bytes", &mine, 5, same, 6, true},
		{"same seq, other bytes", &mine, 5, other, 5, true},
		{"one, and none is known", nil, 0, other, 1, true},
		{"the newest, which was lost", nil, 5, other, 5, true},
		{"an older one, all was lost but the mark", nil, 5, other, 4, false},
		{"one from far ahead, all was lost", nil, 0, other, MaxSeqLeap, true},
		{"one that leaps", &mine, 5, other, MaxSeqLeap + 6, false},
		{"the largest there is", &mine, 5, other, math.MaxUint64, false},
	} {
		if got := Outrun(tt.mine, Marks{MineSeq: tt.high}, tt.shown, Statement{Seq: tt.seq}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestTakeOverWithdrawsWhatWasWithdrawn(t *testing.T) {
	p, q := pairID("P"), pairID("Q")
	card := &CardGrant{1, 2}
	listed := func(g Permissions, pair *PairID, c *CardGrant) Statement {
		return Statement{Author: ODID{1}, Subject: ODID{2}, Seq: 9, At: 8, Listed: true, Grants: g, Pair: pair, Card: c}
	}
	a := ask(1)
	asking := listed(Messages, nil, nil)
	asking.Ask = &a
	answering := func(s Statement) Statement { return s.Respond(Digest{7}, Rejected, 0) }
	unlisted := Statement{Author: ODID{1}, Subject: ODID{2}, Seq: 9, At: 8}
	parting := unlisted
	parting.Part = 4
	for _, tt := range []struct {
		name              string
		mine, newer, want Statement
	}{
		{"removed since", listed(AllPermissions, p, card), unlisted, unlisted},
		{"removed on both sides since", listed(AllPermissions, p, card), parting, parting},
		{"removed since, with an ask open", asking, unlisted, unlisted},
		{"narrowed since", listed(AllPermissions, p, nil), listed(Messages, p, nil), listed(Messages, p, nil)},
		{"widened since: granted again by the user only", listed(Messages, p, nil), listed(AllPermissions, p, nil), listed(Messages, p, nil)},
		{"others granted since", listed(Messages|Audio, p, nil), listed(Messages|Video, p, nil), listed(Messages, p, nil)},
		{"card revoked since", listed(Messages, nil, card), listed(Messages, nil, nil), listed(Messages, nil, nil)},
		{"card given since", listed(Messages, nil, nil), listed(Messages, nil, card), listed(Messages, nil, nil)},
		{"trust dropped since", listed(Messages, p, nil), listed(Messages, nil, nil), listed(Messages, nil, nil)},
		{"paired since: its secret is lost", listed(Messages, nil, nil), listed(Messages, p, nil), listed(Messages, nil, nil)},
		{"paired anew since", listed(Messages, p, nil), listed(Messages, q, nil), listed(Messages, p, nil)},
		{"added since", unlisted, listed(AllPermissions, p, card), unlisted},
		{"ask taken back since", asking, listed(Messages, nil, nil), listed(Messages, nil, nil)},
		{"asked since", listed(Messages, nil, nil), asking, asking},
		{"added and asked since", unlisted, asking, unlisted},
		{"answered since", listed(Messages, nil, nil), answering(listed(Messages, nil, nil)), answering(listed(Messages, nil, nil))},
		{"answered in the older copy", answering(listed(Messages, nil, nil)), listed(Messages, nil, nil), answering(listed(Messages, nil, nil))},
		{"refused since", asking, answering(unlisted), answering(unlisted)},
	} {
		if got := TakeOver(tt.mine, tt.newer); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if got := TakeOver(tt.mine, tt.newer); got.check() != nil {
			t.Errorf("%s: %v", tt.name, got.check())
		}
	}
}

func TestHonourPart(t *testing.T) {
	for _, tt := range []struct {
		name        string
		part, seq   uint64
		added, done uint64
		want        bool
	}{
		{"not asked", 0, 10, 1, 0, false},
		{"asked", 5, 10, 1, 0, true},
		{"added with the very statement it names", 5, 10, 5, 0, true},
		{"added after the statement it names", 5, 10, 6, 0, false},
		{"honoured already", 5, 10, 1, 10, false},
		{"asked again", 7, 11, 6, 10, true},
		{"asked again, but added in between", 5, 11, 6, 10, false},
		{"never added explicitly", 5, 10, 0, 0, true},
		{"naming the newest", 9, 10, 1, 0, true},
		{"naming what was never said", 10, 10, 1, 0, false},
		{"naming the largest there is", math.MaxUint64, 10, 1, 0, false},
	} {
		m := Marks{AddedSeq: tt.added, PartSeq: tt.done, MineSeq: 9}
		if got := HonourPart(Statement{Seq: tt.seq, Part: tt.part}, m); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestNextRisesAboveAllThatWasIssued(t *testing.T) {
	now := time.UnixMilli(1000)
	prev := Statement{Author: ODID{1}, Subject: ODID{2}, Seq: 50, At: 5, Listed: true, Grants: Audio, Part: 3}
	for _, tt := range []struct {
		name string
		prev *Statement
		mark uint64
		want uint64
	}{
		{"the first", nil, 0, 1000},
		{"after a statement", &prev, 50, 1000},
		{"after one that is no longer held", nil, 5000, 5001},
		{"after a restore that learnt of a higher one", &prev, 7000, 7001},
	} {
		got := Next(ODID{1}, ODID{2}, tt.prev, Marks{MineSeq: tt.mark}, now)
		if got.Seq != tt.want || got.At != 1000 || got.Part != 0 || got.Author != (ODID{1}) || got.Subject != (ODID{2}) {
			t.Errorf("%s: %+v, want seq %d", tt.name, got, tt.want)
		}
		if tt.prev != nil && (!got.Listed || got.Grants != Audio) {
			t.Errorf("%s: the content changed: %+v", tt.name, got)
		}
	}
	if prev.Part != 3 || prev.Seq != 50 {
		t.Error("the previous statement was changed")
	}
	if got := Next(ODID{1}, ODID{2}, nil, Marks{}, time.UnixMilli(-5)); got.Seq != 1 || got.At != 0 {
		t.Errorf("with a clock before 1970: %+v", got)
	}
}

func TestRemovingAndBlockingIssueTheSame(t *testing.T) {
	st := fullStatement(t)
	got := st.Unlist(0)
	want := Statement{Author: st.Author, Subject: st.Subject, Seq: st.Seq, At: st.At}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v tells more than that it is not listed", got)
	}
	if got := st.Unlist(7); got.Part != 7 || got.Listed {
		t.Errorf("%+v", got)
	}
	if !st.Listed || st.Pair == nil {
		t.Error("the statement itself was changed")
	}
}

func TestActsOnStatements(t *testing.T) {
	var s Statement
	s = s.List(Messages)
	if !s.Listed || s.Grants != Messages || s.Pair != nil {
		t.Errorf("listed: %+v", s)
	}
	s = s.PairBy(PairID{1}, AllPermissions)
	if *s.Pair != (PairID{1}) || s.Grants != AllPermissions || !s.Listed {
		t.Errorf("paired: %+v", s)
	}
	if again := s.List(Messages); again.Pair == nil {
		t.Error("listing a paired contact again drops the pairing")
	}
	for p := range AllPermissions + 1 {
		for q := range AllPermissions + 1 {
			s.Grants = p
			if got := s.Narrow(q).Grants; got&^p != 0 || got&q != 0 || got|q&p != p {
				t.Fatalf("%v without %v is %v", p, q, got)
			}
		}
	}
}

func TestUnacknowledged(t *testing.T) {
	for _, tt := range []struct {
		mine  *Statement
		acked uint64
		want  bool
	}{
		{nil, 0, false},
		{&Statement{Seq: 2}, 0, true},
		{&Statement{Seq: 2}, 1, true},
		{&Statement{Seq: 2}, 2, false},
		{&Statement{Seq: 2}, 3, false},
	} {
		if got := Unacknowledged(tt.mine, Marks{AckedSeq: tt.acked}); got != tt.want {
			t.Errorf("%+v, %d acknowledged: %v", tt.mine, tt.acked, got)
		}
	}
}
