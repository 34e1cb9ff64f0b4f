package relation

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

func testIdentity(t testing.TB, seed byte) *identity.Identity {
	t.Helper()
	id, err := identity.FromSeed([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestGoldenBytes holds the formats of wire and disk: a change here breaks every
// device out there and needs a migration or a new protocol version.
func TestGoldenBytes(t *testing.T) {
	signed := &contact.Signed{Bytes: []byte{1}, Sig: []byte{2}}
	pair := contact.PairID{9}
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"frame", frame{Mine: signed, Yours: signed, Addresses: []transport.Address{"a"}}, "a301a2014101024102" + "02a2014101024102" + "03816161"},
		{"empty frame", frame{}, "a0"},
		{"frame without room", frame{Full: true}, "a104f5"},
		{"frame with a name", frame{Name: "n"}, "a105616e"},
		{"frame with a profile", frame{Profile: 1_700_000_000_001}, "a10a1b0000018bcfe56801"},
		{"frame without a place", frame{Yours: signed, Later: true}, "a202a201410102410206f5"},
		{"frame with a challenge", frame{Later: true, Challenge: &stamp.Challenge{Version: 1, At: 2, Bits: 6, Count: 3, Seal: stamp.Seal{9}}},
			"a206f50ba5010102020306040305" + "5009" + strings.Repeat("00", 15)},
		{"frame with stamps", frame{Stamps: &stamp.Proof{Challenge: stamp.Challenge{Version: 1, At: 2, Bits: 6, Count: 3, Seal: stamp.Seal{9}}, Nonces: []uint64{1, 2, 3}}},
			"a10ca201a5010102020306040305" + "5009" + strings.Repeat("00", 15) + "0283010203"},
		{"frame with a receipt", frame{Receipt: &contact.Receipt{9}}, "a10d5009" + strings.Repeat("00", 15)},
		{"stamped request", request{Bits: 6}, "a40150" + strings.Repeat("00", 16) + "02000358" + "20" + strings.Repeat("00", 32) + "0706"},
		{"sent ask with a receipt", sentAsk{ID: contact.AskID{1}, At: 5, Ordered: 2, Owes: true, Receipt: &contact.Receipt{9}},
			"a6015001" + strings.Repeat("00", 15) + "02050380" + "0402" + "05f5" + "065009" + strings.Repeat("00", 15)},
		{"brief frame", frame{Said: &digest{7}, Held: &digest{8}}, "a2075007" + strings.Repeat("00", 15) + "085008" + strings.Repeat("00", 15)},
		{"answer to a brief frame", frame{Same: true}, "a109f5"},
		{"what a device said", device{Held: &digest{7}}, "a203a0075007" + strings.Repeat("00", 15)},
		{"asks of a device", device{Asks: &asks{Since: 1, Taken: 2, Answered: &contact.Digest{3}}},
			"a203a006a30101020203582003" + strings.Repeat("00", 31)},
		{"request", request{ID: requestID{1}, At: 5, Digest: contact.Digest{3}, Name: "n", Stranger: true, Withdrawn: true},
			"a6015001" + strings.Repeat("00", 15) + "020503582003" + strings.Repeat("00", 31) + "04616e05f506f5"},
		{"sent ask", sentAsk{ID: contact.AskID{1}, At: 5, Gave: contact.Audio}, "a3015001" + strings.Repeat("00", 15) + "020503816561" + "7564696f"},
		{"asks for the card of a device", device{Asks: &asks{Card: &contact.Digest{3}}}, "a203a006a104582003" + strings.Repeat("00", 31)},
		{"sent ask for a card", sentCardAsk{ID: contact.AskID{1}, At: 5}, "a2015001" + strings.Repeat("00", 15) + "0205"},
		{"grant of the card", cardGrant{Since: 5}, "a10105"},
		{"revoked grant", cardGrant{Since: 5, Revoked: 6, Confirmed: true}, "a3010502060" + "3f5"},
		{"crowd", crowd{1, 2, 3, 4, 5, 6, 7, 8}, "a801010202030304040505060607070808"},
		{"crowd without a quarantine", crowd{Open: 1, Strangers: 2, Withdrawn: 3, Since: 4, Taken: 5, Welcomed: 6}, "a6010102020303040405050606"},
		{"request in quarantine", request{ID: requestID{1}, At: 5, Digest: contact.Digest{3}, Held: contact.SuspectedCopy, Until: 9},
			"a5015001" + strings.Repeat("00", 15) + "020503582003" + strings.Repeat("00", 31) + "08020909"},
		{"asks that were rejected", device{Asks: &asks{RejectedSince: 1, Rejected: 2, Released: 3}}, "a203a006a3050106020703"},
		{"wording", contact.Writings{{By: contact.ODID{1}, At: 5}}, "81a201582001" + strings.Repeat("00", 31) + "0205"},
		{"device", device{
			Mine: signed, Theirs: signed, Contact: contactID{7}, Addresses: []transport.Address{"a"},
			Marks: contact.Marks{Blocked: true, Reported: true, Removed: true, MineSeq: 1, TheirsSeq: 2, AckedSeq: 3, AddedSeq: 4, PartSeq: 5, OldPair: &pair},
		}, "a501a201410102410202a201410102410203a901f502f503f504010502060307040805095009" + strings.Repeat("00", 15) + "0441070581" + "6161"},
		{"device with a profile", device{Profile: 5}, "a203a00805"},
		{"details", details{Devices: []contact.ODID{{1}}, Name: "n", Remark: "r", Source: SourceODID, AddedAt: 5, Chosen: true},
			"a601815820" + "01" + strings.Repeat("00", 31) + "02616e03617204646f646964050506f5"},
		{"details of all kinds", details{
			Devices: []contact.ODID{{1}}, Source: SourceRequest, AddedAt: 5, Groups: []groupID{2, 300}, App: "mail", Wording: "hi",
			Fields: map[string]contact.Value{"t": contact.TextValue("x"), "by": contact.BytesValue([]byte{7}), "n": contact.NumberValue(256)},
		}, "a7" + "01815820" + "01" + strings.Repeat("00", 31) + "046772657175657374" + "0505" + "078202" + "19012c" +
			"08a3" + "616e190100" + "61746178" + "6262794107" + "09646d61696c" + "0a626869"},
		{"groups", grouping{Last: 3, Groups: []group{{ID: 2, Name: "g", At: 5}}}, "a201030281a301020261670305"},
		{"block", block{At: 5}, "a10105"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := codec.Marshal(test.v)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b); got != test.want {
				t.Errorf("encoded as\n%s, want\n%s", got, test.want)
			}
		})
	}
}

