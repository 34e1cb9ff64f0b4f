package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/card"
	"contactsd/check"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/profile"
	"contactsd/relation"
	"contactsd/spam"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// attacker is a device that says what it likes and writes down, byte for byte
// and to the moment, what it is answered and what it is sent.
type attacker struct {
	t    *testing.T
	id   *identity.Identity
	link *memnet.Device
	stop func()

	mu   sync.Mutex
	got  []string // to what it said
	sent []string // of the other's own accord, when that likes
}

// turns makes a person's device one that an attacker wrote.
func (p *person) turns() *attacker {
	p.t.Helper()
	p.halts()
	return attack(p.t, p.net, p.id)
}

func attack(t *testing.T, net *memnet.Network, id *identity.Identity) *attacker {
	a := &attacker{t: t, id: id, link: net.Device(id.Self())}
	a.link.SetMayDial(func(contact.ODID) bool { return true })
	for _, p := range protocols() {
		a.link.Serve(p, func(_ context.Context, st transport.Stream) {
			line := fmt.Sprint(p, " ", hear(st, time.Now()))
			st.Reset()
			a.mu.Lock()
			defer a.mu.Unlock()
			a.sent = append(a.sent, line)
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := a.link.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	a.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(a.stop)
	settle(time.Minute)
	return a
}

func (a *attacker) note(format string, args ...any) {
	a.got = append(a.got, fmt.Sprintf(format, args...))
}

func (a *attacker) heard() string {
	settle(time.Hour)
	a.mu.Lock()
	defer a.mu.Unlock()
	got := strings.Join(a.got, "\n")
	a.got = nil
	return got
}

// sentSince returns what it was sent since it was asked last.
func (a *attacker) sentSince() []string {
	settle(time.Minute)
	a.mu.Lock()
	defer a.mu.Unlock()
	sent := a.sent
	a.sent = nil
	return sent
}

func protocols() []transport.Protocol {
	return []transport.Protocol{relation.Protocol, pairing.Protocol, presence.Protocol, message.Protocol, presence.GossipProtocol, check.Protocol, file.Protocol, profile.Protocol, card.Protocol, spam.Protocol}
}

// hear reads a stream to its end: what came, how it ended, after how long.
func hear(st transport.Stream, from time.Time) string {
	st.SetDeadline(time.Now().Add(5 * time.Minute))
	b, err := io.ReadAll(st)
	end := "closed"
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		end = "left open"
	case err != nil:
		end = fmt.Sprintf("reset (%v)", err)
	}
	heard := challenge.ReplaceAllString(fmt.Sprintf("%x", b), "(challenge of $1 bits, $2 stamps)")
	return fmt.Sprintf("%s, %s after %v", heard, end, time.Since(from))
}

// challenge is what an ask is to be stamped for, in hexadecimal digits. When it was
// made, and its seal, differ from world to world; TestStrangersOweTheSame of package
// relation compares them.
var challenge = regexp.MustCompile("0ba501010" + "21b[0-9a-f]{16}" + "03(..)04(..)" + "0550[0-9a-f]{32}")

// says opens a stream, says something and writes down what comes of it.
func (a *attacker) says(to *person, p transport.Protocol, name string, what []byte, hangUp bool) {
	from := time.Now()
	st, err := a.link.Open(a.t.Context(), to.id.Self(), p)
	if err != nil {
		a.note("%s %s: not opened (%v) after %v", p, name, err, time.Since(from))
		return
	}
	_, werr := st.Write(what)
	if hangUp && werr == nil {
		werr = st.CloseWrite()
	}
	a.note("%s %s: %s, write %v", p, name, hear(st, from), werr)
	st.Reset()
	settle(time.Minute)
}

// words are what an attacker says on every protocol, whatever it is for: the
// same bytes, whoever it is.
func (a *attacker) words(to *person) map[string][]byte {
	statement := func(st contact.Statement) []byte {
		st.Author, st.Subject = a.id.Self(), to.id.Self()
		signed, err := a.id.SignStatement(st)
		if err != nil {
			a.t.Fatal(err)
		}
		return a.frame(map[int]any{1: signed})
	}
	const late = 1 << 45
	pair := contact.PairID{7}
	return map[string][]byte{
		"nothing":           nil,
		"garbage":           bytes.Repeat([]byte{0xff}, 64),
		"an empty frame":    {1, 0xa0},
		"a length":          {0xff, 0xff, 0xff, 0xff, 0x0f},
		"leaps":             statement(contact.Statement{Seq: 1 << 63, Listed: true}),
		"lists":             statement(contact.Statement{Seq: late, Listed: true, Grants: contact.AllPermissions}),
		"names a pairing":   statement(contact.Statement{Seq: late + 1, Listed: true, Pair: &pair}),
		"unlists":           statement(contact.Statement{Seq: late + 2}),
		"asks":              statement(contact.Statement{Seq: late - 1, Listed: true, Grants: contact.Messages, Ask: &contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "May I?"}}),
		"an old statement":  statement(contact.Statement{Seq: 1, Listed: true}),
		"parts":             statement(contact.Statement{Seq: late + 3, Part: late}),
		"a first message":   a.frame(map[int]any{1: 1}),
		"a check":           a.frame(map[int]any{1: 2}),
		"a keep-alive":      {1, 0xa0, 1, 0xa0, 1, 0xa0},
		"a pairing's HELLO": append([]byte{1, 0, 22, 1, 1, 1, 16}, bytes.Repeat([]byte{9}, 18)...),
	}
}

func (a *attacker) frame(v any) []byte {
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, v, 64<<10); err != nil {
		a.t.Fatal(err)
	}
	return b.Bytes()
}

