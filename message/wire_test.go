package message

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/transport"
)

func testEpoch(ms byte) Epoch {
	e := Epoch{7: ms}
	for i := range 16 {
		e[8+i] = byte(0xa0 + i)
	}
	return e
}

func testID(n byte) ID {
	return ID{0x01, 0x90, 0, 0, 0, n, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}
}

func goldenFrames() map[string]frame {
	e, id := testEpoch(5), testID(9)
	return map[string]frame{
		"hello":       {Type: frameHello, Epoch: &e, Have: &have{testEpoch(6), 7, id}},
		"hello, none": {Type: frameHello, Epoch: &e, Have: &have{}},
		"message":     {Type: frameMessage, Epoch: &e, Seq: 8, ID: &id, At: 1_700_000_000_000, Kind: KindText, Body: []byte("hi")},
		"skip":        {Type: frameSkip, Epoch: &e, Seq: 9, To: 11, Skip: skipExpired},
		"ack":         {Type: frameAck, Epoch: &e, Seq: 11},
		"refused":     {Type: frameRefused, Words: notPermitted},
		"put off":     {Type: frameRefused, Words: notStored, Later: true},
	}
}

func TestFramesAreTheseBytes(t *testing.T) {
	const epoch = "581800000000000000" + "05a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
	const id = "50019000000009700080000000" + "00000009"
	for name, want := range map[string]string{
		"hello":       "a3" + "0101" + "02" + epoch + "0ba3" + "01" + strings.Replace(epoch, "05a0", "06a0", 1) + "0207" + "03" + id,
		"hello, none": "a3" + "0101" + "02" + epoch + "0ba3" + "015818" + strings.Repeat("00", 24) + "0200" + "0350" + strings.Repeat("00", 16),
		"message":     "a7" + "0102" + "02" + epoch + "0308" + "05" + id + "061b0000018bcfe56800" + "076474657874" + "08426869",
		"skip":        "a5" + "0103" + "02" + epoch + "0309" + "040b" + "0902",
		"ack":         "a3" + "0104" + "02" + epoch + "030b",
		"refused":     "a2" + "0105" + "0a76" + hex.EncodeToString([]byte(notPermitted)),
		"put off":     "a3" + "0105" + "0a7823" + hex.EncodeToString([]byte(notStored)) + "0cf5",
	} {
		f := goldenFrames()[name]
		b, err := codec.Marshal(f)
		if err != nil || hex.EncodeToString(b) != want {
			t.Errorf("%s: %v\n got %x\nwant %s", name, err, b, want)
		}
		var buf bytes.Buffer
		if err := transport.WriteFrame(&buf, f, maxFrame); err != nil {
			t.Fatal(err)
		}
		got, err := read(transport.NewFrameReader(&buf, maxFrame))
		if again, _ := codec.Marshal(got); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: read back %x, %v", name, again, err)
		}
	}
}

