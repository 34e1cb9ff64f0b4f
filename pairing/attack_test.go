package pairing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// mallory is a device of the attacker's: it has a key of its own, and keeps to
// nothing else.
type mallory struct {
	*memnet.Device
	t *testing.T
}

// newMallory starts a device that deals with each inbound pairing session by f.
func newMallory(t *testing.T, n *memnet.Network, seed byte, f func(m *mallory, victim transport.Stream)) *mallory {
	t.Helper()
	m := &mallory{n.Device(newIdentity(t, seed).Self()), t}
	m.Serve(Protocol, func(_ context.Context, st transport.Stream) {
		defer st.Close()
		f(m, st)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { m.Run(ctx) })
	t.Cleanup(func() { cancel(); group.Wait() })
	synctest.Wait()
	return m
}

func (m *mallory) dial(to *device) transport.Stream {
	m.t.Helper()
	st, err := m.Open(m.t.Context(), to.id.Self(), Protocol)
	if err != nil {
		m.t.Error(err)
		return nil
	}
	return st
}

// relay passes frames on between two streams until one ends. note sees each frame
// before it goes on, and may change it.
func relay(enterer, shower transport.Stream, note func(raw []byte) []byte) {
	var group sync.WaitGroup
	pass := func(from, to transport.Stream) {
		defer to.CloseWrite()
		for {
			_, _, raw, err := readFrame(from, maxBodyAfter)
			if err != nil {
				return
			}
			if _, err := to.Write(note(raw)); err != nil {
				return
			}
		}
	}
	group.Go(func() { pass(enterer, shower) })
	group.Go(func() { pass(shower, enterer) })
	group.Wait()
}

func asIs(raw []byte) []byte { return raw }

// nobodyPaired checks that an attack came to nothing and cost guesses.
func nobodyPaired(t *testing.T, guesses int, devices ...*device) {
	t.Helper()
	synctest.Wait()
	taken := 0
	for _, d := range devices {
		if len(d.committed) != 0 {
			t.Errorf("%s committed %d pairings", d.Name(), len(d.committed))
		}
		taken += d.dayRounds()
	}
	if taken != guesses {
		t.Errorf("%d guesses taken, want %d", taken, guesses)
	}
}

// Name is what the device calls itself.
func (d *device) Name() string { return d.cfg.Name() }

// A relay between two honest devices, each of which takes it for the other, passes
// every frame on as it is and is refused: E's code does not prove what S shows,
// since both see another key.
func TestAttackRelayInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		code := s.watchCodes(ShowOptions{}).code(t).Code
		m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) { relay(victim, m.dial(s), asIs) })
		if _, err := e.Enter(t.Context(), code, EnterOptions{At: m.Self()}); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%v", err)
		}
		nobodyPaired(t, 1, s, e)
	})
}

// E means to pair with M, who shows nothing and passes E on to S: were S's key not
// in what E proves, S would take E's session for one with M.
func TestAttackUnknownKeyShare(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		// The link is the strongest form: it names M, and has S's very secret.
		shown := s.watchCodes(ShowOptions{Link: true}).code(t)
		l, err := parseLink(shown.Link)
		if err != nil {
			t.Fatal(err)
		}
		m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) { relay(victim, m.dial(s), asIs) })
		l.odid, l.addrs = m.Self(), nil
		if _, err := e.Enter(t.Context(), l.url(), EnterOptions{}); !errors.Is(err, ErrWrongLink) {
			t.Errorf("%v", err)
		}
		nobodyPaired(t, 0, s, e)
	})
}

// M plays E's own window back at it: E shows a code and enters the same one.
func TestAttackRoleConfusion(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, _, e *device) {
		code := e.watchCodes(ShowOptions{}).code(t).Code
		m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) { relay(victim, m.dial(e), asIs) })
		if _, err := e.Enter(t.Context(), code, EnterOptions{At: m.Self()}); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%v", err)
		}
		nobodyPaired(t, 1, e)
	})
}

// M keeps the proof that E made for it and plays it at S, under E's own nonce and in
// the round that it was made for; and one of a session that M itself has won.
func TestAttackReplayedProof(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		code := s.watchCodes(ShowOptions{}).code(t).Code
		var hello, proof []byte
		m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) {
			_, _, hello, _ = readFrame(victim, maxBody)
			victim.Write(encodeFrame(typeOffer, offer{1, fill(nonceSize, 2), mustShare(t).Y}.encode()))
			_, _, proof, _ = readFrame(victim, maxBody)
		})
		e.Enter(t.Context(), code, EnterOptions{At: m.Self()})
		synctest.Wait()
		if proof == nil {
			t.Fatal("E proved nothing")
		}
		st := m.dial(s)
		st.Write(hello)
		if kind, _, _, err := readFrame(st, maxBody); err != nil || kind != typeOffer {
			t.Fatalf("%d, %v", kind, err)
		}
		st.Write(proof)
		if kind, body, _, err := readFrame(st, maxBody); err != nil || kind != typeReject || !bytes.Equal(body, reject{reasonCode, false}.encode()) {
			t.Errorf("%d %x, %v", kind, body, err)
		}
		nobodyPaired(t, 1, s, e)
	})
}

