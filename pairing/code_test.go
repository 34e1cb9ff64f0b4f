package pairing

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

func TestParseCode(t *testing.T) {
	for _, c := range []struct {
		text, want string
		err        error
	}{
		{"482193", "482193", nil},
		{"482-193", "482193", nil},
		{" 482 193 ", "482193", nil},
		{"4 8 2-1 9 3\n", "482193", nil},
		{"000-000", "000000", nil},
		{"482\u2011193", "482193", nil},
		{"", "", ErrCodeLength},
		{"48219", "", ErrCodeLength},
		{"4821934", "", ErrCodeLength},
		{"48219350", "", ErrCodeLength},
		{"4821935071", "", ErrCodeLength},
		{"482-193-507", "482193507", nil},
		{"482 193 507", "482193507", nil},
		{"482-1934-1", "", ErrCodeLength},
		{"48219o", "", ErrCodeLetters},
		{"٤٨٢١٩٣", "", ErrCodeLetters},
		{"482193\x00", "", ErrCodeLetters},
		{"7/482-193", "", ErrCodeNameplate},
		{"/482193", "", ErrCodeNameplate},
	} {
		got, err := parseCode(c.text)
		if got != c.want || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%q: %q, %v; want %q, %v", c.text, got, err, c.want, c.err)
		}
		if err != nil && len(c.text) > 3 && strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: the error repeats the code: %v", c.text, err)
		}
	}
	for digits, want := range map[string]string{"482193": "482-193", "482193507": "482-193-507"} {
		if got := formatCode(digits); got != want {
			t.Errorf("formatted %q, want %q", got, want)
		}
	}
}

func show(t *testing.T, table *codeTable, at time.Duration) *shownCode {
	t.Helper()
	c, err := table.show(at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Codes are those of RFC 6238 with SHA-256, counted from the opening of the window.
func TestCodesAreTOTP(t *testing.T) {
	table := newCodeTable(shortCode, 0)
	other := newCodeTable(shortCode, 0)
	same := 0
	for step := range 20 {
		at := time.Duration(step)*codePeriod + 7*time.Second
		c := show(t, table, at)
		want, err := totp.GenerateCodeCustom(table.secret, time.Unix(int64(at/time.Second), 0), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA256})
		if err != nil || c.digits != want {
			t.Errorf("step %d: %s, TOTP has %s (%v)", step, c.digits, want, err)
		}
		if show(t, other, at).digits == c.digits {
			same++
		}
	}
	if same == 20 {
		t.Error("two windows show the same codes")
	}
	if len(table.secret) != 52 {
		t.Errorf("secret of %d characters, 32 bytes make 52", len(table.secret))
	}
}

func TestCodeStaysWhileItIsDisplayed(t *testing.T) {
	table := newCodeTable(shortCode, 0)
	first := show(t, table, 0)
	for _, at := range []time.Duration{time.Nanosecond, 15 * time.Second, codePeriod - 1} {
		if show(t, table, at) != first {
			t.Errorf("another code at %v", at)
		}
	}
	if second := show(t, table, codePeriod); second == first {
		t.Error("the same code after 30 s")
	}
}

func TestCandidates(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name      string
		displayed []time.Duration
		at        time.Duration
		want      []int // indexes in displayed
	}{
		{"nothing displayed", nil, 0, nil},
		{"just opened", []time.Duration{0}, 0, []int{0}},
		{"before 5 s", []time.Duration{0}, 4 * s, []int{0}},
		{"just switched: the one before is likelier", []time.Duration{0, 30 * s}, 31 * s, []int{0, 1}},
		{"5 s after the switch", []time.Duration{0, 30 * s}, 35 * s, []int{1, 0}},
		{"last moment of the first", []time.Duration{0, 30 * s}, 60*s - 1, []int{1, 0}},
		{"the first has expired", []time.Duration{0, 30 * s}, 60 * s, []int{1}},
		{"nobody looked at the second", []time.Duration{0}, 59 * s, []int{0}},
		{"everything expired", []time.Duration{0}, 60 * s, nil},
		{"looked late: never accepted before it was displayed", []time.Duration{0, 44 * s}, 43 * s, []int{0}},
		{"looked late", []time.Duration{0, 44 * s}, 45 * s, []int{0, 1}},
		{"three periods", []time.Duration{0, 30 * s, 60 * s}, 61 * s, []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := newCodeTable(shortCode, 0)
			var codes []*shownCode
			for _, at := range c.displayed {
				codes = append(codes, show(t, table, at))
			}
			var want []*shownCode
			for _, i := range c.want {
				want = append(want, codes[i])
			}
			if got := table.candidates(c.at); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", digitsOf(got), digitsOf(want))
			}
		})
	}
}

func digitsOf(codes []*shownCode) (out []string) {
	for _, c := range codes {
		out = append(out, c.digits)
	}
	return out
}

// Two codes of the same digits are one guess.
func TestCandidatesAreDistinct(t *testing.T) {
	table := newCodeTable(shortCode, 0)
	show(t, table, 0).digits = "123456"
	show(t, table, codePeriod).digits = "123456"
	if got := table.candidates(codePeriod + 10*time.Second); len(got) != 1 {
		t.Errorf("%d candidates", len(got))
	}
}

func TestCodePairsOnce(t *testing.T) {
	table := newCodeTable(shortCode, 0)
	first := show(t, table, 0)
	second := show(t, table, codePeriod)
	secret := table.secret
	at := codePeriod + time.Second
	if !table.use(first, at) {
		t.Fatal("an unused code was refused")
	}
	if table.use(first, at) {
		t.Error("a code was used twice")
	}
	if table.use(second, at) {
		t.Error("the other code of the old secret still pairs")
	}
	if table.secret == secret {
		t.Error("the secret stayed")
	}
	if got := table.candidates(at); len(got) != 0 {
		t.Errorf("%v are live before they were displayed", digitsOf(got))
	}
	if c := show(t, table, at); c.until != at+codePeriod || !slices.Contains(table.candidates(at), c) {
		t.Errorf("the new code is displayed until %v", c.until)
	}
}

func TestTableForgetsDeadCodes(t *testing.T) {
	table := newCodeTable(shortCode, 0)
	for step := range 100 {
		show(t, table, time.Duration(step)*codePeriod)
	}
	if n := len(table.shown); n > 3 {
		t.Errorf("%d codes kept", n)
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"482-193", "7/482-193", "", "48 21 93"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digits, err := parseCode(text)
		if (err == nil) != (len(digits) == shortCode || len(digits) == longCode) {
			t.Errorf("%q: %q, %v", text, digits, err)
		}
		if err == nil {
			if again, err := parseCode(formatCode(digits)); err != nil || again != digits {
				t.Errorf("%q: %q, %v", digits, again, err)
			}
		}
	})
}