func TestRecordsAreTheseBytes(t *testing.T) {
	const zeroEpoch = "5818000000000000000000000000000000000000000000000000"
	for name, c := range map[string]struct {
		record any
		want   string
	}{
		"message": {
			record{ID: testID(1), Direction: Out, Kind: KindText, Body: []byte("hi"), State: Delivered, Sent: 1, Delivered: 2},
			"a7" + "0150" + "01900000000170008000000000000001" + "0202" + "036474657874" + "04426869" + "0502" + "0601" + "0702",
		},
		"gap": {
			record{ID: testID(1), Direction: In, Kind: KindGap, State: Read, Sent: 1, Delivered: 2, Read: 3, Note: "n"},
			"a9" + "0150" + "01900000000170008000000000000001" + "0201" + "0363676170" + "0440" + "0506" + "0601" + "0702" + "0803" + "09616e",
		},
		"place": {
			place{contact.ODID{31: 1}, 7, In},
			"a3" + "015820" + strings.Repeat("00", 31) + "01" + "0207" + "0301",
		},
		"outbox":           {pending{Queued: 5}, "a10105"},
		"outbox, numbered": {pending{Queued: 5, Seq: 6, Cancel: true, Skipped: true}, "a4" + "0105" + "0206" + "03f5" + "04f5"},
		"peer, new": {
			peerRecord{Order: 1},
			"a5" + "0101" + "04" + zeroEpoch + "05" + zeroEpoch + "08" + zeroEpoch + "0a50" + strings.Repeat("00", 16),
		},
		"peer": {
			peerRecord{
				Order: 1, Queued: 2, Seen: 3, Last: 4, Assigned: 5, InSeq: 6, InID: testID(1),
				Attempts: 7, Since: 8, Next: 9, Trouble: "t", RunSeq: 3, RunOrder: 4,
			},
			"b0" + "0101" + "0202" + "0303" + "04" + zeroEpoch + "05" + zeroEpoch + "0604" + "0705" + "08" + zeroEpoch + "0906" +
				"0a50" + "01900000000170008000000000000001" + "0b07" + "0c08" + "0d09" + "0e6174" + "0f03" + "1004",
		},
		"self":      {selfRecord{Queued: 3}, "a2" + "01" + zeroEpoch + "0203"},
		"sent":      {run{Order: 258, Count: 3}, "a2" + "01190102" + "0203"},
		"delivered": {uint64(258), "190102"},
	} {
		if b, err := codec.Marshal(c.record); err != nil || hex.EncodeToString(b) != c.want {
			t.Errorf("%s: %v\n got %x\nwant %s", name, err, b, c.want)
		}
	}
	p := position{testEpoch(5), 258}
	key := sentKey(contact.ODID{31: 1}, p)
	if got, err := sentPosition(key); err != nil || got != p || len(key) != 64 {
		t.Errorf("key of %d bytes is %v, %v", len(key), got, err)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*frame) string{
		"no type":             func(f *frame) string { f.Type = 0; return "message" },
		"unknown type":        func(f *frame) string { f.Type = 6; return "message" },
		"no epoch":            func(f *frame) string { f.Epoch = nil; return "message" },
		"zero epoch":          func(f *frame) string { f.Epoch = &Epoch{}; return "message" },
		"epoch at the end":    func(f *frame) string { f.Epoch = &Epoch{0: 1}; return "message" },
		"no number":           func(f *frame) string { f.Seq = 0; return "message" },
		"number at the end":   func(f *frame) string { f.Seq = maxSeq + 1; return "ack" },
		"no id":               func(f *frame) string { f.ID = nil; return "message" },
		"id of another kind":  func(f *frame) string { f.ID = &ID{1}; return "message" },
		"time at the end":     func(f *frame) string { f.At = maxMillis + 1; return "message" },
		"no kind":             func(f *frame) string { f.Kind = ""; return "message" },
		"kind with a space":   func(f *frame) string { f.Kind = "a b"; return "message" },
		"long kind":           func(f *frame) string { f.Kind = strings.Repeat("k", maxKindSize+1); return "message" },
		"gap":                 func(f *frame) string { f.Kind = KindGap; return "message" },
		"text of other bytes": func(f *frame) string { f.Body = []byte{0xff}; return "message" },
		"long body":           func(f *frame) string { f.Body = make([]byte, MaxBodySize+1); return "message" },
		"skip backwards":      func(f *frame) string { f.To = f.Seq - 1; return "skip" },
		"skip to the end":     func(f *frame) string { f.To = maxSeq + 1; return "skip" },
		"words with a bell":   func(f *frame) string { f.Words = "\a"; return "refused" },
		"many words":          func(f *frame) string { f.Words = strings.Repeat("w", maxReason+1); return "refused" },
		"hello without have":  func(f *frame) string { f.Have = nil; return "hello" },
		"hello of the future": func(f *frame) string { f.Have.Epoch = Epoch{0: 1}; return "hello" },
		"hello, half":         func(f *frame) string { f.Have.Seq = 0; return "hello" },
		"hello, other half":   func(f *frame) string { f.Have.Epoch = Epoch{}; return "hello" },
	} {
		var probe frame
		frames := goldenFrames()
		for _, h := range []string{"hello"} {
			probe.Have = frames[h].Have
		}
		base := spoil(&probe)
		f := frames[base]
		spoil(&f)
		if err := f.check(); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range goldenFrames() {
		if err := f.check(); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

// script is a stream whose other side says what was written before and hears
// everything.
type script struct {
	peer contact.ODID
	mu   sync.Mutex
	in   io.Reader
	out  bytes.Buffer
	end  chan struct{}
	once sync.Once
	hold bool // silence at the end instead of EOF
}

func newScript(peer contact.ODID, says []byte) *script {
	return &script{peer: peer, in: bytes.NewReader(says), end: make(chan struct{})}
}

func frames(t testing.TB, fs ...frame) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range fs {
		if err := transport.WriteFrame(&b, f, 2*maxFrame); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

var errReset = errors.New("stream reset")

func (s *script) Read(p []byte) (int, error) {
	select {
	case <-s.end:
		return 0, errReset
	default:
	}
	n, err := s.in.Read(p)
	if err != nil && s.hold {
		<-s.end
		return 0, errReset
	}
	return n, err
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.end:
		return 0, errReset
	default:
		return s.out.Write(p)
	}
}

func (s *script) finish() error                 { s.once.Do(func() { close(s.end) }); return nil }
func (s *script) Close() error                  { return s.finish() }
func (s *script) CloseWrite() error             { return nil }
func (s *script) Reset() error                  { return s.finish() }
func (s *script) SetDeadline(t time.Time) error { return nil }
func (s *script) Peer() contact.ODID            { return s.peer }

// heard returns the frames that the service wrote.
func (s *script) heard(t testing.TB) (fs []frame) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := transport.NewFrameReader(bytes.NewReader(s.out.Bytes()), maxFrame); ; {
		f, err := read(r)
		if errors.Is(err, io.EOF) {
			return fs
		}
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f)
	}
}

func msg(e Epoch, seq uint64, id byte) frame {
	i := testID(id)
	return frame{Type: frameMessage, Epoch: &e, Seq: seq, ID: &i, At: 1, Kind: KindText, Body: []byte{'a' + id}}
}

func skip(e Epoch, from, to uint64) frame {
	return frame{Type: frameSkip, Epoch: &e, Seq: from, To: to, Skip: skipCancelled}
}

// Each line is one stream to a receiver that holds (5, 2) with messages 1 and 2.
func TestReceiverTakesOnlyWhatFollows(t *testing.T) {
	old, now, next := testEpoch(4), testEpoch(5), testEpoch(6)
	for name, c := range map[string]struct {
		says   []frame
		acked  uint64 // 0: the stream is broken off
		stored string
	}{
		"the next":                   {[]frame{msg(now, 3, 3)}, 3, "bcd"},
		"a batch":                    {[]frame{msg(now, 3, 3), msg(now, 4, 4)}, 4, "bcde"},
		"a gap":                      {[]frame{msg(now, 4, 4)}, 0, "bc"},
		"the same again":             {[]frame{msg(now, 2, 2)}, 2, "bc"},
		"the same and the next":      {[]frame{msg(now, 2, 2), msg(now, 3, 3)}, 3, "bcd"},
		"another in its place":       {[]frame{msg(now, 2, 7)}, 0, "bc"},
		"known under the next":       {[]frame{msg(now, 3, 1), msg(now, 4, 4)}, 4, "bce"},
		"a new epoch":                {[]frame{msg(next, 1, 3)}, 1, "bcd"},
		"a new epoch, known":         {[]frame{msg(next, 1, 2), msg(next, 2, 3)}, 2, "bcd"},
		"a new epoch from 2":         {[]frame{msg(next, 2, 3)}, 0, "bc"},
		"an older epoch, unseen":     {[]frame{msg(old, 9, 3), msg(now, 3, 4)}, 3, "bcde"},
		"an older epoch, known":      {[]frame{msg(old, 9, 2)}, 9, "bc"},
		"an older skip":              {[]frame{skip(old, 8, 9)}, 9, "bc"},
		"a skip":                     {[]frame{skip(now, 3, 5), msg(now, 6, 3)}, 6, "bc-d"},
		"a skip known":               {[]frame{skip(now, 1, 2)}, 2, "bc"},
		"a skip reaching into known": {[]frame{skip(now, 2, 3)}, 0, "bc"},
		"a skip with a gap":          {[]frame{skip(now, 4, 4)}, 0, "bc"},
		"a skip to begin with":       {[]frame{skip(next, 1, 4)}, 4, "bc-"},
		"an ack":                     {[]frame{{Type: frameAck, Epoch: &now, Seq: 2}}, 0, "bc"},
		"a hello":                    {[]frame{{Type: frameHello, Epoch: &now, Have: &have{}}}, 0, "bc"},
		"the id of another's":        {[]frame{msg(now, 3, 9)}, 0, "bc"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			carol := newDevice(t, w, 3)
			w.alice.relate(carol, accepted)
			serveScript(t, w.alice, carol.self, msg(now, 1, 9))
			serveScript(t, w.alice, w.bob.self, msg(now, 1, 1), msg(now, 2, 2))
			fs := serveScript(t, w.alice, w.bob.self, c.says...)
			if h := fs[0].Have; h == nil || h.Epoch != now || h.Seq != 2 || h.ID != testID(2) {
				t.Fatalf("hello %+v", fs[0])
			}
			var acked uint64
			for _, f := range fs[1:] {
				if f.Type != frameAck {
					t.Fatalf("heard %+v", f)
				}
				acked = f.Seq
			}
			if acked != c.acked {
				t.Errorf("acknowledged %d, want %d", acked, c.acked)
			}
			var stored string
			for _, m := range w.alice.history(w.bob) {
				if m.Kind == KindGap {
					stored += "-"
				}
				stored += string(m.Body)
			}
			if stored != c.stored {
				t.Errorf("stored %q, want %q", stored, c.stored)
			}
		})
	}
}

func TestABatchIsStoredWholeOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	e := testEpoch(5)
	if err := w.alice.svc.store(w.bob.self, []frame{msg(e, 1, 1), msg(e, 3, 3)}); !errors.Is(err, errProtocol) {
		t.Fatal(err)
	}
	if got := w.alice.history(w.bob); len(got) != 0 {
		t.Fatalf("%d messages of a batch with a gap are stored", len(got))
	}
	if fs := serveScript(t, w.alice, w.bob.self); fs[0].Have.Seq != 0 {
		t.Fatalf("it says it holds %d", fs[0].Have.Seq)
	}
}

// serveScript has a device that is not running serve one stream.
func serveScript(t *testing.T, d *device, peer contact.ODID, says ...frame) []frame {
	t.Helper()
	if d.svc == nil {
		d.open()
		t.Cleanup(func() { d.db.Close() })
		var err error
		if d.svc, err = New(Config{DB: d.db, Network: d.w.net.Device(d.self), Relation: d.relation}); err != nil {
			t.Fatal(err)
		}
	}
	st := newScript(peer, frames(t, says...))
	d.svc.Handle(t.Context(), st, contact.Serve)
	return st.heard(t)
}

func TestANewStreamEndsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		e := testEpoch(5)
		old := newScript(w.bob.self, frames(t, msg(e, 1, 1)))
		old.hold = true
		go w.alice.svc.Handle(t.Context(), old, contact.Serve)
		synctest.Wait()
		if fs := old.heard(t); len(fs) != 2 {
			t.Fatalf("the first stream heard %+v", fs)
		}
		fs := serveScript(t, w.alice, w.bob.self, msg(e, 2, 2))
		if h := fs[0].Have; h.Seq != 1 {
			t.Errorf("the second stream is told %d", h.Seq)
		}
		select {
		case <-old.end:
		default:
			t.Error("the first stream goes on beside the second")
		}
		synctest.Wait()
		if n := len(w.alice.svc.in); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

