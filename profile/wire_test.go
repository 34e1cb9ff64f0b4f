package profile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"image/color"
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
		{"request", request{}, "a0"},
		{"request of who has one", request{Held: 1_700_000_000_001}, "a1011b0000018bcfe56801"},
		{"answer", answer{Rev: 5, Name: "n", Bio: "b", Skills: []string{"s"}, Communities: []string{"c"}, Picture: []byte{9}},
			"a6" + "0205" + "03616e" + "046162" + "05816173" + "06816163" + "074109"},
		{"empty answer", answer{}, "a0"},
		{"unchanged", answer{Kind: kindUnchanged, Rev: 5}, "a201010205"},
		{"later", answer{Kind: kindLater}, "a10102"},
		{"private", answer{Kind: kindPrivate}, "a10103"},
		{"own on disk", ownRow{Rev: 5, Name: "n", Bio: "b", Skills: []string{"s"}, Communities: []string{"c"}, Picture: Picture{9}},
			"a6" + "0105" + "02616e" + "036162" + "04816173" + "05816163" + "064109"},
		{"kept on disk", keptRow{Rev: 5, Name: "n", Bio: "b", Skills: []string{"s"}, Communities: []string{"c"}, Picture: Picture{9}, AsOf: 7},
			"a7" + "0105" + "02616e" + "036162" + "04816173" + "05816163" + "064109" + "0707"},
		{"order on disk", struct{}{}, "a0"},
		{"count on disk", countRow{Kept: 3}, "a10103"},
	} {
		b, err := codec.Marshal(tt.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if got := hex.EncodeToString(orderKey(7, contact.ODID{1})); got != "0000000000000007"+"01"+strings.Repeat("00", 31) {
		t.Errorf("key of order %s", got)
	}
}

func TestLargestProfileFits(t *testing.T) {
	words := make([]string, MaxWords)
	for i := range words {
		words[i] = fmt.Sprintf("%02d", i) + strings.Repeat("x", MaxWordSize-2)
	}
	p := Profile{
		Name: strings.Repeat("n", contact.MaxNameSize), Bio: strings.Repeat("\U0001f600", MaxBioRunes),
		Skills: words, Communities: words, Picture: make(Picture, MaxPictureSize), Rev: 1<<64 - 1,
	}
	if err := p.checkTexts(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, answerOf(p, 0), maxAnswer); err != nil {
		t.Error(err)
	}
	if err := transport.WriteFrame(&b, request{Held: 1<<64 - 1}, maxRequest); err != nil {
		t.Error(err)
	}
}

// TestAnswersAreLookedAt: what breaks a limit is refused as a whole.
func TestAnswersAreLookedAt(t *testing.T) {
	long := strings.Repeat("x", MaxWordSize+1)
	many := make([]string, MaxWords+1)
	for i := range many {
		many[i] = strings.Repeat("w", i+1)
	}
	for name, a := range map[string]answer{
		"long name":             {Name: strings.Repeat("n", contact.MaxNameSize+1)},
		"name of two lines":     {Name: "a\nb"},
		"name with an escape":   {Name: "a\x1b[2J"},
		"bio of many runes":     {Bio: strings.Repeat("x", MaxBioRunes+1)},
		"bio of many bytes":     {Bio: strings.Repeat("\U0001f600", 501)},
		"bio with an escape":    {Bio: "a\x1b]0;owned\x07"},
		"bio with a return":     {Bio: "a\rb"},
		"bio with a C1 control": {Bio: "a\u009b2J"},
		"many skills":           {Skills: many},
		"a long skill":          {Skills: []string{long}},
		"an empty skill":        {Skills: []string{""}},
		"a skill twice":         {Skills: []string{"a", "a"}},
		"a skill of two lines":  {Skills: []string{"a\nb"}},
		"many communities":      {Communities: many},
		"a long community":      {Communities: []string{long}},
		"unknown kind":          {Kind: 9},
		"unchanged, unasked":    {Kind: kindUnchanged, Rev: 3},
	} {
		_, _, err := a.profile(0)
		var limit *contact.LimitError
		var invalid *contact.InvalidError
		if !errors.Is(err, ErrMalformed) || errors.As(err, &limit) || errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err) // an error about the caller's own input would blame the user
		}
	}
	if _, _, err := (answer{Kind: kindUnchanged, Rev: 3}).profile(4); !errors.Is(err, ErrMalformed) {
		t.Errorf("unchanged, but another one: %v", err)
	}
	for kind, want := range map[kind]error{kindLater: ErrLater, kindPrivate: ErrPrivate} {
		if _, _, err := (answer{Kind: kind}).profile(0); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// TestBadPictureCostsTheTextsNothing: the texts are good without it.
func TestBadPictureCostsTheTextsNothing(t *testing.T) {
	for name, b := range bombs(t) {
		p, _, err := answer{Name: "Ana", Picture: b}.profile(0)
		if err != nil || p.Name != "Ana" || p.Picture != nil {
			t.Errorf("%s: %q, %d bytes, %v", name, p.Name, len(p.Picture), err)
		}
	}
}

// TestPictureIsEncodedAnew: not a byte that another device chose is kept.
func TestPictureIsEncodedAnew(t *testing.T) {
	sent := append(asPNG(t, drawing(100, 100, color.White)), "and a script"...)
	p, _, err := answer{Picture: sent}.profile(0)
	if err != nil || len(p.Picture) == 0 || bytes.Contains(p.Picture, []byte("script")) {
		t.Errorf("%d bytes, %v", len(p.Picture), err)
	}
}

// TestProfilesGoOverTheWire: what may be set arrives as it is.
func TestProfilesGoOverTheWire(t *testing.T) {
	text := func(most int) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.RuneFrom([]rune("aä東\U0001f600\u202e\u200d ,")), 0, -1, most)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := "n" + text(contact.MaxNameSize-2).Draw(t, "name") + "n"
		bio := text(MaxBioRunes).Draw(t, "bio")
		words := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.Map(text(MaxWordSize-2), func(s string) string { return "w" + s + "w" }), 0, MaxWords, rapid.ID).Draw(t, label)
		}
		skills, communities := words("skills"), words("communities")
		p, err := Change{Name: &name, Bio: &bio, Skills: &skills, Communities: &communities}.apply(Profile{Rev: 1})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := transport.WriteFrame(&b, answerOf(p, 0), maxAnswer); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := transport.NewFrameReader(&b, maxAnswer).Read(&a); err != nil {
			t.Fatal(err)
		}
		got, unchanged, err := a.profile(0)
		if err != nil || unchanged || !same(got, p) || got.Rev != p.Rev {
			t.Fatalf("%+v became %+v, %v", p, got, err)
		}
		if got, unchanged, err := answerOf(p, 1).profile(1); err != nil || !unchanged {
			t.Fatalf("%+v, %v, %v", got, unchanged, err)
		}
	})
}

