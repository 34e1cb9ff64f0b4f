package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/home"
	"contactsd/message"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/relation"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

// statements is a frame of the exchange, as package relation draws it.
type statements struct {
	Mine  *contact.Signed `cbor:"1,keyasint,omitempty"`
	Yours *contact.Signed `cbor:"2,keyasint,omitempty"`
}

// prober says what it likes to a real device over libp2p.
type prober struct {
	t    *testing.T
	id   *identity.Identity
	link *p2p.Transport
}

func runs(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func newIdentity(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// probed makes a device, and a prober that is connected to it.
func probed(t *testing.T) (*node.Node, *prober) {
	t.Helper()
	h, err := home.Resolve(filepath.Join(t.TempDir(), "h"))
	if err == nil {
		err = h.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := start(h, config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Page: pageOff}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.db.Close() })
	n := d.node
	runs(t, n.Run)
	id := newIdentity(t)
	link, err := p2p.New(p2p.Config{Identity: id, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, MayDial: func(contact.ODID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Listen(); err != nil {
		t.Fatal(err)
	}
	runs(t, link.Run)
	p := &prober{t, id, link}
	p.dial(n)
	return n, p
}

func (p *prober) dial(n *node.Node) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	if err := p.link.Dial(ctx, n.Identity.Self(), n.Network.Own()...); err != nil {
		p.t.Fatal(err)
	}
}

// acknowledge takes the device's newest statement and shows that it has it.
func (p *prober) acknowledge(n *node.Node) {
	p.t.Helper()
	st, err := p.link.Open(p.t.Context(), n.Identity.Self(), relation.Protocol)
	if err != nil {
		p.t.Fatal(err)
	}
	defer st.Close()
	const limit = 12 << 10
	var got statements
	err = errors.Join(
		transport.WriteFrame(st, statements{}, limit),
		transport.NewFrameReader(st, limit).Read(&got),
		transport.WriteFrame(st, statements{Yours: got.Mine}, limit),
	)
	if err != nil || got.Mine == nil {
		p.t.Fatalf("exchange: %v, %v", got, err)
	}
	io.Copy(io.Discard, st) // until it was taken
}

// says returns what comes of saying something, and whether it came at once. Whether
// a reset shows as the stream is opened or as it is read depends on what Identify
// has told by then, to the prober alone.
func (p *prober) says(n *node.Node, on transport.Protocol, what []byte) string {
	from := time.Now()
	st, err := p.link.Open(p.t.Context(), n.Identity.Self(), on)
	if err != nil {
		return fmt.Sprintf(", reset: %v%s", errors.Is(err, transport.ErrRefused), soon(from))
	}
	defer st.Reset()
	st.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err = st.Write(what); err == nil {
		st.CloseWrite()
	}
	b, err := io.ReadAll(st)
	return fmt.Sprintf("%x, reset: %v%s", b, err != nil, soon(from))
}

func soon(from time.Time) string {
	if time.Since(from) < 2*time.Second {
		return ", at once"
	}
	return ", late"
}

// TestBlockShowsNowhereOverLibp2p asks a real device over a real connection, as
// TestNobodyCanTellABlock of package node does on the simulated network.
func TestBlockShowsNowhereOverLibp2p(t *testing.T) {
	heard := make(map[string][]string)
	for name, prepare := range map[string]func(n *node.Node, p *prober){
		"stranger": func(*node.Node, *prober) {},
		"removed": func(n *node.Node, p *prober) {
			if _, _, err := n.Relation.Add(p.id.Self(), relation.AddOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := n.Relation.Remove(p.id.Self(), false); err != nil {
				t.Fatal(err)
			}
			p.acknowledge(n)
		},
		"blocked": func(n *node.Node, p *prober) {
			if _, _, err := n.Relation.Add(p.id.Self(), relation.AddOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := n.Relation.Block(p.id.Self()); err != nil {
				t.Fatal(err)
			}
			p.acknowledge(n)
		},
		"blocked before it came": func(n *node.Node, p *prober) {
			if err := n.Relation.Block(p.id.Self()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		n, p := probed(t)
		prepare(n, p)
		var mine bytes.Buffer
		signed, err := p.id.SignStatement(contact.Statement{Author: p.id.Self(), Subject: n.Identity.Self(), Seq: 1 << 50, Listed: true})
		if err == nil {
			err = transport.WriteFrame(&mine, statements{Mine: &signed}, 12<<10)
		}
		if err != nil {
			t.Fatal(err)
		}
		words := map[string][]byte{
			"nothing": nil, "garbage": bytes.Repeat([]byte{0xff}, 100), "an empty frame": {1, 0xa0}, "a statement": mine.Bytes(),
		}
		for _, on := range []transport.Protocol{relation.Protocol, pairing.Protocol, presence.Protocol, message.Protocol, "/contacts/nothing/1"} {
			for _, word := range slices.Sorted(maps.Keys(words)) {
				got := p.says(n, on, words[word])
				if word == "a statement" { // signed by another device each time
					got = fmt.Sprint(len(got), strings.HasSuffix(got, "at once"), strings.Contains(got, "reset: true"))
				}
				heard[name] = append(heard[name], fmt.Sprint(on, " ", word, ": ", got))
			}
		}
		if c := n.Network.Connected(); !slices.Contains(c, p.id.Self()) {
			t.Errorf("%s: the connection is gone", name)
		}
	}
	for name, got := range heard {
		if !slices.Equal(got, heard["stranger"]) {
			t.Errorf("%s hears\n%s\na stranger\n%s", name, strings.Join(got, "\n"), strings.Join(heard["stranger"], "\n"))
		}
	}
}
