package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/profile"
	"contactsd/relation"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport/memnet"
)

// world is devices of people on one network in memory.
type world struct {
	t   *testing.T
	net *memnet.Network
}

// person is a person with one device: a whole node on a real store.
type person struct {
	t    *testing.T
	net  *memnet.Network
	name string
	id   *identity.Identity
	path string
	over func(*memnet.Device) node.Transport // what the node has of the network, all of it if nil

	link *memnet.Device

	*node.Node
	db   *store.DB
	stop context.CancelFunc
	done sync.WaitGroup
}

// tell runs a story in a bubble, in which time passes only when all wait.
func tell(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		story(t, newWorld(t))
	})
}

func newWorld(t *testing.T) *world {
	return &world{t, memnet.New(memnet.Options{Latency: 2 * time.Millisecond})}
}

func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) device(name string) *person {
	w.t.Helper()
	return w.deviceAt(name, filepath.Join(w.t.TempDir(), "store"))
}

// deviceAt is device with a store that may be there already.
func (w *world) deviceAt(name, path string) *person {
	w.t.Helper()
	id, err := identity.FromSeed([32]byte([]byte(name + "................................")[:32]))
	if err != nil {
		w.t.Fatal(err)
	}
	p := &person{t: w.t, net: w.net, name: name, id: id, path: path}
	p.starts()
	p.names(name)
	w.t.Cleanup(p.halts)
	return p
}

func (p *person) try(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *person) names(name string) {
	p.t.Helper()
	_, err := p.Profile.Set(profile.Change{Name: &name})
	p.try(err)
}

func (p *person) starts() {
	p.t.Helper()
	db, err := store.Open(p.path, store.Options{}, node.Tables()...)
	p.try(err)
	link := p.net.Device(p.id.Self())
	var net node.Transport = link
	if p.over != nil {
		net = p.over(link)
	}
	n, err := node.New(node.Config{DB: db, Identity: p.id, Transport: net, Neighbourhood: link, Work: quick{}})
	p.try(err)
	link.SetMayDial(n.Relation.MayDial)
	link.SetWhere(n.Relation.Where)
	p.Node, p.db, p.link = n, db, link
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.done.Go(func() {
		if err := n.Run(ctx); err != nil && !errors.Is(err, memnet.ErrCrashed) {
			p.t.Errorf("%s: %v", p.name, err)
		}
	})
	settle(time.Second)
}

func (p *person) halts() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.done.Wait()
	p.stop = nil
	p.try(p.db.Close())
}

// crashes ends the device without a word: what comes back are its store's files as
// they were on the disk at that moment.
func (p *person) crashes() {
	p.t.Helper()
	disk := p.path + ".disk"
	p.try(store.Copy(p.path, disk))
	p.net.Crash(p.id.Self())
	p.halts()
	names := store.Files(p.path)
	for i, name := range store.Files(disk) {
		if err := os.Rename(name, names[i]); i == 0 || !errors.Is(err, fs.ErrNotExist) {
			p.try(err)
		}
	}
	settle(time.Minute)
}

func (p *person) adds(o *person, remark string) {
	p.t.Helper()
	_, _, err := p.Relation.Add(o.id.Self(), relation.AddOptions{Remark: remark})
	p.try(err)
	settle(time.Second)
}

func (p *person) removes(o *person) {
	p.t.Helper()
	p.try(p.Relation.Remove(o.id.Self(), false))
}

func (p *person) blocks(o *person) {
	p.t.Helper()
	p.try(p.Relation.Block(o.id.Self()))
	settle(time.Second)
}

func (p *person) unblocks(o *person) {
	p.t.Helper()
	p.try(p.Relation.Unblock(o.id.Self()))
	settle(time.Second)
}

func (p *person) narrows(o *person, perms contact.Permissions) {
	p.t.Helper()
	p.try(p.Relation.Narrow(o.id.Self(), perms))
	settle(time.Second)
}

// showsCode opens a window that somebody looks at until a device has paired.
func (p *person) showsCode() string {
	p.t.Helper()
	codes := make(chan string, 16)
	p.done.Go(func() {
		ended, err := p.Pairing.Show(p.t.Context(), pairing.ShowOptions{}, func(s pairing.Shown) { codes <- s.Code })
		if err != nil || !ended.Paired {
			p.t.Errorf("%s's window: %+v, %v", p.name, ended, err)
		}
	})
	return <-codes
}

// looksAtACode opens a window that is looked at until it is closed.
func (p *person) looksAtACode() (code string, close func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	codes := make(chan string, 1)
	first := func(s pairing.Shown) {
		select {
		case codes <- s.Code:
		default:
		}
	}
	p.done.Go(func() {
		if ended, err := p.Pairing.Show(ctx, pairing.ShowOptions{}, first); err == nil {
			p.t.Errorf("%s's window ended: %+v", p.name, ended)
		}
	})
	return <-codes, func() {
		cancel()
		settle(time.Minute)
	}
}

