package presence

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// listening sets up a device that lists a puppet and a stream of the puppet's.
func listening(t *testing.T, f func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		a, p := w.device(1), w.puppet(2)
		a.relate(p.self(), contact.View{Status: contact.StatusAccepted, Received: contact.AllPermissions})
		st := p.stream(a)
		pass(10 * time.Millisecond)
		f(t, a, p, st, presenceKey{7})
	})
}

// holds fails unless a knows p to be in state, and beacons were dropped as given.
func (a *device) holds(p *puppet, state State, dropped Drops) {
	a.t.Helper()
	if got := a.svc.Of(p.self()).State; got != state {
		a.t.Errorf("state %v, want %v", got, state)
	}
	if got := a.svc.Dropped(); got != dropped {
		a.t.Errorf("dropped %+v, want %+v", got, dropped)
	}
}

func TestForgedBeaconsAreDropped(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		other := newIdentity(t, 99)
		byOther, err := seal(other, key, p.online(5))
		if err != nil {
			t.Fatal(err)
		}
		p.say(st, frame{Key: &key},
			frame{Beacon: byOther},
			p.beacon(presenceKey{8}, p.online(5)),
		)
		a.holds(p, Unknown, Drops{Forged: 2})
		p.say(st, p.beacon(key, p.online(5)))
		a.holds(p, Online, Drops{Forged: 2})
	})
}

func TestOlderBeaconsAreReplays(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		old := p.beacon(key, p.online(5))
		busy := p.online(6)
		busy.State = Busy
		p.say(st, frame{Key: &key}, old, p.beacon(key, busy), old)
		a.holds(p, Busy, Drops{Replayed: 1})

		// A stream of its own and a restart do not make it new.
		again := p.stream(a)
		p.say(again, frame{Key: &key}, old)
		pass(10 * time.Second)
		a.holds(p, Busy, Drops{Replayed: 2})
		a.restart()
		again = p.stream(a)
		p.say(again, frame{Key: &key}, old)
		a.holds(p, Unknown, Drops{Replayed: 1})
	})
}

func TestBeaconsOutOfTheirTimeAreStale(t *testing.T) {
	for _, tt := range []struct {
		name  string
		made  time.Duration // before now
		clock time.Duration // the origin's, behind; no clock in the frame if 1
		want  State
	}{
		{"just made", 0, 0, Online},
		{"of an origin three hours behind", 3 * time.Hour, 3 * time.Hour, Online},
		{"of an origin a year ahead", -365 * 24 * time.Hour, -365 * 24 * time.Hour, Online},
		{"old by its own clock", 17 * time.Minute, 0, Unknown},
		{"in the future by its own clock", -2 * time.Minute, 0, Unknown},
		{"made 24 minutes ago, clock unknown", 24 * time.Minute, 1, Online},
		{"made 26 minutes ago, clock unknown", 26 * time.Minute, 1, Unknown},
		{"made in 9 minutes, clock unknown", -9 * time.Minute, 1, Online},
		{"made in 11 minutes, clock unknown", -11 * time.Minute, 1, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
				now := time.Now()
				b := p.online(5)
				b.Sent = unixMilli(now.Add(-tt.made))
				b.Since = b.Sent
				f := p.beacon(key, b)
				f.Clock = unixMilli(now.Add(-tt.clock))
				if tt.clock == 1 {
					f.Clock = 0
				}
				p.say(st, frame{Key: &key}, f)
				if tt.want == Unknown {
					a.holds(p, Unknown, Drops{Stale: 1})
					return
				}
				a.holds(p, Online, Drops{})
				since := a.svc.Of(p.self()).Since
				if since.After(time.Now()) {
					t.Errorf("since %v, in the future", since)
				}
				if tt.clock > 1 || tt.clock < -1 {
					if age := time.Since(since); age > time.Second {
						t.Errorf("since %v ago by this device's clock, want now", age)
					}
				}
			})
		})
	}
}

