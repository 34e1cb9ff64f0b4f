package card

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// TestGoldenBytes fixes every record on the wire and on disk. A change here is a
// change of the protocol or needs a migration.
func TestGoldenBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"request of a card that was never set", request{}, "a0"},
		{"request", request{Rev: 1_700_000_000_001}, "a1011b0000018bcfe56801"},
		{"empty answer", answer{}, "a0"},
		{"answer", answer{Rev: 5, Phone: "p", Email: "e", Address: "a", Notes: "n"}, "a5" + "0105" + "026170" + "036165" + "046161" + "05616e"},
		{"own on disk", ownRow{Rev: 5, Phone: "p", Email: "e", Address: "a", Notes: "n"}, "a5" + "0105" + "026170" + "036165" + "046161" + "05616e"},
		{"empty own on disk", ownRow{Rev: 5}, "a10105"},
		{"held on disk", heldRow{Rev: 5, Phone: "p", Email: "e", Address: "a", Notes: "n", Since: 6, Met: 7, Lease: 8},
			"a8" + "0105" + "026170" + "036165" + "046161" + "05616e" + "0606" + "0707" + "0808"},
	} {
		b, err := codec.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func fullest() Card {
	return Card{
		Phone: strings.Repeat("1", MaxPhoneSize), Email: strings.Repeat("e", MaxEmailSize),
		Address: strings.Repeat("a", MaxAddressSize), Notes: strings.Repeat("n", MaxNotesSize), Rev: 1<<64 - 1,
	}
}

func TestLargestCardFits(t *testing.T) {
	if err := fullest().check(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, answerOf(fullest()), maxAnswer); err != nil {
		t.Error(err)
	}
	if err := transport.WriteFrame(&b, request{Rev: 1<<64 - 1}, maxRequest); err != nil {
		t.Error(err)
	}
}

// TestLimits: a byte more than a field may have is refused, with the limit's name,
// whether the user sets it or another device sends it.
func TestLimits(t *testing.T) {
	for field, tt := range map[string]struct {
		limit int
		set   func(*Card, string)
		lines bool
	}{
		"phone":   {64, func(c *Card, s string) { c.Phone = s }, false},
		"email":   {254, func(c *Card, s string) { c.Email = s }, false},
		"address": {500, func(c *Card, s string) { c.Address = s }, true},
		"notes":   {1000, func(c *Card, s string) { c.Notes = s }, true},
	} {
		with := func(text string) (c Card) {
			c.Rev = 9
			tt.set(&c, text)
			return c
		}
		if err := with(strings.Repeat("x", tt.limit)).check(); err != nil {
			t.Errorf("%s: %v", field, err)
		}
		if err := with("a\nb").check(); (err == nil) != tt.lines {
			t.Errorf("%s of two lines: %v", field, err)
		}
		long := with(strings.Repeat("x", tt.limit+1))
		want := fmt.Sprintf("%s of %d bytes, at most %d", field, tt.limit+1, tt.limit)
		var limit *contact.LimitError
		if _, err := (Change{Phone: &long.Phone, Email: &long.Email, Address: &long.Address, Notes: &long.Notes}).apply(Card{}); !errors.As(err, &limit) || limit.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		for _, text := range []string{strings.Repeat("x", tt.limit+1), "a\x1b[2J", "a\r", "a\x00", "a\u009b", "\xff"} {
			if _, err := answerOf(with(text)).card(9); !errors.Is(err, errMalformed) || errors.As(err, &limit) || strings.Contains(err.Error(), text) {
				t.Errorf("%s %.20q: %v", field, text, err)
			}
		}
	}
	if _, err := (answer{Rev: 4, Phone: "1"}).card(5); !errors.Is(err, errMalformed) {
		t.Errorf("an older revision: %v", err)
	}
	if c, err := (answer{Rev: 6, Phone: "1"}).card(5); err != nil || c.Rev != 6 {
		t.Errorf("a newer revision: %v", err)
	}
}

// TestCardIsNotPrinted: whatever prints a card prints nothing of it.
func TestCardIsNotPrinted(t *testing.T) {
	c := Card{Phone: "secret", Email: "secret", Address: "secret", Notes: "secret", Rev: 1}
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "card", c, "held", Held{Card: c})
	fmt.Fprintf(&b, "%v %+v %#v %s %v %+v", c, c, c, c, &c, Held{Card: c})
	if strings.Contains(b.String(), "secret") {
		t.Errorf("printed: %s", b.String())
	}
}

// TestCardsGoOverTheWire: what may be set arrives as it is.
func TestCardsGoOverTheWire(t *testing.T) {
	text := func(most int, extra string) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.RuneFrom([]rune("aä東\U0001f600\u202e ,+"+extra)), 0, -1, most)
	}
	rapid.Check(t, func(t *rapid.T) {
		phone, email := text(MaxPhoneSize, "").Draw(t, "phone"), text(MaxEmailSize, "").Draw(t, "email")
		address, notes := text(MaxAddressSize, "\n").Draw(t, "address"), text(MaxNotesSize, "\n").Draw(t, "notes")
		c, err := Change{Phone: &phone, Email: &email, Address: &address, Notes: &notes}.apply(Card{Rev: 3})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := transport.WriteFrame(&b, answerOf(c), maxAnswer); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := transport.NewFrameReader(&b, maxAnswer).Read(&a); err != nil {
			t.Fatal(err)
		}
		if got, err := a.card(3); err != nil || got != c {
			t.Fatalf("%#v became %#v, %v", answerOf(c), answerOf(got), err)
		}
	})
}

// FuzzAnswer: whatever a device answers, there is a card within its limits or an error.
func FuzzAnswer(f *testing.F) {
	for _, a := range []answer{answerOf(fullest()), {}, {Rev: 5, Phone: "\u202e"}, {Rev: 5, Notes: "a\x1b"}} {
		var b bytes.Buffer
		if err := transport.WriteFrame(&b, a, maxAnswer); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), uint64(5))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, rev uint64) {
		var a answer
		if err := transport.NewFrameReader(bytes.NewReader(b), maxAnswer).Read(&a); err != nil {
			return
		}
		c, err := a.card(rev)
		if err != nil {
			return
		}
		if err := c.check(); err != nil || c.Rev < rev {
			t.Fatalf("revision %d: %v", c.Rev, err)
		}
	})
}

// FuzzRequest: what an opener says is a revision, or the stream ends.
func FuzzRequest(f *testing.F) {
	f.Add([]byte{1, 0xa0})
	f.Add([]byte{0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{5, 0xa1, 1, 0x19, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var in request
		if err := transport.NewFrameReader(bytes.NewReader(b), maxRequest).Read(&in); err != nil {
			return
		}
		var out bytes.Buffer
		if err := transport.WriteFrame(&out, in, maxRequest); err != nil {
			t.Fatal(err)
		}
	})
}
