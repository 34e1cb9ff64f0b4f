package pairing

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
)

func TestSessionPairs(t *testing.T) {
	d := newDuel(t).run()
	if d.errS != nil || d.errE != nil {
		t.Fatal(d.errS, d.errE)
	}
	if d.rs.PairID != d.re.PairID || d.rs.Secret != d.re.Secret || d.rs.PairID == (contact.PairID{}) || d.rs.Secret == (Secret{}) {
		t.Errorf("S has %x, E has %x", d.rs.PairID, d.re.PairID)
	}
	wantS := Result{Peer: d.e.Self(), Name: "Eve", PairID: d.rs.PairID, Secret: d.rs.Secret, Role: Shows,
		Grants: contact.PairedDefault | contact.Audio, Allow: contact.Audio, Offered: contact.PairedDefault}
	wantE := Result{Peer: d.s.Self(), Name: "Sam", PairID: d.rs.PairID, Secret: d.rs.Secret, Role: Enters,
		Grants: contact.PairedDefault, Offered: contact.PairedDefault | contact.Audio}
	if d.rs != wantS || d.stagedAt != wantS {
		t.Errorf("S: %+v, staged %+v, want %+v", d.rs, d.stagedAt, wantS)
	}
	if d.re != wantE || d.committed != wantE {
		t.Errorf("E: %+v, committed %+v, want %+v", d.re, d.committed, wantE)
	}
	if d.debits != 1 || d.wrong != 0 || d.used != 1 {
		t.Errorf("%d debits, %d wrong, %d used", d.debits, d.wrong, d.used)
	}
}

func TestEverySessionHasItsOwnSecret(t *testing.T) {
	a, b := newDuel(t).run(), newDuel(t).run()
	if a.rs.PairID == b.rs.PairID || a.rs.Secret == b.rs.Secret {
		t.Error("the same devices and code gave the same secret twice")
	}
}

func TestSecondCodePairsInRoundTwo(t *testing.T) {
	d := newDuel(t)
	d.codes = []string{"111111", "482193"}
	d.run()
	if d.errS != nil || d.errE != nil || d.rs.PairID != d.re.PairID {
		t.Fatal(d.errS, d.errE)
	}
	if d.debits != 2 || d.wrong != 1 {
		t.Errorf("%d debits, %d wrong", d.debits, d.wrong)
	}
}

func TestWrongCodeCostsAtMostTwoGuesses(t *testing.T) {
	for _, codes := range [][]string{{"111111"}, {"111111", "222222"}} {
		d := newDuel(t)
		d.codes = codes
		d.run()
		if !errors.Is(d.errE, ErrWrongCode) {
			t.Errorf("E: %v", d.errE)
		}
		if d.debits != len(codes) || d.wrong != len(codes) || d.used != 0 {
			t.Errorf("%d debits, %d wrong, %d used of %d codes", d.debits, d.wrong, d.used, len(codes))
		}
		if d.committed != (Result{}) || d.stagedAt != (Result{}) {
			t.Error("something was committed")
		}
	}
}

// Whoever relays between two devices has other keys than they: on both sides
// (in the middle), or on one (unknown key share).
func TestOtherConnectionOtherKey(t *testing.T) {
	mallory := newIdentity(t, 9).Self()
	for name, meddle := range map[string]func(*duel){
		"relay in the middle":          func(d *duel) { d.sSees, d.eSees = mallory, mallory },
		"unknown key share, of S":      func(d *duel) { d.sSees = mallory },
		"unknown key share, of E":      func(d *duel) { d.eSees = mallory },
		"E's own window relayed":       func(d *duel) { d.s, d.sSees, d.eSees = d.e, mallory, mallory },
		"role confusion: keys crossed": func(d *duel) { d.sSees, d.eSees = d.s.Self(), d.e.Self() },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDuel(t)
			meddle(d)
			d.run()
			if !errors.Is(d.errE, ErrWrongCode) || d.errS != (refusal{reasonCode}) {
				t.Errorf("S: %v, E: %v", d.errS, d.errE)
			}
			if d.debits != 1 || d.used != 0 {
				t.Errorf("%d debits, %d used", d.debits, d.used)
			}
		})
	}
}

// change flips bits of one byte of the body of each frame of a type.
func change(of frameType, at int) func(frameType, []byte) []byte {
	return flip(of, at, 1)
}

