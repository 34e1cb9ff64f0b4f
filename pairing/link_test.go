package pairing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

func TestLinkGolden(t *testing.T) {
	odid := newIdentity(t, 1).Self()
	l := link{odid: odid, name: "Ana & Bo", addrs: []transport.Address{"/ip4/192.0.2.7/tcp/41000", "/ip6/::1/udp/4/quic-v1"}}
	copy(l.secret[:], fill(linkSecretSize, 0xfb))
	want := "contacts:" + odid.String() + "?name=Ana+%26+Bo&addr=/ip4/192.0.2.7/tcp/41000&addr=/ip6/::1/udp/4/quic-v1#-_v7-_v7-_v7-_v7-_v7-w"
	if got := l.url(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, text := range []string{want, " " + want + "\n", "CONTACTS:" + want[len(linkScheme):], strings.Replace(want, "#", "&relay=x#", 1)} {
		got, err := parseLink(text)
		if err != nil || got.odid != l.odid || got.name != l.name || got.secret != l.secret || len(got.addrs) != 2 || got.addrs[1] != l.addrs[1] {
			t.Errorf("%q: %v, %v", text, got.addrs, err)
		}
	}
	if bare := (link{odid: odid, secret: l.secret}).url(); bare != "contacts:"+odid.String()+"#-_v7-_v7-_v7-_v7-_v7-w" {
		t.Errorf("%s", bare)
	}
}

// What is no whole link is refused in words that repeat nothing of it.
func TestLinkMustBeWhole(t *testing.T) {
	odid := newIdentity(t, 1).Self().String()
	const secret = "-_v7-_v7-_v7-_v7-_v7-w"
	good := "contacts:" + odid + "?name=Ana&addr=/ip4/1.2.3.4/tcp/1#" + secret
	if _, err := parseLink(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut at &":             good[:strings.Index(good, "&")],
		"cut in the secret":    good[:len(good)-1],
		"a character more":     good + "A",
		"padded":               good + "==",
		"bits left over":       good[:len(good)-1] + "x",
		"damaged ODID":         strings.Replace(good, odid[20:24], "qqqq", 1),
		"no ODID":              "contacts:#" + secret,
		"a code":               "contacts:482-193",
		"bad escape":           strings.Replace(good, "Ana", "%zz", 1),
		"a name with controls": strings.Replace(good, "Ana", "%1b[2J", 1),
		"a name too long":      strings.Replace(good, "Ana", strings.Repeat("n", 65), 1),
		"five addresses":       strings.Replace(good, "#", strings.Repeat("&addr=/ip4/1.2.3.4/tcp/1", 4)+"#", 1),
		"an address too long":  strings.Replace(good, "#", "&addr="+strings.Repeat("a", 129)+"#", 1),
		"an empty address":     strings.Replace(good, "#", "&addr=#", 1),
		"too long":             strings.Replace(good, "#", "&more="+strings.Repeat("a", maxLink)+"#", 1),
	} {
		_, err := parseLink(text)
		if err != ErrLink {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLinkSecretIsRedacted(t *testing.T) {
	c := newLink()
	copy(c.link[:], fill(linkSecretSize, 0xab))
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "code", c, "link", c.link, "secret", *c.link)
	fmt.Fprintf(&out, "%v %+v %#v %x %s", c.link, c, *c.link, *c.link, c.link)
	for _, leak := range []string{"abab", "171 171", "0xab"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q in %s", leak, out.String())
		}
	}
}

// A link pairs with the device that it names, found on the LAN or at the address
// that stands in it.
func TestPairByLink(t *testing.T) {
	for name, opt := range map[string]ShowOptions{
		"with addresses": {Link: true},
		"on the LAN":     {Link: true, NoAddresses: true},
		"once":           {Link: true, Once: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				shows(t, n, 10, 11, 12, 13) // whom a link does not have to choose among
				w := s.watchCodes(opt)
				shown := w.code(t)
				if shown.Code != "" || shown.Digits != "" || strings.Contains(shown.Link, "addr=") == opt.NoAddresses {
					t.Errorf("%q, addresses %v", shown.Code, strings.Contains(shown.Link, "addr="))
				}
				r, err := e.Enter(t.Context(), shown.Link, EnterOptions{Allow: contact.Audio})
				if err != nil || r.Peer != s.id.Self() {
					t.Fatal(err)
				}
				mustPair(t, s, e)
				if s.WindowOpen() {
					t.Error("the window is still open")
				}
			})
		})
	}
}