// M sends back what it got: S's share at S, and E's share and tag at E.
func TestAttackReflection(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		code := s.watchCodes(ShowOptions{}).code(t).Code
		m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) {
			_, body, _, _ := readFrame(victim, maxBody)
			h, _ := parseHello(body)
			victim.Write(encodeFrame(typeOffer, offer{1, h.nonce, mustShare(t).Y}.encode()))
			_, body, _, _ = readFrame(victim, maxBody)
			p, _ := parseProve(body)
			victim.Write(encodeFrame(typeConfirm, confirm{p.tag, fill(48, 0)}.encode()))
		})
		if _, err := e.Enter(t.Context(), code, EnterOptions{At: m.Self()}); !errors.Is(err, ErrProtocol) {
			t.Errorf("E took its own tag for S's: %v", err)
		}
		st := m.dial(s)
		st.Write(encodeFrame(typeHello, anyHello.encode()))
		_, body, _, _ := readFrame(st, maxBody)
		o, err := parseOffer(body)
		if err != nil {
			t.Fatal(err)
		}
		st.Write(encodeFrame(typeProve, prove{1, o.share, fill(cpaceTag, 0)}.encode()))
		if kind, _, _, err := readFrame(st, maxBody); err != nil || kind != typeReject {
			t.Errorf("%d, %v", kind, err)
		}
		nobodyPaired(t, 1, s, e)
	})
}

// M shows E an OFFER made from a code of its own choice. From what E answers it can
// tell whether that one code was right, and nothing of any other, however many it
// tries at home.
func TestAttackOneGuessNothingOffline(t *testing.T) {
	for name, right := range map[string]bool{"a wrong guess": false, "the right guess": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, _, e *device) {
				const code, nonce = "482193", 2
				guessed := "000000"
				if right {
					guessed = code
				}
				var h hello
				var own share
				var p prove
				m := newMallory(t, n, 66, func(m *mallory, victim transport.Stream) {
					_, body, _, _ := readFrame(victim, maxBody)
					h, _ = parseHello(body)
					sid := sessionID(h.nonce, fill(nonceSize, nonce), 1)
					own, _ = newShare([]byte(guessed), channelIdentifier(h, m.Self(), victim.Peer()), sid)
					victim.Write(encodeFrame(typeOffer, offer{1, fill(nonceSize, nonce), own.Y}.encode()))
					_, body, _, _ = readFrame(victim, maxBody)
					p, _ = parseProve(body)
				})
				if _, err := e.Enter(t.Context(), code, EnterOptions{At: m.Self()}); err == nil {
					t.Error("paired")
				}
				synctest.Wait()
				sid := sessionID(h.nonce, fill(nonceSize, nonce), 1)
				fits := func(s share) bool {
					k, err := s.agree(p.share)
					if err != nil {
						t.Fatal(err)
					}
					key := isk(sid, k, own.Y, Shows.ad(), p.share, Enters.ad())
					return hmac.Equal(p.tag, confirmation(sid, key, p.share, Enters.ad()))
				}
				if fits(own) != right {
					t.Errorf("the guess fits: %v", !right)
				}
				// At home M may take its scalar to the generator of any other code. All
				// that this gives is another share than the one that E's proof is bound to.
				for _, other := range []string{code, "111111", "222222", "999999"} {
					s, err := shareOf(own.y, []byte(other), channelIdentifier(h, m.Self(), e.id.Self()), sid)
					if err != nil {
						t.Fatal(err)
					}
					k, err := s.agree(p.share)
					if err != nil {
						t.Fatal(err)
					}
					key := isk(sid, k, s.Y, Shows.ad(), p.share, Enters.ad())
					if !(right && other == code) && hmac.Equal(p.tag, confirmation(sid, key, p.share, Enters.ad())) {
						t.Errorf("the code %s shows itself offline", other)
					}
				}
				nobodyPaired(t, 0, e)
			})
		})
	}
}

// altered changes what E writes, as if somebody could reach into the connection.
type altered struct {
	transport.Stream
	alter func(frameType, []byte) []byte
}