func TestHandleDoesAsTheGateDecided(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	for d, want := range map[contact.Decision]int{contact.Refuse: 1, contact.Drop: 0, contact.ServeStranger: 0} {
		st := newScript(w.bob.self, frames(t, msg(testEpoch(1), 1, 1)))
		w.alice.svc.Handle(t.Context(), st, d)
		fs := st.heard(t)
		if len(fs) != want || want == 1 && (fs[0].Type != frameRefused || fs[0].Words != "messages not permitted") {
			t.Errorf("decision %d: heard %+v", d, fs)
		}
		select {
		case <-st.end:
		default:
			t.Errorf("decision %d: the stream was left open", d)
		}
	}
	if got := w.alice.history(w.bob); len(got) != 0 {
		t.Errorf("stored %d messages", len(got))
	}
}

// scripted is a network whose only peer is a script.
type scripted struct {
	transport.Network
	st transport.Stream
}

func (n scripted) Open(context.Context, contact.ODID, transport.Protocol) (transport.Stream, error) {
	return n.st, nil
}

func TestSenderBreaksOffWithOneThatLies(t *testing.T) {
	e := testEpoch(5)
	none := frame{Type: frameHello, Epoch: &e, Have: &have{}}
	for name, says := range map[string][]frame{
		"no hello":             {{Type: frameAck, Epoch: &e, Seq: 1}},
		"a message":            {msg(e, 1, 1)},
		"two hellos":           {none, none},
		"an ack of an unknown": {none, {Type: frameAck, Epoch: &e, Seq: 9}},
		"a message after":      {none, msg(e, 1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			serveScript(t, w.alice, w.bob.self)
			m := w.alice.write(w.bob, "hello")
			st := newScript(w.bob.self, frames(t, says...))
			w.alice.svc.net = scripted{st: st}
			if err := w.alice.svc.deliver(t.Context(), w.alice.svc.sched.lane(w.bob.self).begin(time.Now())); !errors.Is(err, errProtocol) {
				t.Errorf("error %v", err)
			}
			if got := w.alice.get(m.ID); got.State != Queued {
				t.Errorf("the message is %s", got.State)
			}
		})
	}
}