func flip(of frameType, at int, bits byte) func(frameType, []byte) []byte {
	return func(t frameType, raw []byte) []byte {
		if t == of {
			raw[frameHeader+at] ^= bits
		}
		return raw
	}
}

// Nothing that passes between the two can be changed and still pair.
func TestChangedInFlight(t *testing.T) {
	for _, c := range []struct {
		name    string
		s, e    func(frameType, []byte) []byte
		debits  int
		errE    error
		refused reason
	}{
		{"version", nil, change(typeHello, 0), 0, ErrIncompatible, reasonVersion},
		{"suite", nil, change(typeHello, 1), 0, ErrIncompatible, reasonVersion},
		{"kind", nil, change(typeHello, 2), 0, ErrIncompatible, reasonKind},
		{"nonce of E", nil, change(typeHello, 4), 1, ErrWrongCode, reasonCode},
		{"nonce of S", change(typeOffer, 1), nil, 1, ErrWrongCode, reasonCode},
		{"round of S", change(typeOffer, 0), nil, 0, errFrame, 0},
		{"round of E", nil, change(typeProve, 0), 0, nil, 0},
		{"round of S, to the second", flip(typeOffer, 0, 3), nil, 0, errFrame, 0},
		{"round of E, to the second", nil, flip(typeProve, 0, 3), 0, nil, 0},
		{"tag of E", nil, change(typeProve, 40), 1, ErrWrongCode, reasonCode},
		{"tag of S", change(typeConfirm, 0), nil, 1, errPayload, 0},
		{"first Noise message", change(typeConfirm, 70), nil, 1, errPayload, 0},
		{"second Noise message", nil, change(typeNoise2, 60), 1, nil, 0},
		{"third Noise message", change(typeNoise3, 20), nil, 1, errPayload, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDuel(t)
			d.alterS, d.alterE = c.s, c.e
			d.run()
			if d.errE == nil || c.errE != nil && !errors.Is(d.errE, c.errE) {
				t.Errorf("E: %v, want %v", d.errE, c.errE)
			}
			if d.errS == nil || c.refused != 0 && d.errS != (refusal{c.refused}) {
				t.Errorf("S: %v", d.errS)
			}
			if d.debits != c.debits {
				t.Errorf("%d debits, want %d", d.debits, c.debits)
			}
			if d.committed != (Result{}) {
				t.Error("E committed")
			}
		})
	}
}

// A nameplate put in on the way is no nameplate of S. A HELLO has room for one.
func TestNameplateIsRefusedWithoutDebit(t *testing.T) {
	d := newDuel(t)
	d.alterE = func(kind frameType, raw []byte) []byte {
		if kind != typeHello {
			return raw
		}
		h, _ := parseHello(raw[frameHeader:])
		h.nameplate = "7"
		return encodeFrame(typeHello, h.encode())
	}
	d.run()
	if d.errS != (refusal{reasonNameplate}) || d.debits != 0 {
		t.Errorf("%v, %d debits", d.errS, d.debits)
	}
}

// The channel identifier separates what a header field can say.
func TestChannelIdentifierBindsEverything(t *testing.T) {
	a, b := newIdentity(t, 1).Self(), newIdentity(t, 2).Self()
	base := channelIdentifier(hello{1, 1, 1, "", nil}, a, b)
	for name, other := range map[string][]byte{
		"version":   channelIdentifier(hello{2, 1, 1, "", nil}, a, b),
		"suite":     channelIdentifier(hello{1, 2, 1, "", nil}, a, b),
		"kind":      channelIdentifier(hello{1, 1, 2, "", nil}, a, b),
		"nameplate": channelIdentifier(hello{1, 1, 1, "7", nil}, a, b),
		"roles":     channelIdentifier(hello{1, 1, 1, "", nil}, b, a),
	} {
		if bytes.Equal(base, other) {
			t.Errorf("another %s, the same identifier", name)
		}
	}
	want := lv([]byte("contacts/pair/1"), []byte{1, 1, 1}, nil, []byte("S"), a[:], []byte("E"), b[:])
	if !bytes.Equal(base, want) {
		t.Errorf("%x, want %x", base, want)
	}
}