// talker is a stream on which the peer says in and hears what is written.
type talker struct {
	in   *bytes.Reader
	out  bytes.Buffer
	peer contact.ODID
}

func (s *talker) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *talker) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s *talker) Close() error                { return nil }
func (s *talker) CloseWrite() error           { return nil }
func (s *talker) Reset() error                { return nil }
func (s *talker) SetDeadline(time.Time) error { return nil }
func (s *talker) Peer() contact.ODID          { return s.peer }

// free is the default policy, but that asks need no stamps.
func free() contact.Policy {
	p := contact.DefaultPolicy()
	p.Stamps = 0
	return p
}

func newTestService(t testing.TB, id *identity.Identity) *Service {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{NoSync: true}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	link := memnet.New(memnet.Options{}).Device(id.Self())
	s, err := New(Config{DB: db, Identity: id, Network: link, Addresses: link, Policy: free})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// say encodes what a device would open an exchange with.
func say(t testing.TB, from, to *identity.Identity, change func(*contact.Statement)) []byte {
	t.Helper()
	st := contact.Statement{Author: from.Self(), Subject: to.Self(), Seq: 1, Listed: true, Grants: contact.Messages}
	if change != nil {
		change(&st)
	}
	signed, err := from.SignStatement(st)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, frame{Mine: &signed}, maxFrame); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// askOf is a change that makes a statement ask for something; n tells asks apart.
func askOf(n byte) func(*contact.Statement) {
	return func(s *contact.Statement) {
		s.Seq = uint64(n)
		s.Ask = &contact.Ask{ID: contact.AskID{n}, Permissions: contact.Messages, Wording: "May I?"}
	}
}

// hears returns what peer hears that opens an exchange with each of openings.
func hears(t testing.TB, s *Service, peer contact.ODID, openings ...[]byte) (all []string) {
	t.Helper()
	for _, opening := range openings {
		var party contact.Party
		err := s.cfg.DB.View(func(tx *store.Tx) (err error) {
			party, err = s.Party(tx, peer)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		st := &talker{in: bytes.NewReader(opening), peer: peer}
		s.Handle(t.Context(), st, contact.Allow(party, contact.ServiceRelation))
		all = append(all, st.out.String())
	}
	return all
}

// TestStrangersHearTheSame compares, byte by byte, what three devices hear that
// say the same: one that is unknown, one that was removed and knows it, and one
// that is blocked. They say that they list this device, ask, ask more often than they
// may, and take it back.
func TestStrangersHearTheSame(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	openings := [][]byte{say(t, peer, self, nil)}
	for n := byte(2); n < 8; n++ {
		openings = append(openings, say(t, peer, self, askOf(n)), say(t, peer, self, askOf(n)))
	}
	openings = append(openings, say(t, peer, self, func(s *contact.Statement) { s.Seq = 8 }))
	for n := byte(8); n < 10; n++ { // it thinks that there is no news
		openings = append(openings, slices.Concat(frameOf(t, frame{Said: &digest{1}, Held: &digest{2}}), say(t, peer, self, askOf(n))))
	}
	for name, tt := range map[string]struct {
		policy  contact.RequestPolicy
		crowded bool
		alike   bool // a stranger hears it, too
	}{
		"confirm, crowded": {contact.RequestsConfirm, true, false},
		"confirm":          {contact.RequestsConfirm, false, true},
		"none, crowded":    {contact.RequestsNone, true, true},
		"none":             {contact.RequestsNone, false, true},
		"any":              {contact.RequestsAny, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			answers := make(map[string][]string)
			for who, prepare := range map[string]func(*Service){
				"stranger": func(*Service) {},
				"removed":  func(s *Service) { addAndRemove(t, s, peer.Self()) },
				"blocked":  func(s *Service) { MarkBlocked(t, s.cfg.DB, peer.Self()) },
				"removed and blocked": func(s *Service) {
					addAndRemove(t, s, peer.Self())
					MarkBlocked(t, s.cfg.DB, peer.Self())
				},
			} {
				s := newTestService(t, self)
				prepare(s)
				policy := free()
				policy.MaxWaiting = 1
				s.cfg.Policy = func() contact.Policy { return policy }
				if tt.crowded {
					third := testIdentity(t, 3)
					hears(t, s, third.Self(), say(t, third, self, askOf(1)))
				}
				policy.Requests = tt.policy
				answers[who] = hears(t, s, peer.Self(), openings...)
			}
			removed := answers["removed"]
			if len(removed) != len(openings) || slices.Contains(removed, "") {
				t.Fatalf("not all answered: %x", removed)
			}
			for who, heard := range answers {
				if (who != "stranger" || tt.alike) != slices.Equal(heard, removed) {
					t.Errorf("%s hears\n%x, who was removed\n%x", who, heard, removed)
				}
			}
		})
	}
}

// TestFloodOfStrangers: thousands of keys ask, some ask again and take it back.
// What they leave is bounded, and it is none of those that wait.
func TestFloodOfStrangers(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	self := testIdentity(t, 1)
	s := newTestService(t, self)
	first, err := identity.FromSeed([32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	hears(t, s, first.Self(), say(t, first, self, askOf(1)))
	for i := range n {
		id, err := identity.FromSeed([32]byte{9, byte(i), byte(i >> 8)})
		if err != nil {
			t.Fatal(err)
		}
		for k := range byte(1 + i%3) {
			hears(t, s, id.Self(), say(t, id, self, askOf(2*k+1)))
			if i%2 == 0 {
				hears(t, s, id.Self(), say(t, id, self, func(st *contact.Statement) { st.Seq = uint64(2*k + 2) }))
			}
		}
	}
	limit := contact.DefaultPolicy().MaxWaiting
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		rows := 0
		for _, err := range devices.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			rows++
		}
		if rows > limit {
			t.Errorf("%d devices are kept, at most %d may wait", rows, limit)
		}
		var d store.Damages
		if err := Check(tx, self.Self(), &d); err != nil {
			return err
		}
		for _, damage := range d {
			t.Error(damage)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Requests(true)
	if err != nil || len(list) == 0 || len(list) > limit || list[len(list)-1].ODID != first.Self() {
		t.Errorf("%d wait, %v", len(list), err)
	}
	events, err := s.cfg.DB.Cursor()
	if err != nil || events > uint64(2*4*limit) {
		t.Errorf("%d events, %v", events, err)
	}
	if n := len(s.used) + len(s.keeper.due); n > 0 {
		t.Errorf("%d entries in memory", n)
	}
}

// TestAnswersToAsksNeverSent change nothing but what the answer's author is.
func TestAnswersToAsksNeverSent(t *testing.T) {
	self, peer := testIdentity(t, 1), testIdentity(t, 2)
	s := newTestService(t, self)
	if _, _, err := s.Add(peer.Self(), AddOptions{Wording: "May I?"}); err != nil {
		t.Fatal(err)
	}
	for i, v := range []contact.Verdict{contact.Rejected, contact.Reported, contact.Accepted, contact.Crossed} {
		hears(t, s, peer.Self(), say(t, peer, self, func(st *contact.Statement) {
			st.Seq = uint64(i + 1)
			st.Answer = &contact.Answer{Digest: contact.Digest{7}, Verdict: v}
		}))
		if open, err := s.Requests(false); err != nil || len(open) != 1 {
			t.Errorf("after verdict %d: %+v, %v", v, open, err)
		}
	}
}

func addAndRemove(t *testing.T, s *Service, peer contact.ODID) {
	t.Helper()
	if _, _, err := s.Add(peer, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(peer, false); err != nil {
		t.Fatal(err)
	}
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		e.row.Marks.AckedSeq = e.row.Marks.MineSeq
		return e.save(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func frameOf(t testing.TB, f frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, f, maxFrame); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestForeignStatementsCountNothing: statements of other authors, about other
// subjects, or with a broken signature change nothing and are not answered.
func TestForeignStatementsCountNothing(t *testing.T) {
	self, peer, third := testIdentity(t, 1), testIdentity(t, 2), testIdentity(t, 3)
	broken := say(t, peer, self, nil)
	broken[len(broken)-1] ^= 1
	for name, opening := range map[string][]byte{
		"of a third":           say(t, third, self, nil),
		"about a third":        say(t, peer, third, nil),
		"broken signature":     broken,
		"a name of 65 bytes":   frameOf(t, frame{Name: strings.Repeat("n", 65)}),
		"a name with controls": frameOf(t, frame{Name: "a\x1bb"}),
		"too many addresses":   frameOf(t, frame{Addresses: make([]transport.Address, maxAddresses+1)}),
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestService(t, self)
			if _, _, err := s.Add(peer.Self(), AddOptions{}); err != nil {
				t.Fatal(err)
			}
			before, err := s.cfg.DB.Cursor()
			if err != nil {
				t.Fatal(err)
			}
			st := &talker{in: bytes.NewReader(opening), peer: peer.Self()}
			s.Handle(t.Context(), st, contact.Serve)
			after, err := s.cfg.DB.Cursor()
			if err != nil {
				t.Fatal(err)
			}
			if st.out.Len() > 0 || after != before {
				t.Errorf("answered %x, journal from %d to %d", st.out.Bytes(), before, after)
			}
		})
	}
}

// FuzzHandle lets a listed contact and a stranger say anything.
func FuzzHandle(f *testing.F) {
	self, peer := testIdentity(f, 1), testIdentity(f, 2)
	f.Add(say(f, peer, self, nil), true)
	f.Add(say(f, peer, self, func(s *contact.Statement) { s.Part = 1 }), true)
	f.Add(say(f, peer, self, askOf(1)), false)
	f.Add(frameOf(f, frame{Said: &digest{1}, Held: &digest{2}}), true)
	f.Add(slices.Concat(frameOf(f, frame{Said: &digest{1}}), say(f, peer, self, askOf(2))), false)
	f.Add(slices.Concat(say(f, peer, self, askOf(3)), frameOf(f, frame{Stamps: &stamp.Proof{Nonces: []uint64{1, 2, 3}}})), false)
	f.Add(frameOf(f, frame{Challenge: &stamp.Challenge{Version: 1, Bits: 99, Count: 1 << 40}, Receipt: &contact.Receipt{}}), true)
	f.Add([]byte{0}, false)
	f.Add([]byte{1, 0xa0}, false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, false)
	known := newTestService(f, self)
	if _, _, err := known.Add(peer.Self(), AddOptions{}); err != nil {
		f.Fatal(err)
	}
	unknown := newTestService(f, self)
	f.Fuzz(func(t *testing.T, in []byte, listed bool) {
		s, d := unknown, contact.ServeStranger
		if listed {
			s, d = known, contact.Serve
		}
		s.Handle(t.Context(), &talker{in: bytes.NewReader(in), peer: peer.Self()}, d)
		if n, err := unknown.Count(); n != 0 || err != nil {
			t.Fatalf("a stranger left %d contacts, %v", n, err)
		}
	})
}
