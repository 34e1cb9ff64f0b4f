package presence

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

// gossiper is a puppet that gossips with a device, byte by byte, knowing the keys
// that the test gives it.
type gossiper struct {
	*puppet
	st           transport.Stream
	r            *transport.FrameReader
	mine, theirs nonce
	to           *device
}

// gossips connects p with d and opens a link.
func (p *puppet) gossips(d *device) *gossiper {
	p.t.Helper()
	st, err := p.net.Open(p.t.Context(), d.self(), GossipProtocol)
	if err != nil {
		p.t.Fatal(err)
	}
	g := &gossiper{puppet: p, st: st, r: transport.NewFrameReader(st, maxGossipFrame), mine: nonce{1, 2, 3}, to: d}
	g.says(gossipFrame{Nonce: &g.mine})
	f := g.hears()
	if f.Nonce == nil {
		p.t.Fatalf("the first frame is %+v", f)
	}
	g.theirs = *f.Nonce
	return g
}

func (g *gossiper) says(frames ...gossipFrame) {
	g.t.Helper()
	_ = g.st.SetDeadline(time.Time{})
	for _, f := range frames {
		if err := transport.WriteFrame(g.st, f, 1<<20); err != nil {
			g.t.Fatal(err)
		}
	}
	pass(10 * time.Millisecond)
}

func (g *gossiper) hears() (f gossipFrame) {
	g.t.Helper()
	if err := g.st.SetDeadline(time.Now().Add(time.Second)); err != nil {
		g.t.Fatal(err)
	}
	if err := g.r.Read(&f); err != nil {
		g.t.Fatal(err)
	}
	return f
}

// all returns what comes within a time.
func (g *gossiper) all(d time.Duration) (frames []gossipFrame) {
	_ = g.st.SetDeadline(time.Now().Add(d))
	for {
		var f gossipFrame
		if err := g.r.Read(&f); err != nil {
			return frames
		}
		frames = append(frames, f)
	}
}

// over reports whether the device ended the link.
func (g *gossiper) over() bool {
	_ = g.st.SetDeadline(time.Now().Add(time.Second))
	for {
		var f gossipFrame
		err := g.r.Read(&f)
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

func (g *gossiper) names(key presenceKey) mask {
	return maskOf(topicOf(key, dayOf(time.Now())), g.self(), g.mine, g.theirs)
}

func (g *gossiper) namedBy(key presenceKey) mask {
	return maskOf(topicOf(key, dayOf(time.Now())), g.to.self(), g.theirs, g.mine)
}

// news passes on a beacon of an origin.
func (g *gossiper) news(key presenceKey, seq, hops uint64, beacon []byte) gossipFrame {
	return gossipFrame{News: &passed{Mask: g.namedBy(key), Seq: seq, Hops: hops, Beacon: beacon}}
}

// attacked sets up a device that knows an origin it is not connected with, and a
// contact of both that says what it likes.
func attacked(t *testing.T, f func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		victim, origin, rogue := w.device(1), w.puppet(200), w.puppet(201)
		for _, p := range []*puppet{origin, rogue} {
			victim.relate(p.self(), accepted(contact.PairedDefault))
		}
		key := presenceKey{7}
		st := origin.stream(victim)
		origin.say(st, frame{Key: &key, Clock: unixMilli(time.Now())}, origin.beacon(key, origin.online(5)))
		w.net.Drop(origin.self(), victim.self())
		pass(time.Second)
		g := rogue.gossips(victim)
		var know masks
		for _, m := range []mask{g.names(key)} {
			know = append(know, m[:]...)
		}
		g.says(gossipFrame{Know: know})
		pass(time.Second)
		f(t, victim, origin, key, g)
	})
}

func (p *puppet) sealed(key presenceKey, b beacon) []byte { return p.beacon(key, b).Beacon }