func TestLinkOfOnceIsAcceptedFiveMinutes(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		shown := s.watchCodes(ShowOptions{Link: true, Once: true}).code(t)
		if left := time.Until(shown.ExpiresAt); left != windowLasts {
			t.Errorf("expires in %v", left)
		}
		<-time.After(windowLasts - time.Second)
		if !s.WindowOpen() {
			t.Fatal("closed early")
		}
		<-time.After(time.Second)
		if s.WindowOpen() {
			t.Error("still open")
		}
	})
}

// Whoever watches a link for hours keeps it.
func TestLinkStaysWhileItIsWatched(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{Link: true})
		shown := w.code(t)
		<-time.After(3 * time.Hour)
		if w.isOver() || len(w.seen) > 0 {
			t.Fatalf("over %v, %d more were shown", w.isOver(), len(w.seen))
		}
		if _, err := e.Enter(t.Context(), shown.Link, EnterOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// A link that has paired, or was proven by a session that then broke down, pairs
// nobody else; every surface shows another one.
func TestLinkUsedTwice(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{Link: true})
		first := w.code(t).Link
		l, err := parseLink(first)
		if err != nil {
			t.Fatal(err)
		}
		side := &entering{line: newLine(e.open(t, s)), id: e.id, secret: &shownCode{link: &l.secret}, commit: func(Result) error { return errLost }}
		if _, err := side.run(); !errors.Is(err, errLost) {
			t.Fatal(err)
		}
		side.st.Reset()
		synctest.Wait()
		second := w.code(t).Link
		if second == first {
			t.Fatal("the used link is still shown")
		}
		if _, err := third.Enter(t.Context(), first, EnterOptions{}); !errors.Is(err, ErrWrongLink) {
			t.Errorf("after it was proven: %v", err)
		}
		if _, err := third.Enter(t.Context(), second, EnterOptions{}); err != nil {
			t.Fatalf("the next link: %v", err)
		}
		again := s.watchCodes(ShowOptions{Link: true})
		if _, err := e.Enter(t.Context(), second, EnterOptions{}); !errors.Is(err, ErrWrongLink) {
			t.Errorf("after it paired: %v", err)
		}
		again.leave()
		synctest.Wait()
		if _, err := e.Enter(t.Context(), again.code(t).Link, EnterOptions{}); !errors.Is(err, ErrNoWindow) {
			t.Errorf("after the window closed: %v", err)
		}
	})
}

// Of two sessions that prove the same link one wins, and what stands in for a link
// where none is shown can't be used.
func TestLinkPairsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		s.watchCodes(ShowOptions{})
		w := s.openWindow()
		if c := first(s.candidates(w, kindLink)); len(c) != 1 || s.use(w, c[0]) {
			t.Error("a link that nobody was shown pairs")
		}
		s.watchCodes(ShowOptions{Link: true})
		a, b := first(s.candidates(w, kindLink)), first(s.candidates(w, kindLink))
		if len(a) != 1 || !s.use(w, a[0]) || s.use(w, b[0]) {
			t.Error("the link did not pair exactly once")
		}
	})
}

// Wrong links cost no guesses, get one round each, and are answered alike whether a
// link is shown or not.
func TestWrongLinksAreNoGuesses(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		wrong := link{odid: s.id.Self(), secret: *newLink().link}.url()
		for _, opt := range []ShowOptions{{}, {Link: true}} {
			w := s.watchCodes(opt)
			for range windowRounds + 5 {
				if _, err := e.Enter(t.Context(), wrong, EnterOptions{}); !errors.Is(err, ErrWrongLink) {
					t.Fatal(err)
				}
			}
			l := newLine(e.open(t, s))
			h := anyHello
			h.kind = kindLink
			if err := l.send(typeHello, h.encode()); err != nil {
				t.Fatal(err)
			}
			if _, _, err := l.recv(maxBody, typeOffer); err != nil {
				t.Fatal(err)
			}
			if err := l.send(typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode()); err != nil {
				t.Fatal(err)
			}
			_, body, err := l.recv(maxBody, typeReject)
			if err != nil || !bytes.Equal(body, reject{reasonCode, false}.encode()) {
				t.Errorf("link shown %v: %x, %v", opt.Link, body, err)
			}
			if short, long := s.dayRounds(), s.longRounds(); short+long != 0 {
				t.Errorf("%d and %d guesses taken", short, long)
			}
			w.leave()
			synctest.Wait()
		}
	})
}

