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
	shortCode  = 6                // digits
	longCode   = 9                // digits, once too many short ones were wrong
	codePeriod = 30 * time.Second // a code is displayed
	codeGrace  = 30 * time.Second // and accepted afterwards
	codeSettle = 5 * time.Second  // round 1 takes the code displayed so long before
	secretSize = 32               // bytes
)

// formatCode writes a code as people read it, "482-193" or "482-193-507".
func formatCode(digits string) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for three := range slices.Chunk([]byte(digits), 3) {
			if !yield(string(three)) {
				return
			}
		}
	}), "-")
}

// parseCode reads a code as people type it: six or nine digits with dashes and
// spaces anywhere. It returns ErrCodeLetters, ErrCodeLength or ErrCodeNameplate, none of
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
	if len(digits) != shortCode && len(digits) != longCode {
		return "", fmt.Errorf("%w: %d came", ErrCodeLength, len(digits))
	}
	return digits, nil
}

// shownCode is what was really displayed: a code, or a link. Times count from the
// opening of the window; a link has none.
type shownCode struct {
	digits      string
	link        *linkSecret   // nil for a code
	from, until time.Duration // displayed
	used        bool
}

// prs is what CPace is run on.
func (c *shownCode) prs() []byte {
	if c.link != nil {
		return c.link[:]
	}
	return []byte(c.digits)
}

func (c *shownCode) live(at time.Duration) bool {
	return !c.used && c.from <= at && at < c.until+codeGrace
}

// codeTable makes the codes of one window (RFC 6238 with SHA-256, T0 = the
// opening of the window) and remembers those that were displayed. It knows only
// time elapsed on the monotonic clock: what the wall clock does, here or on the
// other device, means nothing to it. It is not safe for concurrent use.
type codeTable struct {
	digits int           // of a code
	secret string        // base32 of 32 random bytes
	since  time.Duration // when the secret was drawn
	shown  []*shownCode  // oldest first
}

func newCodeTable(digits int, at time.Duration) *codeTable {
	t := &codeTable{digits: digits}
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
		Digits:    otp.Digits(t.digits),
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