func TestPassedOnBeaconsAreLookedAt(t *testing.T) {
	type attack struct {
		frame   func(origin *puppet, key presenceKey, g *gossiper) gossipFrame
		want    State
		dropped Drops
		ends    bool
	}
	long := presenceKey{8}
	for name, a := range map[string]attack{
		"honest": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 1, o.sealed(key, o.online(6)))
		}, Online, Drops{}, false},
		"signed by somebody else": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			sealed, _ := seal(g.id, key, o.online(6))
			return g.news(key, 6, 1, sealed)
		}, Unknown, Drops{Forged: 1}, true},
		"sealed with another key": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 1, o.sealed(long, o.online(6)))
		}, Unknown, Drops{Forged: 1}, true},
		"newer than it is": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 99, 1, o.sealed(key, o.online(6)))
		}, Unknown, Drops{Forged: 1}, true},
		"replayed": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 3, 1, o.sealed(key, o.online(3)))
		}, Unknown, Drops{}, false},
		"stale": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			b := o.online(6)
			b.Sent -= uint64(time.Hour / time.Millisecond)
			return g.news(key, 6, 1, o.sealed(key, b))
		}, Unknown, Drops{Stale: 1}, false},
		"made tomorrow": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			b := o.online(6)
			b.Sent += uint64(24 * time.Hour / time.Millisecond)
			return g.news(key, 6, 1, o.sealed(key, b))
		}, Unknown, Drops{Stale: 1}, false},
		"over four devices": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 4, o.sealed(key, o.online(6)))
		}, Unknown, Drops{Malformed: 1}, true},
		"over none": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 0, o.sealed(key, o.online(6)))
		}, Unknown, Drops{Malformed: 1}, true},
		"of nobody": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(long, 6, 1, o.sealed(long, o.online(6)))
		}, Unknown, Drops{Unasked: 1}, false},
		"too long": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 1, make([]byte, maxGossipFrame))
		}, Unknown, Drops{Oversized: 1}, true},
		"beacon too long": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 1, make([]byte, maxFrame+1))
		}, Unknown, Drops{Malformed: 1}, true},
		"not a beacon": {func(o *puppet, key presenceKey, g *gossiper) gossipFrame {
			return g.news(key, 6, 1, []byte("hello"))
		}, Unknown, Drops{Malformed: 1}, false},
		"masks of 7 bytes": {func(*puppet, presenceKey, *gossiper) gossipFrame {
			return gossipFrame{Know: make(masks, 7)}
		}, Unknown, Drops{Malformed: 1}, true},
		"claims of 9 bytes": {func(*puppet, presenceKey, *gossiper) gossipFrame {
			return gossipFrame{Have: make(claims, 9)}
		}, Unknown, Drops{Malformed: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper) {
				g.says(a.frame(origin, key, g))
				victim.holds(origin, a.want, a.dropped)
				if g.over() != a.ends {
					t.Errorf("the link ended: %v, want %v", !a.ends, a.ends)
				}
				if !a.ends {
					return
				}
				// Who broke the rules is not gossiped with for a while.
				again, err := g.net.Open(t.Context(), victim.self(), GossipProtocol)
				if err != nil {
					t.Fatal(err)
				}
				_ = transport.WriteFrame(again, gossipFrame{Nonce: &g.mine}, maxGossipFrame)
				if n, _ := again.Read(make([]byte, 1)); n != 0 {
					t.Error("it gets a link again at once")
				}
			})
		})
	}
}

// Who says back what it was told, or says whatever it likes, is told of nothing
// but the topics it knows.
func TestWhoAsksForAllLearnsWhatItKnows(t *testing.T) {
	attacked(t, func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper) {
		other := g.world.puppet(202)
		victim.relate(other.self(), accepted(contact.PairedDefault))
		otherKey := presenceKey{9}
		st := other.stream(victim)
		other.say(st, frame{Key: &otherKey, Clock: unixMilli(time.Now())}, other.beacon(otherKey, other.online(5)))
		pass(time.Second)

		var echo, pull []mask
		for _, f := range g.all(time.Second) {
			echo = append(echo, append(f.Know.list(), f.Forget.list()...)...)
		}
		if len(echo) < minTopics {
			t.Fatalf("%d topics named, with decoys", len(echo))
		}
		pull = append(pull, echo...)
		pull = append(pull, g.namedBy(otherKey)) // as if it knew how it is called
		for _, f := range framesOf(echo, func(f *gossipFrame, l masks, more bool) { f.Know, f.More = l, more }) {
			g.says(f)
		}
		var all claims
		for _, m := range pull {
			all = all.add(claim{mask: m})
		}
		g.says(gossipFrame{Pull: all})
		busy := other.online(6)
		busy.State = Busy
		other.say(st, other.beacon(otherKey, busy))
		for _, f := range g.all(time.Minute) {
			for _, c := range f.Have.list() {
				if c.mask != g.names(key) {
					t.Errorf("told of %x, which it does not know", c.mask)
				}
			}
			if f.News != nil {
				t.Errorf("passed on: %+v", f.News)
			}
		}
		victim.holds(other, Busy, Drops{})
	})
}

