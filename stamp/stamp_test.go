package stamp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// quick is work that costs nothing.
type quick struct{}

func (quick) Sum(text []byte) Sum { return sha256.Sum256(text) }

// TestGoldenBytes holds the formats of the wire, and what is hashed: a change here
// needs a new version.
func TestGoldenBytes(t *testing.T) {
	c := Challenge{Version: 1, At: 300, Bits: 6, Count: 3, Seal: Seal{9}}
	wire := "a5010102" + "19012c" + "0306" + "0403" + "055009" + strings.Repeat("00", 15)
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"challenge", c, wire},
		{"proof", Proof{c, []uint64{1, 256, 1 << 40}}, "a2" + "01" + wire + "0283" + "01" + "190100" + "1b0000010000000000"},
	} {
		b, err := codec.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s: encoded as %s, want %s", tt.name, got, tt.want)
		}
	}
	o := Order{Challenge: c, Author: contact.ODID{1}, Subject: contact.ODID{2}, Ask: contact.Digest{3}}
	want := "01" + "09" + strings.Repeat("00", 15) + "01" + strings.Repeat("00", 31) + "02" + strings.Repeat("00", 31) + "03" + strings.Repeat("00", 31) + "02" + strings.Repeat("00", 8)
	if got := hex.EncodeToString(o.text(2)); got != want {
		t.Errorf("hashed is\n%s, want\n%s", got, want)
	}
	sum := Argon2{}.Sum(o.text(2))
	if got := hex.EncodeToString(sum[:8]); got != goldenSum {
		t.Errorf("its argon2id begins with %s, want %s", got, goldenSum)
	}
	m := MintOf([32]byte{7})
	if got := hex.EncodeToString(func() []byte { s := m.seal(contact.ODID{1}, c); return s[:] }()); got != goldenSeal {
		t.Errorf("the seal is %s, want %s", got, goldenSeal)
	}
	if s := fmt.Sprintf("%v %+v", m, *m); strings.Contains(s, "7 0 0 0") {
		t.Errorf("a mint prints its key: %s", s)
	}
}

const (
	goldenSum  = "b83e094adc84cb2d"
	goldenSeal = "ed95582bfd655aa7440c505f426f0707"
)

func TestZeros(t *testing.T) {
	for bits := range 257 {
		var s Sum
		if bits < 256 {
			s[bits/8] = 0x80 >> (bits % 8)
		}
		if got := s.zeros(); got != bits {
			t.Errorf("%d, want %d", got, bits)
		}
	}
}

// TestStampIsForOneAskOfOneToOne: a proof passes as it was made, and with nothing of
// what it binds changed.
func TestStampIsForOneAskOfOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMint()
		author, subject, ask := contact.ODID{1}, contact.ODID{2}, contact.Digest{3}
		c := m.Challenge(author, rapid.IntRange(8, 10).Draw(t, "bits"), rapid.IntRange(1, maxCount).Draw(t, "count"))
		o := Order{c, author, subject, ask}
		p := Proof{Challenge: c}
		for i := range c.Count {
			nonce, hashes, err := o.Make(context.Background(), quick{}, i)
			if err != nil || hashes != nonce+1 {
				t.Fatal(nonce, hashes, err)
			}
			p.Nonces = append(p.Nonces, nonce)
		}
		if err := m.Opens(author, p); err != nil {
			t.Fatal(err)
		}
		if n, err := o.Examine(quick{}, p.Nonces); err != nil || n != c.Count {
			t.Fatalf("%d hashes, %v", n, err)
		}
		if err := m.Opens(contact.ODID{4}, p); !errors.Is(err, ErrForged) {
			t.Fatalf("of another author: %v", err)
		}
		if err := NewMint().Opens(author, p); !errors.Is(err, ErrForged) {
			t.Fatalf("of another device's challenge: %v", err)
		}
		easier := p
		easier.Challenge.Bits--
		if err := m.Opens(author, easier); !errors.Is(err, ErrForged) {
			t.Fatalf("with less work: %v", err)
		}
		fewer := p
		fewer.Nonces = p.Nonces[1:]
		if err := m.Opens(author, fewer); !errors.Is(err, ErrCount) {
			t.Fatalf("with fewer stamps: %v", err)
		}
		for name, other := range map[string]Order{
			"author":    {c, contact.ODID{4}, subject, ask},
			"subject":   {c, author, contact.ODID{4}, ask},
			"ask":       {c, author, subject, contact.Digest{4}},
			"challenge": {m.Challenge(contact.ODID{4}, c.Bits, c.Count), author, subject, ask},
		} {
			// One in 2^8 passes by chance at least; all of them hardly.
			if n, err := other.Examine(quick{}, p.Nonces); err == nil && c.Count > 3 {
				t.Fatalf("passes with another %s", name)
			} else if err != nil && n < 1 {
				t.Fatalf("refused after %d hashes", n)
			}
		}
	})
}