func TestBrokenStreamsEndAndAreCounted(t *testing.T) {
	big := frame{Beacon: make([]byte, maxFrame)}
	key := presenceKey{7}
	for name, send := range map[string]func(p *puppet, st transport.Stream){
		"no key first":     func(p *puppet, st transport.Stream) { p.say(st, p.beacon(key, p.online(5))) },
		"keep-alive first": func(p *puppet, st transport.Stream) { p.say(st, frame{}) },
		"frame too long":   func(p *puppet, st transport.Stream) { p.say(st, frame{Key: &key}, big) },
		"clock beyond all": func(p *puppet, st transport.Stream) { p.say(st, frame{Key: &key, Clock: maxTime + 1}) },
		"short key": func(p *puppet, st transport.Stream) {
			_, _ = st.Write([]byte{0x05, 0xa1, 0x01, 0x42, 1, 2})
			pass(time.Second)
		},
		"garbage": func(p *puppet, st transport.Stream) {
			_, _ = st.Write([]byte("GET / HTTP/1.1\r\nHost: " + strings.Repeat("x", 100)))
			pass(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, _ presenceKey) {
				send(p, st)
				pass(time.Second)
				want := Drops{Malformed: 1}
				if name == "frame too long" {
					want = Drops{Oversized: 1}
				}
				a.holds(p, Unknown, want)
				if _, err := st.Read(make([]byte, 1)); err == nil {
					t.Error("the stream goes on")
				}
			})
		})
	}
}

func TestMalformedBeacons(t *testing.T) {
	good := beacon{Seq: 5, State: Online, Text: "hello", Since: 1, Sent: 2, Validity: 900, Addresses: []transport.Address{"x"}}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*beacon){
		"no seq":         func(b *beacon) { b.Seq = 0 },
		"state unknown":  func(b *beacon) { b.State = Unknown },
		"invisible":      func(b *beacon) { b.State = Invisible },
		"long text":      func(b *beacon) { b.Text = strings.Repeat("x", 141) },
		"control":        func(b *beacon) { b.Text = "\x1b[2J" },
		"far since":      func(b *beacon) { b.Since = 1 << 60 },
		"far sent":       func(b *beacon) { b.Sent = 1 << 63 },
		"long validity":  func(b *beacon) { b.Validity = 1 << 40 },
		"many addresses": func(b *beacon) { b.Addresses = make([]transport.Address, 17) },
		"long address":   func(b *beacon) { b.Addresses[0] = transport.Address(strings.Repeat("x", 257)) },
	} {
		b := good
		b.Addresses = append([]transport.Address(nil), good.Addresses...)
		spoil(&b)
		body, err := codec.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseBeacon(body); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := seal(newIdentity(t, 1), presenceKey{}, b); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
	for name, body := range map[string][]byte{
		"empty":         {},
		"not canonical": {0xbf, 0xff},
		"trailing":      append(mustBody(t, good), 0),
		"text of bytes": bytes.Replace(mustBody(t, good), []byte("\x65hello"), []byte("\x45hello"), 1),
	} {
		if _, err := parseBeacon(body); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func mustBody(t *testing.T, b beacon) []byte {
	t.Helper()
	body, err := codec.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestNewerFieldsAreIgnored(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		b := p.online(5)
		body, err := codec.Marshal(map[int]any{1: b.Seq, 2: b.State, 4: b.Since, 5: b.Sent, 6: b.Validity, 8: []byte("prekey id"), 99: "later"})
		if err != nil {
			t.Fatal(err)
		}
		sig, _ := p.id.Sign(identity.BeaconDomain, body)
		p.say(st, frame{Key: &key}, frame{Beacon: sealEnvelope(t, p.self(), key, envelope{body, sig})})
		a.holds(p, Online, Drops{})
	})
}

func TestFloodIsReadAtOneASecond(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		var changes atomic.Int64
		a.svc.Watch(func(contact.ODID, Presence) { changes.Add(1) })
		p.say(st, frame{Key: &key})
		for i := range 60 {
			b := p.online(uint64(5 + i))
			b.Text = fmt.Sprint(i)
			if err := transport.WriteFrame(st, p.beacon(key, b), maxFrame); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		pass(10 * time.Second)
		if n := changes.Load(); n < 10 || n > 17 {
			t.Errorf("%d changes in 10 seconds, want 5 and one a second", n)
		}
		pass(2 * time.Minute)
		if got := a.svc.Of(p.self()).Text; got != "59" {
			t.Errorf("the last state never came, it is %q", got)
		}
	})
}

func TestManyChangesAreToldAtOneASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		pass(time.Minute)
		before := len(b.beacons(a.self()))
		for i := range 100 {
			if err := b.svc.Set(Busy, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			pass(50 * time.Millisecond)
		}
		if got := len(b.beacons(a.self())) - before; got < 5 || got > 11 {
			t.Errorf("100 changes in 5 seconds were told in %d beacons", got)
		}
		pass(3 * time.Second)
		a.sees(b, Busy, "99")
	})
}

func TestNewerStreamSupersedesWithoutAFlicker(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		var saw []State
		a.svc.Watch(func(_ contact.ODID, p Presence) { saw = append(saw, p.State) })
		p.say(st, frame{Key: &key}, p.beacon(key, p.online(5)))
		again := p.stream(a)
		p.say(again, frame{Key: &key}, p.beacon(key, p.online(5)))
		pass(10 * time.Second)
		start := time.Now()
		if _, err := st.Read(make([]byte, 1)); err == nil || time.Since(start) > 0 {
			t.Errorf("the older stream went on for %v: %v", time.Since(start), err)
		}
		if len(saw) != 1 || saw[0] != Online {
			t.Errorf("saw %v, want online once", saw)
		}
		p.say(again, frame{})
		a.holds(p, Online, Drops{})
	})
}

func TestOnlyServedStreamsAreRead(t *testing.T) {
	for _, d := range []contact.Decision{contact.Refuse, contact.ServeStranger, contact.Drop} {
		listening(t, func(t *testing.T, a *device, p *puppet, _ transport.Stream, key presenceKey) {
			a.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) { a.svc.Handle(ctx, st, d) })
			st := p.stream(a)
			_ = transport.WriteFrame(st, frame{Key: &key}, maxFrame)
			_ = transport.WriteFrame(st, p.beacon(key, p.online(5)), maxFrame)
			pass(time.Second)
			a.holds(p, Unknown, Drops{})
		})
	}
}

func TestPeerRemovedMidStreamIsNotHeard(t *testing.T) {
	// As above for senders: the store counts, however late the notice.
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		p.say(st, frame{Key: &key}, p.beacon(key, p.online(5)))
		a.holds(p, Online, Drops{})
		a.mu.Lock()
		a.views[p.self()] = contact.View{Status: contact.StatusRemoved}
		a.mu.Unlock()
		busy := p.online(6)
		busy.State = Busy
		p.say(st, p.beacon(key, busy))
		a.holds(p, Unknown, Drops{NotPermitted: 1})
	})
}

func TestOnlyTheListedAreHeard(t *testing.T) {
	for name, tt := range map[string]struct {
		v    contact.View
		want State
	}{
		"accepted":          {contact.View{Status: contact.StatusAccepted}, Online},
		"pending, outgoing": {contact.View{Status: contact.StatusPending}, Online},
		"pending, incoming": {contact.View{Status: contact.StatusPending, Incoming: true}, Unknown},
		"removed":           {contact.View{Status: contact.StatusRemoved}, Unknown},
		"none":              {contact.View{}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			listening(t, func(t *testing.T, a *device, p *puppet, _ transport.Stream, key presenceKey) {
				a.mu.Lock()
				a.views[p.self()] = tt.v
				a.mu.Unlock()
				a.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) { a.svc.Handle(ctx, st, contact.Serve) })
				p.say(p.stream(a), frame{Key: &key}, p.beacon(key, p.online(5)))
				var dropped Drops
				if tt.want == Unknown {
					dropped.NotPermitted = 1
				}
				a.holds(p, tt.want, dropped)
			})
		})
	}
}

func TestWhoSaidGoodbyeIsNotSeenByKeepAlives(t *testing.T) {
	listening(t, func(t *testing.T, a *device, p *puppet, st transport.Stream, key presenceKey) {
		b := p.online(5)
		b.State = Offline
		p.say(st, frame{Key: &key}, p.beacon(key, b))
		last := a.svc.Of(p.self()).LastSeen
		pass(time.Minute)
		p.say(st, frame{})
		if got := a.svc.Of(p.self()); got.State != Offline || !got.LastSeen.Equal(last) {
			t.Errorf("%+v, last seen %v before", got, last)
		}
	})
}