func TestFloodOfGossipIsBounded(t *testing.T) {
	attacked(t, func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper) {
		changes := 0
		victim.svc.Watch(func(contact.ODID, Presence) { changes++ })
		// Genuine beacons of the origin, which works together with the rogue.
		for i := range uint64(100) {
			b := origin.online(6 + i)
			b.Text = fmt.Sprint(i)
			g.says(g.news(key, 6+i, 1, origin.sealed(key, b)))
		}
		if changes > 9 {
			t.Errorf("%d changes of one device in a second", changes)
		}
		if got := victim.svc.Dropped().TooMany; got < 90 {
			t.Errorf("%d dropped as too many", got)
		}
		// The same beacon again and again.
		g.all(time.Second)
		var have claims
		for range maxClaims {
			have = have.add(claim{mask: g.namedBy(key)})
		}
		for range 100 {
			g.says(gossipFrame{Pull: have})
		}
		got := 0
		for _, f := range g.all(time.Second) {
			if f.News != nil {
				got++
			}
		}
		if got > 1 {
			t.Errorf("the same beacon %d times for asking", got)
		}
		// Topics without end.
		_ = g.st.SetDeadline(time.Time{})
		var list masks
		for i := range 40000 {
			list = append(list, byte(i), byte(i>>8), 1, 2, 3, 4, 5, 6)
		}
		for part := range len(list) / (maxMasks * 8) {
			if err := transport.WriteFrame(g.st, gossipFrame{Know: list[part*maxMasks*8 : (part+1)*maxMasks*8], More: true}, maxGossipFrame); err != nil {
				break
			}
		}
		pass(time.Minute)
		if !g.over() {
			t.Error("a link with topics without end goes on")
		}
	})
}

func TestLinksOneAfterTheOtherAreBounded(t *testing.T) {
	attacked(t, func(t *testing.T, victim *device, _ *puppet, _ presenceKey, g *gossiper) {
		named := 0
		for range 100 {
			st, err := g.net.Open(t.Context(), victim.self(), GossipProtocol)
			if err != nil {
				t.Fatal(err)
			}
			_ = transport.WriteFrame(st, gossipFrame{Nonce: &nonce{9}}, maxGossipFrame)
			_ = st.SetDeadline(time.Now().Add(50 * time.Millisecond))
			r := transport.NewFrameReader(st, maxGossipFrame)
			for {
				var f gossipFrame
				if r.Read(&f) != nil {
					break
				}
				if len(f.Know) > 0 {
					named++
				}
			}
			_ = st.Reset()
		}
		if named > linkBurst {
			t.Errorf("all topics were named %d times in 5 s", named)
		}
	})
}

// Who claims to have news gains nothing: the news come from whoever brings them.
func TestClaimsThatAreNotKeptHinderNobody(t *testing.T) {
	attacked(t, func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper) {
		honest := g.world.puppet(203)
		victim.relate(honest.self(), accepted(contact.PairedDefault))
		h := honest.gossips(victim)
		m := h.names(key)
		h.says(gossipFrame{Know: m[:]})
		g.says(gossipFrame{Have: claims(nil).add(claim{g.namedBy(key), 1 << 60, 0})})
		h.says(gossipFrame{Have: claims(nil).add(claim{h.namedBy(key), 6, 0})})
		asked := false
		for _, f := range h.all(30 * time.Second) {
			for _, c := range f.Pull.list() {
				asked = asked || c.mask == h.names(key)
			}
		}
		if !asked {
			t.Fatal("who has the news was not asked for them within 30 s")
		}
		h.says(h.news(key, 6, 1, origin.sealed(key, origin.online(6))))
		victim.holds(origin, Online, Drops{})
	})
}