// TestChallengeLivesTenMinutes, whatever the device's clock shows.
func TestChallengeLivesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, author := NewMint(), contact.ODID{1}
		p := Proof{m.Challenge(author, 0, 1), []uint64{0}}
		time.Sleep(Lifetime - time.Second)
		if err := m.Opens(author, p); err != nil {
			t.Errorf("a second before: %v", err)
		}
		time.Sleep(time.Second)
		if err := m.Opens(author, p); !errors.Is(err, ErrLapsed) {
			t.Errorf("then: %v", err)
		}
		p.Challenge = m.Challenge(author, 0, 1)
		p.Challenge.At++ // of the future
		p.Challenge.Seal = m.seal(author, p.Challenge)
		if err := m.Opens(author, p); !errors.Is(err, ErrLapsed) {
			t.Errorf("of the future: %v", err)
		}
	})
}

func TestChallengesThatNobodyWorksFor(t *testing.T) {
	good := Challenge{Version: 1, Bits: 6, Count: 3}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		c    Challenge
		want error
	}{
		{Challenge{Version: 2, Bits: 6, Count: 3}, ErrVersion},
		{Challenge{Version: 1, Bits: contact.MaxDifficulty + 1, Count: 3}, ErrHard},
		{Challenge{Version: 1, Bits: -1, Count: 3}, ErrHard},
		{Challenge{Version: 1, Bits: 6, Count: 0}, ErrCount},
		{Challenge{Version: 1, Bits: 6, Count: maxCount + 1}, ErrCount},
	} {
		if err := tt.c.Check(); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.c, err, tt.want)
		}
	}
}

// TestClockTellsNoStart: two mints that begin together show different times.
func TestClockTellsNoStart(t *testing.T) {
	a, b := NewMint().Challenge(contact.ODID{1}, 6, 3), NewMint().Challenge(contact.ODID{1}, 6, 3)
	if d := a.At - b.At; min(d, -d) < 1000 || a.At < 1<<40 || a.At > 1<<41 {
		t.Errorf("%d and %d", a.At, b.At)
	}
}

func TestMakingIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, n, err := (Order{Challenge: Challenge{Bits: 200}}).Make(ctx, quick{}, 0); !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("%d hashes, %v", n, err)
	}
}

// TestBudgetIsAShareOfTime: calls that take 6 ms each, made without a pause, get
// less than 2 % of the time, and after a rest there is no more than was saved up.
func TestBudgetIsAShareOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget()
		var spent time.Duration
		work := func() {
			time.Sleep(6 * time.Millisecond)
			spent += 6 * time.Millisecond
		}
		from := time.Now()
		for time.Since(from) < time.Hour {
			if !b.Spend(work) {
				time.Sleep(time.Millisecond)
			}
		}
		if share := float64(spent) / float64(time.Since(from)); share >= 0.02 || share < 0.01 {
			t.Errorf("%.4f of the time", share)
		}
		time.Sleep(24 * time.Hour)
		spent = 0
		for b.Spend(work) {
		}
		if spent < examineSaved || spent > examineSaved+10*time.Millisecond {
			t.Errorf("%v after a rest", spent)
		}
	})
}

// FuzzProof lets a device send anything as stamps: it is refused or is the proof that
// was made, and nothing is hashed before the rest is right.
func FuzzProof(f *testing.F) {
	m, author := MintOf([32]byte{7}), contact.ODID{1}
	c := m.Challenge(author, 0, 3)
	good, err := codec.Marshal(Proof{c, []uint64{1, 2, 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0xa0})
	f.Add([]byte{0xa1, 2, 0x80})
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Proof
		if codec.UnmarshalCanonical(in, &p) != nil {
			return
		}
		if m.Opens(author, p) != nil {
			return
		}
		if p.Challenge.Bits != 0 || p.Challenge.Count != 3 || len(p.Nonces) != 3 || p.Challenge.Seal != m.seal(author, p.Challenge) {
			t.Fatalf("taken: %+v", p)
		}
	})
}