func (a *altered) Write(b []byte) (int, error) {
	if _, err := a.Stream.Write(a.alter(frameType(b[2]), bytes.Clone(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Whoever could change the HELLO in flight gains nothing: S speaks no other version,
// and the proof is bound to what E meant.
func TestAttackHeaderChangedInFlight(t *testing.T) {
	plate := func(kind frameType, raw []byte) []byte {
		if kind != typeHello {
			return raw
		}
		h, _ := parseHello(raw[frameHeader:])
		h.nameplate = "7"
		return encodeFrame(typeHello, h.encode())
	}
	for name, c := range map[string]struct {
		alter   func(frameType, []byte) []byte
		want    error
		guesses int
	}{
		"version":      {flip(typeHello, 0, 3), ErrIncompatible, 0},
		"suite":        {flip(typeHello, 1, 3), ErrIncompatible, 0},
		"kind":         {flip(typeHello, 2, 0x40), ErrIncompatible, 0},
		"kind, a link": {flip(typeHello, 2, kindCode^kindLink), ErrWrongCode, 0},
		"nameplate":    {plate, ErrIncompatible, 0},
		"nonce":        {flip(typeHello, 4, 1), ErrWrongCode, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				code := s.watchCodes(ShowOptions{}).code(t)
				side := &entering{line: newLine(&altered{e.open(t, s), c.alter}), id: e.id, secret: &shownCode{digits: code.Digits}, commit: func(Result) error { return nil }}
				if _, err := side.run(); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				nobodyPaired(t, c.guesses, s, e)
			})
		})
	}
}

// A peer that sends what breaks the format, at any point of the session, costs S
// no guess and does not keep an honest device out.
func TestAttackBrokenBytesOverTheNetwork(t *testing.T) {
	proof := encodeFrame(typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode())
	for name, b := range map[string][]byte{
		"oversized":       {0xff, 0xff, byte(typeHello)},
		"oversized PROVE": append(encodeFrame(typeHello, anyHello.encode()), 0x08, 0x00, byte(typeProve)),
		"truncated":       encodeFrame(typeHello, anyHello.encode())[:20],
		"trailing bytes":  encodeFrame(typeHello, append(anyHello.encode(), 0)),
		"PROVE cut short": append(encodeFrame(typeHello, anyHello.encode()), proof[:60]...),
		"identity element": append(encodeFrame(typeHello, anyHello.encode()),
			encodeFrame(typeProve, prove{1, make([]byte, cpaceElement), fill(cpaceTag, 0)}.encode())...),
		"no element": append(encodeFrame(typeHello, anyHello.encode()),
			encodeFrame(typeProve, prove{1, fill(cpaceElement, 0xff), fill(cpaceTag, 0)}.encode())...),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				code := s.watchCodes(ShowOptions{}).code(t).Code
				m := newMallory(t, n, 66, func(*mallory, transport.Stream) {})
				st := m.dial(s)
				st.Write(b)
				st.CloseWrite()
				<-time.After(messageTimeout + time.Second)
				nobodyPaired(t, 0, s, e)
				if _, err := e.Enter(t.Context(), code, EnterOptions{At: s.id.Self()}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A block looks like a closed window to the other side, by code and by link, costs
// no guess and is on no list; who blocked is told so before anything is sent.
func TestBlockedByEitherSide(t *testing.T) {
	for name, opt := range map[string]ShowOptions{"code": {}, "link": {Link: true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				lists := 0
				opt := opt
				opt.Waiting = func([]Waiting) { lists++ }
				shown := s.watchCodes(opt).code(t)
				enter := func() error {
					_, err := e.Enter(t.Context(), shown.Code+shown.Link, EnterOptions{At: s.id.Self()})
					return err
				}
				s.blocked[e.id.Self()] = true
				for range 2 * listAfter {
					if err := enter(); !errors.Is(err, ErrNoWindow) {
						t.Errorf("E is blocked at S: %v", err)
					}
				}
				e.blocked[s.id.Self()] = true
				came := s.handled
				if err := enter(); !errors.Is(err, ErrBlocked) || s.handled != came {
					t.Errorf("S is blocked at E: %v", err)
				}
				if lists != 0 {
					t.Error("a blocked device is listed")
				}
				nobodyPaired(t, 0, s, e)
				delete(s.blocked, e.id.Self())
				delete(e.blocked, s.id.Self())
				if err := enter(); err != nil {
					t.Errorf("unblocked: %v", err)
				}
			})
		})
	}
}

// The devices' clocks need not agree: E's stands at the beginning of 2000, as in a
// bubble of synctest, and S's at the real time.
func TestClocksApartSucceed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDuel(t)
	table := newCodeTable(shortCode, 0)
	code := show(t, table, 0)
	var group sync.WaitGroup
	group.Go(func() {
		c, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		side := d.showing(timeless{c})
		side.candidates = func(uint8) ([]*shownCode, error) { return table.candidates(time.Second), nil }
		d.rs, d.errS = side.run()
	})
	synctest.Test(t, func(t *testing.T) {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if apart := time.Since(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)); apart > 0 {
			t.Errorf("E's clock is not behind: %v", apart)
		}
		d.entered = code.digits
		d.re, d.errE = d.entering(timeless{c}).run()
	})
	group.Wait()
	if d.errS != nil || d.errE != nil || d.rs.PairID != d.re.PairID || d.rs.PairID == (contact.PairID{}) {
		t.Errorf("S: %v, E: %v", d.errS, d.errE)
	}
}

// timeless is a connection without deadlines, which two clocks would understand
// differently.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error { return nil }