// TestOnlyMutualContactsReceiveAByteOfGossip plays everybody who is not to hear
// while gossip runs among many, and looks at every byte.
func TestOnlyMutualContactsReceiveAByteOfGossip(t *testing.T) {
	views := map[string]contact.View{
		"gives no status":   {Status: contact.StatusAccepted, Given: contact.AllPermissions, Received: contact.Messages},
		"gets no status":    {Status: contact.StatusAccepted, Given: contact.Messages, Received: contact.AllPermissions},
		"pending, outgoing": {Status: contact.StatusPending, Given: contact.AllPermissions, Received: contact.AllPermissions},
		"pending, incoming": {Status: contact.StatusPending, Incoming: true, Given: contact.AllPermissions},
		"blocked":           {Status: contact.StatusBlocked},
		"removed":           {Status: contact.StatusRemoved},
	}
	inBubble(t, func(t *testing.T, w *world) {
		var d []*device
		for i := range 6 {
			d = append(d, w.device(byte(i+1)))
		}
		w.acquaint(d...)
		others := map[string]*puppet{"stranger": w.puppet(100)}
		for name := range views {
			others[name] = w.puppet(byte(101 + len(others)))
		}
		streams := make(map[string]transport.Stream)
		for name, p := range others {
			for i, o := range d {
				if v, ok := views[name]; ok {
					o.relate(p.self(), v)
				}
				p.connect(o)
				if i == 0 {
					// It asks, too.
					st, err := p.net.Open(t.Context(), o.self(), GossipProtocol)
					if err != nil {
						t.Fatal(err)
					}
					_ = transport.WriteFrame(st, gossipFrame{Nonce: &nonce{1}}, maxGossipFrame)
					streams[name] = st
				}
			}
		}
		for i := range d {
			d[i].connect(d[(i+1)%len(d)])
		}
		for i, o := range d {
			o.set(Busy, fmt.Sprint("secret ", i))
			pass(5 * time.Minute)
		}
		d[5].sees(d[3], Busy, "secret 3")
		for name, p := range others {
			if _, data := p.received(); len(data) != 0 && name != "gives no status" {
				t.Errorf("%s: %d bytes", name, len(data))
			}
			_ = streams[name].SetDeadline(time.Now().Add(time.Second))
			if n, err := streams[name].Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%s: answered, %v", name, err)
			}
		}
		if n := d[0].opened(GossipProtocol); n == 0 {
			t.Error("nobody gossips")
		}
	})
}

// What a device is told ends with the commit that takes its right away, however
// late the notice is.
func TestGossipEndsWithTheCommit(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		b.sees(a, Online, "")
		before := r.sentOn(GossipProtocol, b.self())
		r.mu.Lock()
		r.views[b.self()] = contact.View{Status: contact.StatusBlocked}
		r.mu.Unlock()
		for i := range 5 {
			a.set(Busy, fmt.Sprint(i))
			pass(time.Minute)
		}
		if after := r.sentOn(GossipProtocol, b.self()); !bytes.Equal(after, before) {
			t.Errorf("%d bytes after it was blocked", len(after)-len(before))
		}
	})
}

// A forwarding device passes on nothing of whom it blocked, and forgets the key.
func TestNothingOfTheBlockedIsPassedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		w.acquaint(a, r, b)
		w.chain(a, r, b)
		r.relate(a.self(), contact.View{Status: contact.StatusBlocked})
		pass(time.Second)
		a.set(Busy, "not through r")
		pass(time.Minute)
		b.sees(a, Online, "")
		r.restart()
		w.chain(r, b)
		for _, row := range r.heldBy(t) {
			if row == a.self() {
				t.Error("the key of a blocked contact is kept")
			}
		}
		pass(20 * time.Minute)
		b.sees(a, Unknown, "")
	})
}