// tries says everything on every protocol, and pulls its connection down between.
func (a *attacker) tries(to *person, on ...transport.Protocol) {
	words := a.words(to)
	for _, p := range on {
		for _, name := range slices.Sorted(maps.Keys(words)) {
			for _, hangUp := range []bool{false, true} {
				a.says(to, p, name, words[name], hangUp)
			}
		}
		a.link.Dial(a.t.Context(), to.id.Self())
	}
}

// standing is what a device may be to another one that wants none of it.
type standing struct {
	name string
	// gets there; the other one's device runs before and after.
	gets func(w *world, victim, other *person)
}

func standings() []standing {
	become := func(w *world, victim, other *person) {
		other.types(victim, victim.showsCode())
		victim.sets(presence.Busy, "in a meeting")
		other.writes(victim, "hello")
		settle(time.Hour)
	}
	return []standing{
		{"stranger", func(w *world, victim, other *person) { settle(time.Hour) }},
		{"removed", func(w *world, victim, other *person) {
			become(w, victim, other)
			victim.removes(other)
		}},
		{"blocked", func(w *world, victim, other *person) {
			become(w, victim, other)
			victim.blocks(other)
		}},
		{"blocked after removed", func(w *world, victim, other *person) {
			become(w, victim, other)
			victim.removes(other)
			settle(time.Hour)
			victim.blocks(other)
		}},
		{"removed by itself, then blocked", func(w *world, victim, other *person) {
			become(w, victim, other)
			other.removes(victim)
			settle(time.Hour)
			victim.blocks(other)
		}},
		{"blocked, and reported without a word", func(w *world, victim, other *person) {
			isReported(victim, other, relation.Answer{NoTell: true})
		}},
		{"blocked, and told of a report", func(w *world, victim, other *person) {
			isReported(victim, other, relation.Answer{})
		}},
		{"blocked before it came", func(w *world, victim, other *person) {
			victim.blocks(other)
			settle(time.Hour)
		}},
	}
}

// isReported has the victim report a request of the other, whatever becomes of others.
func isReported(victim, other *person, how relation.Answer) {
	was := victim.Policy().Requests
	victim.decides("requests", string(contact.RequestsConfirm))
	other.asks(victim, "Buy my stuff")
	victim.reports(other, how)
	victim.decides("requests", string(was))
}

// TestNobodyCanTellABlock has a device that the user wants nothing of say
// everything on every protocol. A stranger, a removed and a blocked device get
// the same bytes, the same end, at the same moment, whether requests wait or none
// are taken, and whoever may check. With a window open only the removed one, like
// any stranger, may pair; to the blocked one it is closed. With a profile
// that is for anyone only a stranger gets it, neither of the two.
func TestNobodyCanTellABlock(t *testing.T) {
	for name, policy := range map[string]map[string]string{
		"as it comes":                        {},
		"no requests":                        {"requests": "none"},
		"no requests, anyone may check":      {"requests": "none", "checks": "anyone"},
		"nobody may check, who leaves stays": {"checks": "nobody", "honour-removal": "off"},
	} {
		t.Run(name, func(t *testing.T) { nobodyCanTell(t, policy) })
	}
}