func TestWhatWasAcknowledgedBeforeABreakIsDelivered(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	e := serveScript(t, w.alice, w.bob.self)[0].Epoch
	var ids []ID
	for range 3 {
		ids = append(ids, w.alice.write(w.bob, "hello").ID)
	}
	says := frames(t, frame{Type: frameHello, Epoch: e, Have: &have{}}, frame{Type: frameAck, Epoch: e, Seq: 2})
	w.alice.svc.net = scripted{st: newScript(w.bob.self, says)}
	if err := w.alice.svc.deliver(t.Context(), w.alice.svc.sched.lane(w.bob.self).begin(time.Now())); err == nil {
		t.Fatal("a stream that breaks off with a message under way is no error")
	}
	for i, want := range []State{Delivered, Delivered, Queued} {
		if got := w.alice.get(ids[i]).State; got != want {
			t.Errorf("message %d is %s, want %s", i+1, got, want)
		}
	}
	w.alice.wantQueued(1)
}

// A peer that claims to hold what never was costs itself an epoch, nobody else.
func TestALyingHelloDisturbsOnlyItself(t *testing.T) {
	w := newWorld(t)
	carol := newDevice(t, w, 3)
	w.alice.relate(carol, accepted)
	serveScript(t, w.alice, w.bob.self)
	w.alice.write(w.bob, "to bob")
	w.alice.write(carol, "to carol")
	w.alice.svc.step(carol.self, step{hello: &have{}, frames: windowFrames, bytes: windowBytes})
	far := Epoch{1: 0x1f, 23: 1} // close to the end of time
	c, err := w.alice.svc.step(w.bob.self, step{hello: &have{Epoch: far, Seq: maxSeq}, frames: windowFrames, bytes: windowBytes})
	if err != nil || len(c.frames) != 1 || c.frames[0].Epoch.compare(far) <= 0 || c.frames[0].check() != nil {
		t.Fatalf("%+v, %v", c.frames, err)
	}
	c2, err := w.alice.svc.step(carol.self, step{hello: &have{}, frames: windowFrames, bytes: windowBytes})
	if err != nil || len(c2.frames) != 1 || c2.frames[0].Epoch.millis() >= far.millis() {
		t.Fatalf("%+v, %v", c2.frames, err)
	}
}