func (p *person) types(o *person, code string) {
	p.t.Helper()
	r, err := p.Pairing.Enter(p.t.Context(), code, pairing.EnterOptions{})
	p.try(err)
	if r.Peer != o.id.Self() || r.Name != o.name {
		p.t.Fatalf("%s paired with %s %q", p.name, r.Peer.Short(), r.Name)
	}
	settle(time.Second)
}

func (p *person) sees(o *person, status contact.Status, trust contact.Trust) {
	p.t.Helper()
	c, err := p.Relation.Get(o.id.Self())
	p.try(err)
	if c.View.Status != status || c.View.Trust != trust {
		p.t.Fatalf("for %s, %s is %v, %v; want %v, %v", p.name, o.name, c.View.Status, c.View.Trust, status, trust)
	}
}

func (p *person) calls(o *person, title string) {
	p.t.Helper()
	c, err := p.Relation.Get(o.id.Self())
	p.try(err)
	if c.Title() != title {
		p.t.Fatalf("%s calls %s %q, want %q", p.name, o.name, c.Title(), title)
	}
}

func (p *person) knowsNobody() {
	p.t.Helper()
	list, err := p.Relation.List(false)
	p.try(err)
	if len(list) > 0 {
		p.t.Fatalf("%s knows %v, want nobody", p.name, list)
	}
}

func (p *person) writes(o *person, text string) {
	p.t.Helper()
	id, err := uuid.NewV7()
	p.try(err)
	_, err = p.Message.Send(o.id.Self(), message.ID(id), message.KindText, []byte(text))
	p.try(err)
	settle(time.Second)
}

// hasRead fails unless these are all the messages that came from o, in order.
func (p *person) hasRead(o *person, texts ...string) {
	p.t.Helper()
	page, err := p.Message.History(o.id.Self(), message.Query{Limit: 100})
	p.try(err)
	var got []string
	for _, m := range page.Messages {
		if m.Direction == message.In {
			got = append(got, string(m.Body))
		}
	}
	if !slices.Equal(got, texts) {
		p.t.Fatalf("%s read %q from %s, want %q", p.name, got, o.name, texts)
	}
}

// waitsFor fails unless n messages to o wait, each saying why.
func (p *person) waitsFor(o *person, n int) {
	p.t.Helper()
	out, err := p.Message.Outbox(message.OutboxQuery{})
	p.try(err)
	if len(out.Messages) != n {
		p.t.Fatalf("%s has %d messages waiting, want %d", p.name, len(out.Messages), n)
	}
	for _, m := range out.Messages {
		if m.Contact != o.id.Self() || m.Waiting == "" {
			p.t.Fatalf("waiting message %+v does not say why", m)
		}
	}
}

// waitsBecause fails unless all that waits for o waits for this reason.
func (p *person) waitsBecause(o *person, why string) {
	p.t.Helper()
	out, err := p.Message.Outbox(message.OutboxQuery{Contact: o.id.Self()})
	p.try(err)
	for _, m := range out.Messages {
		if m.Waiting != why {
			p.t.Fatalf("%s waits because %q, want %q", p.name, m.Waiting, why)
		}
	}
}

// looksAt returns the profile of o as its device tells it now.
func (p *person) looksAt(o *person) profile.Profile {
	p.t.Helper()
	k, err := p.Profile.Of(p.t.Context(), o.id.Self(), profile.Query{})
	p.try(err)
	if !k.Live {
		p.t.Fatalf("%s did not reach %s", p.name, o.name)
	}
	return k.Profile
}

func (p *person) sets(state presence.State, text string) {
	p.t.Helper()
	p.try(p.Presence.Set(state, text))
	settle(time.Second)
}

func (p *person) seesPresence(o *person, state presence.State, text string) {
	p.t.Helper()
	if got := p.Presence.Of(o.id.Self()); got.State != state || got.Text != text {
		p.t.Fatalf("for %s, %s is %v %q; want %v %q", p.name, o.name, got.State, got.Text, state, text)
	}
}

func (p *person) seesNothingOf(o *person) {
	p.t.Helper()
	if got := p.Presence.Of(o.id.Self()); got.State != presence.Unknown {
		p.t.Fatalf("for %s, %s is %v; want unknown", p.name, o.name, got.State)
	}
}

// quick is work for stamps that costs nothing.
type quick struct{}

func (quick) Sum(text []byte) stamp.Sum { return sha256.Sum256(text) }
