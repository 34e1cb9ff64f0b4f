package pairing

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

const (
	codeDigits = 6
	codePeriod = 30 * time.Second // a code is displayed
	codeGrace  = 30 * time.Second // and accepted afterwards
	codeSettle = 5 * time.Second  // round 1 takes the code displayed so long before
	secretSize = 32               // bytes
)

// formatCode writes a code as people read it, "482-193".
func formatCode(digits string) string { return digits[:codeDigits/2] + "-" + digits[codeDigits/2:] }

// parseCode reads a code as people type it: six digits with dashes and spaces
// anywhere. It returns ErrCodeLetters, ErrCodeLength or ErrCodeNameplate, none of
// which repeats the text.
func parseCode(text string) (string, error) {
	if strings.Contains(text, "/") {
		return "", ErrCodeNameplate
	}
	digits := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '\u00a0' || r == '\u2011' || r == '\u2013' {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	for _, r := range digits {
		if r < '0' || r > '9' {
			return "", ErrCodeLetters
		}
	}
	if len(digits) != codeDigits {
		return "", fmt.Errorf("%w: %d came", ErrCodeLength, len(digits))
	}
	return digits, nil
}

// shownCode is a code that was really displayed. Times count from the opening
// of the window.
type shownCode struct {
	digits      string
	from, until time.Duration // displayed
	used        bool
}

func (c *shownCode) live(at time.Duration) bool {
	return !c.used && c.from <= at && at < c.until+codeGrace
}

// codeTable makes the codes of one window (RFC 6238 with SHA-256, T0 = the
// opening of the window) and remembers those that were displayed. It knows only
// time elapsed on the monotonic clock: what the wall clock does, here or on the
// other device, means nothing to it. It is not safe for concurrent use.
type codeTable struct {
	secret string        // base32 of 32 random bytes
	since  time.Duration // when the secret was drawn
	shown  []*shownCode  // oldest first
}

func newCodeTable(at time.Duration) *codeTable {
	t := &codeTable{}
	t.renew(at)
	return t
}

// renew draws a new secret and forgets every code of the old one.
func (t *codeTable) renew(at time.Duration) {
	b := make([]byte, secretSize)
	rand.Read(b)
	t.secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
	clear(b)
	t.since, t.shown = at, nil
}

// show returns the code to display at a time and notes it as displayed.
func (t *codeTable) show(at time.Duration) (*shownCode, error) {
	step := (at - t.since) / codePeriod
	end := t.since + (step+1)*codePeriod
	if n := len(t.shown); n > 0 && t.shown[n-1].until == end {
		return t.shown[n-1], nil
	}
	// totp.Validate is not for us: with a skew it accepts codes not yet displayed.
	digits, err := totp.GenerateCodeCustom(t.secret, time.Unix(int64(step*codePeriod/time.Second), 0), totp.ValidateOpts{
		Period:    uint(codePeriod / time.Second),
		Digits:    otp.DigitsSix,
		Algorithm: otp.AlgorithmSHA256,
	})
	if err != nil {
		return nil, fmt.Errorf("make a code: %w", err)
	}
	c := &shownCode{digits: digits, from: at, until: end}
	t.shown = append(slices.DeleteFunc(t.shown, func(c *shownCode) bool { return at >= c.until+codeGrace }), c)
	return c, nil
}

// candidates returns the codes that a session beginning now is checked against,
// round by round: first the one that was displayed 5 s ago, which is the likelier
// one to be typed, or the first one of a new window; then the other live one.
func (t *codeTable) candidates(at time.Duration) []*shownCode {
	var live []*shownCode
	for _, c := range slices.Backward(t.shown) {
		if c.live(at) && !slices.ContainsFunc(live, func(o *shownCode) bool { return o.digits == c.digits }) {
			live = append(live, c)
		}
	}
	first := slices.IndexFunc(live, func(c *shownCode) bool { return c.from <= at-codeSettle })
	if first > 0 {
		live[0], live[first] = live[first], live[0]
	}
	return live[:min(len(live), rounds)]
}

// use is the compare-and-swap that lets a code pair once: it reports whether c
// was still unused, marks it, and begins with a new secret.
func (t *codeTable) use(c *shownCode, at time.Duration) bool {
	if c.used || !slices.Contains(t.shown, c) {
		return false
	}
	c.used = true
	t.renew(at)
	return true
}