// The addresses of a link may be no good where it is entered; the LAN is looked at
// then.
func TestLinkWithBadAddressesIsFoundOnTheLAN(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		l, err := parseLink(s.watchCodes(ShowOptions{Link: true}).code(t).Link)
		if err != nil {
			t.Fatal(err)
		}
		l.addrs = []transport.Address{memnet.AddressOf(newIdentity(t, 99).Self())}
		if _, err := e.Enter(t.Context(), l.url(), EnterOptions{Address: "nowhere"}); !errors.Is(err, transport.ErrAddress) {
			t.Errorf("the user's own address is no good: %v", err)
		}
		if _, err := e.Enter(t.Context(), l.url(), EnterOptions{}); err != nil {
			t.Error(err)
		}
		mustPair(t, s, e)
	})
}

// A link that names another device than the one reached proves nothing to it.
func TestLinkIsForOneDevice(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		third := newDevice(t, n, 3)
		third.watchCodes(ShowOptions{})
		w := s.watchCodes(ShowOptions{Link: true})
		l, err := parseLink(w.code(t).Link)
		if err != nil {
			t.Fatal(err)
		}
		l.addrs = []transport.Address{memnet.AddressOf(third.id.Self())}
		if r, err := e.Enter(t.Context(), l.url(), EnterOptions{}); err == nil && r.Peer != s.id.Self() || third.handled != 0 {
			t.Errorf("%v, %v; the other device was asked %d times", r.Peer.Short(), err, third.handled)
		}
		if _, err := e.Enter(t.Context(), l.url(), EnterOptions{At: third.id.Self()}); !errors.Is(err, ErrLink) {
			t.Errorf("named beside another device: %v", err)
		}
		if _, err := s.Enter(t.Context(), l.url(), EnterOptions{}); !errors.Is(err, ErrSelf) {
			t.Errorf("its own link: %v", err)
		}
		e.blocked[s.id.Self()] = true
		if _, err := e.Enter(t.Context(), l.url(), EnterOptions{}); !errors.Is(err, ErrBlocked) {
			t.Errorf("of a blocked device: %v", err)
		}
	})
}

// A code's session can't be turned into a link's on the way.
func TestKindChangedToLinkInFlight(t *testing.T) {
	d := newDuel(t)
	d.alterE = flip(typeHello, 2, kindCode^kindLink)
	d.run()
	if !errors.Is(d.errE, ErrWrongCode) || d.errS != (refusal{reasonCode}) || d.used != 0 {
		t.Errorf("S: %v, E: %v", d.errS, d.errE)
	}
}

// S that offers a second round at a link gets none.
func TestEntererProvesALinkOnce(t *testing.T) {
	d := newDuel(t)
	d.codes = []string{"111111", "222222"}
	d.link = newLink()
	d.run()
	if !errors.Is(d.errE, errFrame) || d.debits != 1 {
		t.Errorf("%v, %d debits", d.errE, d.debits)
	}
}

// What a link holds is in no log, error, event or row of the store, on either side,
// whether it pairs, fails, or is no link at all.
func TestLinkIsInNoLogErrorOrEvent(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		var out bytes.Buffer
		third := newDevice(t, n, 3)
		w := s.watchCodes(ShowOptions{Link: true})
		text := w.code(t).Link
		l, err := parseLink(text)
		if err != nil {
			t.Fatal(err)
		}
		secret := text[strings.Index(text, "#")+1:]
		enter := func(d *device, link string) {
			_, err := d.Enter(t.Context(), link, EnterOptions{})
			fmt.Fprintln(&out, err)
		}
		enter(e, text[:len(text)-3])
		enter(e, strings.Replace(text, "?", "%", 1))
		enter(e, strings.Replace(text, "#", " ", 1))
		enter(e, text)
		s.watchCodes(ShowOptions{Link: true})
		enter(third, text)
		synctest.Wait()
		for _, d := range []*device{s, e} {
			entries, err := d.db.Events(0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%+v\n", entries)
			d.stop()
			out.Write(d.logs.Bytes())
			raw, err := os.ReadFile(d.path)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(raw)
		}
		if !strings.Contains(out.String(), "paired") {
			t.Error("nothing was logged")
		}
		for _, leak := range []string{secret, secret[:8], string(l.secret[:]), hex.EncodeToString(l.secret[:])} {
			if strings.Contains(out.String(), leak) {
				t.Error("the secret is in what was written")
			}
		}
	})
}

func FuzzParseLink(f *testing.F) {
	l := link{odid: newIdentity(f, 1).Self(), name: "Ana", addrs: []transport.Address{"/ip4/192.0.2.7/tcp/41000"}}
	f.Add(l.url())
	f.Add("contacts:#")
	f.Add("contacts:odid1?name=%41#AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLink(text)
		if err != nil {
			if err != ErrLink {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := parseLink(l.url())
		if err != nil || again.odid != l.odid || again.secret != l.secret || again.name != l.name || len(again.addrs) != len(l.addrs) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