func TestFailedStagingSendsNothing(t *testing.T) {
	d := newDuel(t)
	d.stageError = errors.New("disk full")
	d.run()
	if !errors.Is(d.errS, d.stageError) || d.errE == nil || d.committed != (Result{}) {
		t.Errorf("S: %v, E: %v", d.errS, d.errE)
	}
}

// attack plays E by hand against a real S.
func (d *duel) attack(t *testing.T, f func(c net.Conn), prepare ...func(*showing)) {
	t.Helper()
	cs, ce := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer cs.Close()
		side := d.showing(cs)
		for _, p := range prepare {
			p(side)
		}
		d.rs, d.errS = side.run()
	})
	f(ce)
	ce.Close()
	group.Wait()
}

// attackWith lets both sides meet after prepare has changed S.
func (d *duel) attackWith(t *testing.T, prepare func(*showing)) {
	t.Helper()
	d.attack(t, func(c net.Conn) { _, d.errE = d.entering(c).run() }, prepare)
}

func put(t *testing.T, c net.Conn, kind frameType, body []byte) {
	t.Helper()
	if _, err := c.Write(encodeFrame(kind, body)); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, c net.Conn, want frameType) []byte {
	t.Helper()
	kind, body, _, err := readFrame(c, maxBodyAfter)
	if err != nil || kind != want {
		t.Errorf("type %d, %v; want %d", kind, err, want)
	}
	return body
}

var anyHello = hello{version1, suite1, kindCode, "", fill(nonceSize, 1)}

func TestReplayedProofFails(t *testing.T) {
	var heard []byte
	d := newDuel(t)
	d.alterE = func(kind frameType, raw []byte) []byte {
		if kind == typeProve {
			heard = bytes.Clone(raw)
		}
		return raw
	}
	d.run()
	if d.errS != nil {
		t.Fatal(d.errS)
	}
	again := newDuel(t)
	again.attack(t, func(c net.Conn) {
		put(t, c, typeHello, anyHello.encode())
		get(t, c, typeOffer)
		c.Write(heard)
		// S refuses through Handle, which is not here: the session just ends.
	})
	if again.errS != (refusal{reasonCode}) || again.debits != 1 || again.used != 0 {
		t.Errorf("%v, %d debits, %d used", again.errS, again.debits, again.used)
	}
}

func TestReflectedShareFails(t *testing.T) {
	d := newDuel(t)
	d.attack(t, func(c net.Conn) {
		put(t, c, typeHello, anyHello.encode())
		o, err := parseOffer(get(t, c, typeOffer))
		if err != nil {
			t.Error(err)
		}
		put(t, c, typeProve, prove{1, o.share, fill(cpaceTag, 0)}.encode())
	})
	if d.errS != (refusal{reasonCode}) || d.used != 0 {
		t.Errorf("%v", d.errS)
	}
}

// S answers with E's own share and tag: E must not take them for S's.
func TestReflectedTagFails(t *testing.T) {
	d := newDuel(t)
	cs, ce := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer ce.Close()
		d.re, d.errE = d.entering(ce).run()
	})
	h, err := parseHello(get(t, cs, typeHello))
	if err != nil {
		t.Fatal(err)
	}
	// The attacker knows the code's generator only by the code, but may choose
	// any element: here a random one, then everything of E's back at it.
	guess, err := newShare([]byte("000000"), channelIdentifier(h, d.s.Self(), d.e.Self()), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, cs, typeOffer, offer{1, fill(nonceSize, 2), guess.Y}.encode())
	p, err := parseProve(get(t, cs, typeProve))
	if err != nil {
		t.Fatal(err)
	}
	put(t, cs, typeConfirm, confirm{p.tag, fill(48, 0)}.encode())
	group.Wait()
	cs.Close()
	if !errors.Is(d.errE, errPayload) || d.committed != (Result{}) {
		t.Errorf("%v", d.errE)
	}
}