func nobodyCanTell(t *testing.T, policy map[string]string) {
	heard := make(map[string]string)
	closed := make(map[string]string)
	read := make(map[string]string)
	for _, s := range standings() {
		tell(t, func(t *testing.T, w *world) {
			victim, other := w.device("Ana"), w.device("Bob")
			victim.try(victim.SetPolicy(policy))
			s.gets(w, victim, other)
			settle(48 * time.Hour) // until all is acknowledged
			a := other.turns()
			a.tries(victim, profile.Protocol)
			read[s.name] = a.heard()
			victim.decides("profile", "contacts")
			a.tries(victim, protocols()...)
			heard[s.name] = a.heard()
			if sent := a.sentSince(); len(sent) > 0 {
				t.Errorf("%s is sent %q", s.name, sent)
			}

			a.tries(victim, pairing.Protocol)
			closed[s.name] = a.heard()
			_, shut := victim.looksAtACode()
			defer shut()
			a.tries(victim, pairing.Protocol)
			if open := a.heard() != closed[s.name]; open == strings.Contains(s.name, "blocked") {
				t.Errorf("%s: the window is open to it: %v", s.name, open)
			}
			a.tries(victim, relation.Protocol, presence.Protocol, message.Protocol, check.Protocol)
			heard[s.name] += a.heard()
		})
	}
	for name, got := range heard {
		if got != heard["stranger"] {
			t.Errorf("%s hears other than a stranger:\n%s", name, differ(heard["stranger"], got))
		}
	}
	for name, got := range read {
		if name != "stranger" && (got != read["removed"] || strings.Contains(got, "closed")) {
			t.Errorf("%s asks for a profile and hears other than a removed one:\n%s", name, differ(read["removed"], got))
		}
	}
	if !strings.Contains(read["stranger"], fmt.Sprintf("%x", "Ana")) {
		t.Errorf("a stranger reads no profile: %s", read["stranger"])
	}
	if n := strings.Count(heard["stranger"], "\n"); n < 100 || !strings.Contains(heard["stranger"], "a2") {
		t.Errorf("%d lines heard, or nothing of relation's answers", n)
	}
}

// differ shows the lines in which two texts differ.
func differ(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out strings.Builder
	for i := range max(len(la), len(lb)) {
		var x, y string
		if i < len(la) {
			x = la[i]
		}
		if i < len(lb) {
			y = lb[i]
		}
		if x != y && out.Len() < 2000 {
			fmt.Fprintf(&out, "- %s\n+ %s\n", x, y)
		}
	}
	return out.String()
}

// unlisted is within the bytes of every statement that lists and grants nothing.
const unlisted = "05f40680"

// TestBlockIsToldAsARemoval looks at the other end of the moment itself: what a
// connected contact is sent, and hears when it asks, as it is blocked.
func TestBlockIsToldAsARemoval(t *testing.T) {
	heard, told := make(map[string]string), make(map[string]string)
	for name, act := range map[string]func(victim, other *person){
		"removed": func(victim, other *person) { victim.try(victim.Relation.Remove(other.id.Self(), false)) },
		"blocked": func(victim, other *person) { victim.try(victim.Relation.Block(other.id.Self())) },
	} {
		tell(t, func(t *testing.T, w *world) {
			victim, other := w.device("Ana"), w.device("Bob")
			victim.adds(other, "")
			other.adds(victim, "")
			settle(time.Hour)
			a := other.turns()
			if err := a.link.Dial(t.Context(), victim.id.Self()); err != nil {
				t.Fatal(err)
			}
			a.sentSince()
			act(victim, other)
			// It is offered again and again, after delays of chance, and so was what
			// was said before.
			for _, line := range a.sentSince() {
				if strings.Contains(line, unlisted) {
					told[name] = line
					break
				}
			}
			a.tries(victim, relation.Protocol, message.Protocol, presence.Protocol, check.Protocol)
			heard[name] = a.heard()
		})
	}
	if heard["removed"] != heard["blocked"] {
		t.Errorf("a block shows:\n%s", differ(heard["removed"], heard["blocked"]))
	}
	if told["removed"] != told["blocked"] || !strings.HasPrefix(told["removed"], string(relation.Protocol)) {
		t.Errorf("told %q of a removal and %q of a block", told["removed"], told["blocked"])
	}
}