// What a contact says on its own stream is its own, signed or not; others must not
// be told what they can't check, or would take for a fault of who passes it on.
func TestUnsignedBeaconIsNotPassedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, b, p := w.device(1), w.device(2), w.puppet(3)
		key := presenceKey{7}
		var st transport.Stream
		tell := func(sealed []byte) { p.say(st, frame{Key: &key, Clock: unixMilli(time.Now()), Beacon: sealed}) }
		for _, d := range []*device{b, r} {
			d.relate(p.self(), accepted(contact.AllPermissions))
			st = p.stream(d)
			tell(nil)
			tell(p.sealed(key, p.online(5)))
		}
		w.acquaint(r, b)
		w.net.Drop(p.self(), b.self())
		w.chain(r, b)
		other := newIdentity(t, 99)
		for i, sign := range []func([]byte) ([]byte, error){
			func(body []byte) ([]byte, error) { return other.Sign(identity.BeaconDomain, body) },
			func(body []byte) ([]byte, error) { return p.id.Sign(identity.PairingDomain, body) },
		} {
			body, err := codec.Marshal(p.online(uint64(6 + i)))
			if err != nil {
				t.Fatal(err)
			}
			sig, err := sign(body)
			if err != nil {
				t.Fatal(err)
			}
			tell(sealEnvelope(t, p.self(), key, envelope{body, sig}))
			pass(time.Minute)
			if got := r.svc.Dropped().Forged; got != uint64(i+1) {
				t.Errorf("%d beacons counted as forged, want %d", got, i+1)
			}
		}
		signed := p.online(9)
		signed.Text = "signed"
		tell(p.sealed(key, signed))
		pass(time.Minute)
		if got := b.svc.Of(p.self()); got.Text != "signed" || !got.Relayed {
			t.Errorf("the next signed one: %+v", got)
		}
		if got := b.svc.Dropped(); got != (Drops{}) {
			t.Errorf("dropped by the other: %+v", got)
		}
	})
}

func TestClocksOffByADay(t *testing.T) {
	// The clock of a device can't be set in a bubble: a puppet has another one.
	attacked(t, func(t *testing.T, victim *device, origin *puppet, key presenceKey, g *gossiper) {
		ago := uint64(20 * time.Hour / time.Millisecond)
		st := origin.stream(victim)
		b := origin.online(10)
		b.Sent -= ago
		f := origin.beacon(key, b)
		f.Clock = b.Sent
		origin.say(st, frame{Key: &key, Clock: f.Clock}, f)
		victim.holds(origin, Online, Drops{})
		g.world.net.Drop(origin.self(), victim.self())
		pass(time.Minute)
		b = origin.online(11)
		b.Sent, b.State = b.Sent-ago, Busy
		g.says(g.news(key, 11, 1, origin.sealed(key, b)))
		victim.holds(origin, Busy, Drops{})

		// The topics of tomorrow and of yesterday are known.
		late := g.world.puppet(204)
		victim.relate(late.self(), accepted(contact.PairedDefault))
		for i, day := range []uint64{dayOf(time.Now()) - 1, dayOf(time.Now()) + 1, dayOf(time.Now()) + 2} {
			l := late.gossips(victim)
			m := maskOf(topicOf(key, day), l.self(), l.mine, l.theirs)
			l.says(gossipFrame{Know: m[:]})
			told := false
			for _, f := range l.all(time.Second) {
				for _, c := range f.Have.list() {
					told = told || c.mask == m
				}
			}
			if want := i < 2; told != want {
				t.Errorf("day %d: told of it: %v", day, told)
			}
		}
	})
}

// heldBy returns whose keys are on the disk of d.
func (d *device) heldBy(t *testing.T) (peers []contact.ODID) {
	t.Helper()
	synctest.Wait()
	if err := d.db.View(func(tx *store.Tx) error {
		for row, err := range heldKeys().Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			peers = append(peers, contact.ODID(row.Key))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return peers
}