// Elements that would fix the key end the session before a guess is counted.
func TestUnusableElementsAbort(t *testing.T) {
	for name, y := range map[string][]byte{
		"identity":      make([]byte, 32),
		"not canonical": fill(32, 0xff),
		"negative":      append([]byte{1}, make([]byte, 31)...),
	} {
		t.Run(name+" from E", func(t *testing.T) {
			d := newDuel(t)
			d.attack(t, func(c net.Conn) {
				put(t, c, typeHello, anyHello.encode())
				get(t, c, typeOffer)
				put(t, c, typeProve, prove{1, y, fill(cpaceTag, 0)}.encode())
			})
			if !errors.Is(d.errS, errElement) || d.debits != 0 {
				t.Errorf("%v, %d debits", d.errS, d.debits)
			}
		})
		t.Run(name+" from S", func(t *testing.T) {
			d := newDuel(t)
			d.alterS = func(kind frameType, raw []byte) []byte {
				if kind == typeOffer {
					copy(raw[frameHeader+1+nonceSize:], y)
				}
				return raw
			}
			d.run()
			if !errors.Is(d.errE, errElement) {
				t.Errorf("%v", d.errE)
			}
		})
	}
}

// Bytes that break the format end the session: no guess is counted, nothing is
// answered, nothing panics.
func TestBrokenBytesCostNoGuess(t *testing.T) {
	offered := func(t *testing.T, c net.Conn) {
		put(t, c, typeHello, anyHello.encode())
		get(t, c, typeOffer)
	}
	proof := prove{1, fill(32, 1), fill(64, 1)}.encode()
	for name, f := range map[string]func(*testing.T, net.Conn){
		"nothing":          func(*testing.T, net.Conn) {},
		"oversized HELLO":  func(_ *testing.T, c net.Conn) { c.Write([]byte{0x01, 0x01, 0x01}) },
		"64 KiB announced": func(_ *testing.T, c net.Conn) { c.Write([]byte{0xff, 0xff, 0x01}) },
		"HELLO cut short":  func(_ *testing.T, c net.Conn) { c.Write(encodeFrame(typeHello, anyHello.encode())[:20]) },
		"HELLO and a byte": func(_ *testing.T, c net.Conn) { c.Write(encodeFrame(typeHello, append(anyHello.encode(), 0))) },
		"PROVE first":      func(_ *testing.T, c net.Conn) { c.Write(encodeFrame(typeProve, proof)) },
		"unknown type":     func(_ *testing.T, c net.Conn) { c.Write(encodeFrame(0x42, nil)) },
		"PROVE cut short":  func(t *testing.T, c net.Conn) { offered(t, c); c.Write(encodeFrame(typeProve, proof[:96])) },
		"PROVE and a byte": func(t *testing.T, c net.Conn) {
			offered(t, c)
			c.Write(encodeFrame(typeProve, append(bytes.Clone(proof), 0)))
		},
		"oversized PROVE":   func(t *testing.T, c net.Conn) { offered(t, c); c.Write([]byte{0x08, 0x00, 0x03}) },
		"second HELLO":      func(t *testing.T, c net.Conn) { offered(t, c); c.Write(encodeFrame(typeHello, anyHello.encode())) },
		"ACK out of turn":   func(t *testing.T, c net.Conn) { offered(t, c); c.Write(encodeFrame(typeAck, fill(16, 0))) },
		"REJECT from E":     func(t *testing.T, c net.Conn) { offered(t, c); c.Write(encodeFrame(typeReject, []byte{1, 0})) },
		"abandoned session": offered,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDuel(t)
			d.attack(t, func(c net.Conn) { f(t, c) })
			if d.errS == nil || d.debits != 0 || d.wrong != 0 {
				t.Errorf("%v, %d debits, %d wrong", d.errS, d.debits, d.wrong)
			}
			if _, spoken := d.errS.(refusal); spoken {
				t.Errorf("it was answered: %v", d.errS)
			}
		})
	}
}

// Before a valid proof S says nothing that depends on the code: an OFFER is a
// random element, whatever the code.
func TestOfferTellsNothing(t *testing.T) {
	d := newDuel(t)
	d.attack(t, func(c net.Conn) {
		put(t, c, typeHello, anyHello.encode())
		if n := len(get(t, c, typeOffer)); n != 65 {
			t.Errorf("OFFER of %d bytes", n)
		}
		put(t, c, typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode())
		if rest, err := io.ReadAll(c); len(rest) > 0 {
			t.Errorf("%x after a wrong proof, %v", rest, err)
		}
	})
	if d.debits != 1 {
		t.Errorf("%d debits", d.debits)
	}
}

