package pairing

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"contactsd/contact"
	"contactsd/transport"
)

// Limits of a link.
const (
	linkScheme     = "contacts:"
	linkSecretSize = 16      // bytes: not to be guessed, so its failures are not counted
	maxLink        = 2 << 10 // bytes
	maxLinkAddress = 128     // bytes of one address
	maxLinkAddrs   = 4
)

// linkSecret takes the place of a code's digits. It prints and logs redacted.
type linkSecret [linkSecretSize]byte

// Format writes a placeholder for every verb.
func (linkSecret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue returns a placeholder.
func (linkSecret) LogValue() slog.Value { return slog.StringValue(redacted) }

func newLink() *shownCode {
	c := &shownCode{link: new(linkSecret)}
	rand.Read(c.link[:])
	return c
}

// link is what a pairing link says:
//
//	contacts:ODID?name=NAME&addr=ADDRESS&addr=…#SECRET
//
// SECRET is 16 bytes in base64url without padding, behind the # that no program
// sends to a server. Parameters of other names are left to later versions.
type link struct {
	odid   contact.ODID
	name   string
	addrs  []transport.Address
	secret linkSecret
}

// url writes the link. It is the one place where the secret becomes text.
func (l link) url() string {
	var b strings.Builder
	b.WriteString(linkScheme + l.odid.String())
	mark := byte('?')
	add := func(key, value string) {
		b.WriteByte(mark)
		b.WriteString(key + "=")
		// Slashes and colons may stand in a query, and shorten the QR code.
		b.WriteString(strings.NewReplacer("%2F", "/", "%3A", ":").Replace(url.QueryEscape(value)))
		mark = '&'
	}
	if l.name != "" {
		add("name", l.name)
	}
	n := 0
	for _, a := range l.addrs {
		if n < maxLinkAddrs && len(a) <= maxLinkAddress {
			add("addr", string(a))
			n++
		}
	}
	b.WriteString("#" + base64.RawURLEncoding.EncodeToString(l.secret[:]))
	return b.String()
}

// isLink reports whether the text is meant as a link rather than as a code.
func isLink(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) >= len(linkScheme) && strings.EqualFold(text[:len(linkScheme)], linkScheme)
}

// parseLink reads a link. Its only error is ErrLink, which repeats nothing of the
// text: net/url would.
func parseLink(text string) (link, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxLink || !isLink(text) {
		return link{}, ErrLink
	}
	rest, secret, ok := strings.Cut(text[len(linkScheme):], "#")
	if !ok {
		return link{}, ErrLink
	}
	odid, query, _ := strings.Cut(rest, "?")
	var l link
	b, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(b) != linkSecretSize {
		return link{}, ErrLink
	}
	copy(l.secret[:], b)
	clear(b)
	if l.odid, err = contact.ParseODID(odid); err != nil {
		return link{}, ErrLink
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values["addr"]) > maxLinkAddrs {
		return link{}, ErrLink
	}
	if l.name = values.Get("name"); contact.CheckText("name", l.name, contact.MaxNameSize) != nil {
		return link{}, ErrLink
	}
	for _, a := range values["addr"] {
		if len(a) > maxLinkAddress || a == "" {
			return link{}, ErrLink
		}
		l.addrs = append(l.addrs, transport.Address(a))
	}
	return l, nil
}

// ErrLink: the text begins as a link and is none.
var ErrLink = errors.New("not a whole pairing link: copy all of it, from contacts: to its end, and put it in quotes in a shell")