// FuzzAnswer: whatever a device answers, there is a profile within its limits or an
// error.
func FuzzAnswer(f *testing.F) {
	add := func(a answer) {
		var b bytes.Buffer
		if err := transport.WriteFrame(&b, a, maxAnswer); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), uint64(5))
	}
	add(answer{Rev: 5, Name: "n", Bio: "b\nb", Skills: []string{"s"}, Communities: []string{"c"}, Picture: asPNG(f, drawing(9, 9, color.White))})
	add(answer{Kind: kindUnchanged, Rev: 5})
	add(answer{Kind: kindLater})
	add(answer{Name: "\u202e", Skills: []string{"", "\x1b"}})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, held uint64) {
		var a answer
		if err := transport.NewFrameReader(bytes.NewReader(b), maxAnswer).Read(&a); err != nil {
			return
		}
		p, unchanged, err := a.profile(held)
		if err != nil || unchanged {
			return
		}
		if err := p.checkTexts(); err != nil {
			t.Fatal(err)
		}
		if len(p.Picture) > 0 {
			good(t, p.Picture)
		}
	})
}

// FuzzRequest: whatever an opener says, what it is answered is a frame that it can
// read, or nothing.
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
		if _, _, err := answerOf(Profile{Name: "n", Rev: 7}, in.Held).profile(in.Held); err != nil {
			t.Fatal(err)
		}
	})
}