func mustShare(t testing.TB) share {
	t.Helper()
	s, err := newShare([]byte("x"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// S that offers round after round gets two guesses at E's code.
func TestEntererProvesAtMostTwice(t *testing.T) {
	d := newDuel(t)
	cs, ce := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer ce.Close()
		_, d.errE = d.entering(ce).run()
	})
	get(t, cs, typeHello)
	for round := range uint8(2) {
		put(t, cs, typeOffer, offer{round + 1, fill(nonceSize, 2), mustShare(t).Y}.encode())
		get(t, cs, typeProve)
		put(t, cs, typeReject, reject{reasonCode, true}.encode())
	}
	group.Wait()
	if !errors.Is(d.errE, errFrame) {
		t.Errorf("%v", d.errE)
	}
}

// Each message has 5 s, the session 20 s.
func TestSilenceEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		d := newDuel(t)
		d.attack(t, func(c net.Conn) {
			put(t, c, typeHello, anyHello.encode())
			get(t, c, typeOffer)
			io.ReadAll(c)
		})
		if !errors.Is(d.errS, os.ErrDeadlineExceeded) || time.Since(start) != messageTimeout {
			t.Errorf("%v after %v", d.errS, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		d := newDuel(t)
		d.attack(t, func(c net.Conn) {
			raw := encodeFrame(typeHello, anyHello.encode())
			for _, b := range raw {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		})
		if !errors.Is(d.errS, os.ErrDeadlineExceeded) || time.Since(start) > messageTimeout+time.Second {
			t.Errorf("%v after %v", d.errS, time.Since(start))
		}
	})
}

// The prologue is SHA-256 over the very bytes that were exchanged.
func TestPrologueIsTheTranscript(t *testing.T) {
	var bytesS, bytesE []byte
	d := newDuel(t)
	d.codes = []string{"111111", "482193"}
	note := func(kind frameType, raw []byte) []byte {
		if kind <= typeProve || kind == typeReject {
			bytesS = append(bytesS, raw...)
		}
		return raw
	}
	d.alterS, d.alterE = note, note
	d.run()
	if d.errS != nil {
		t.Fatal(d.errS)
	}
	for rest := bytesS; len(rest) > 0; {
		n := frameHeader + int(binary.BigEndian.Uint16(rest))
		bytesE = append(bytesE, rest[2])
		rest = rest[n:]
	}
	if want := []byte{1, 2, 3, 0xf, 2, 3}; !bytes.Equal(bytesE, want) {
		t.Errorf("frames %x, want %x", bytesE, want)
	}
	got := prologue(bytesS, fill(64, 1), d.s.Self(), d.e.Self())
	s, e := d.s.Self(), d.e.Self()
	want := sha256Of(bytesS, fill(64, 1), s[:], e[:])
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func FuzzSessionOfShower(f *testing.F) {
	f.Add(encodeFrame(typeHello, anyHello.encode()))
	f.Add(append(encodeFrame(typeHello, anyHello.encode()), encodeFrame(typeProve, prove{1, fill(32, 1), fill(64, 1)}.encode())...))
	y := mustShare(f).Y
	f.Add(append(encodeFrame(typeHello, anyHello.encode()), encodeFrame(typeProve, prove{1, y, fill(64, 1)}.encode())...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDuel(t)
		d.codes = []string{"111111", "482193"}
		d.attack(t, func(c net.Conn) { converse(c, b) })
		if d.errS == nil || d.used > 0 || d.debits > 2 {
			t.Errorf("%v, %d used, %d debits", d.errS, d.used, d.debits)
		}
	})
}

func FuzzSessionOfEnterer(f *testing.F) {
	y := mustShare(f).Y
	o := encodeFrame(typeOffer, offer{1, fill(32, 1), y}.encode())
	f.Add(o)
	f.Add(append(bytes.Clone(o), encodeFrame(typeConfirm, confirm{fill(64, 1), fill(48, 1)}.encode())...))
	f.Add(append(bytes.Clone(o), encodeFrame(typeReject, []byte{1, 1})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDuel(t)
		cs, ce := net.Pipe()
		var group sync.WaitGroup
		group.Go(func() {
			defer ce.Close()
			_, d.errE = d.entering(ce).run()
		})
		converse(cs, b)
		cs.Close()
		group.Wait()
		if d.errE == nil || d.committed != (Result{}) {
			t.Errorf("%v", d.errE)
		}
	})
}

// converse writes b while it reads what the other side says.
func converse(c net.Conn, b []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		io.Copy(io.Discard, c)
	}()
	c.Write(b)
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	<-ctx.Done()
}