func FuzzFrame(f *testing.F) {
	for _, g := range goldenFrames() {
		b, _ := codec.Marshal(g)
		f.Add(b)
	}
	f.Add([]byte{0xa1, 0x01, 0x02})
	f.Fuzz(func(t *testing.T, data []byte) {
		var v frame
		if err := codec.Unmarshal(data, &v); err != nil {
			return
		}
		if v.check() != nil {
			return
		}
		switch v.Type {
		case frameMessage, frameSkip, frameAck:
			v.last()
		}
		b, err := codec.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var again frame
		if err := codec.Unmarshal(b, &again); err != nil || again.check() != nil {
			t.Fatalf("%x does not survive: %v", data, err)
		}
	})
}

// FuzzSession plays arbitrary bytes to both ends: to a receiver and to a sender
// that has something to lose.
func FuzzSession(f *testing.F) {
	e := testEpoch(5)
	f.Add(frames(f, msg(e, 1, 1), msg(e, 2, 2), skip(e, 3, 9)))
	f.Add(frames(f, frame{Type: frameHello, Epoch: &e, Have: &have{}}, frame{Type: frameAck, Epoch: &e, Seq: 1}))
	f.Add(frames(f, frame{Type: frameHello, Epoch: &e, Have: &have{testEpoch(9), 4, testID(1)}}, frame{Type: frameRefused, Words: "no"}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	w := newWorld(f)
	w.alice.open()
	var err error
	if w.alice.svc, err = New(Config{DB: w.alice.db, Network: w.net.Device(w.alice.self), Relation: w.alice.relation}); err != nil {
		f.Fatal(err)
	}
	m := w.alice.write(w.bob, "precious")
	f.Fuzz(func(t *testing.T, says []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w.alice.svc.Handle(ctx, newScript(w.bob.self, says), contact.Serve)
		w.alice.svc.net = scripted{st: newScript(w.bob.self, says)}
		_ = w.alice.svc.deliver(ctx, w.alice.svc.sched.lane(w.bob.self).begin(time.Now()))
		// Nobody can acknowledge a number without having seen its epoch.
		if got, err := w.alice.svc.Get(m.ID); err != nil || got.State != Queued {
			t.Fatalf("the message is %s, %v", got.State, err)
		}
	})
}

// Windows bound the bytes of bodies: a peer must not add others to what is kept.
func TestAFrameKeepsNothingButItsFields(t *testing.T) {
	e, id := testEpoch(7), testID(8)
	for name, f := range goldenFrames() {
		more := frame{
			Type: f.Type, Epoch: cmp.Or(f.Epoch, &e), Seq: cmp.Or(f.Seq, 1), To: cmp.Or(f.To, 2), ID: cmp.Or(f.ID, &id),
			At: cmp.Or(f.At, 3), Kind: cmp.Or(f.Kind, "k"), Body: []byte(cmp.Or(string(f.Body), "b")),
			Skip: cmp.Or(f.Skip, skipLost), Words: cmp.Or(f.Words, "w"), Have: cmp.Or(f.Have, &have{}),
			Later: f.Later || f.Type != frameRefused,
		}
		got, err := read(transport.NewFrameReader(bytes.NewReader(frames(t, more)), maxFrame))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if kept, want := frames(t, got), frames(t, f); !bytes.Equal(kept, want) {
			t.Errorf("%s: %x is kept, want %x", name, kept, want)
		}
	}
}
