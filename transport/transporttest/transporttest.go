// Package transporttest is what every transport must do, as tests.
package transporttest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
)

// Device is a transport under test.
type Device interface {
	transport.Network
	transport.Addresses
	transport.Routes
	transport.Disconnecter
	Run(ctx context.Context) error
}

// Fixture makes devices of one network on which each knows only the addresses it
// learnt or was given.
type Fixture struct {
	// Device returns a new device that is not running. A second one of the same
	// identity is that device restarted: it is reachable where the first was. It asks
	// where a device was that is to be dialled and of which it has learnt nothing.
	Device func(t *testing.T, id *identity.Identity, mayDial func(contact.ODID) bool, where func(contact.ODID) []transport.Address) Device
	// Nowhere returns an address of the device at which it is not.
	Nowhere func(id contact.ODID) transport.Address
}

// Run runs the suite. Each test is handed to in, which calls it with a fixture
// of its own, in a testing/synctest bubble if it likes.
func Run(t *testing.T, in func(t *testing.T, test func(*testing.T, Fixture))) {
	for _, c := range []struct {
		name string
		test func(*world)
	}{
		{"both ends are proven to each other", (*world).identity},
		{"what is sent comes back", (*world).echo},
		{"the side that serves may speak first", (*world).serverFirst},
		{"big transfers both ways at once arrive whole", (*world).big},
		{"half-close ends one direction only", (*world).halfClose},
		{"a reset of the opener is seen by the other", (*world).resetByOpener},
		{"a reset of the server is seen by the other", (*world).resetByServer},
		{"a reset after close takes nothing back", (*world).resetAfterClose},
		{"a read deadline passes and the stream goes on", (*world).readDeadline},
		{"a deadline ends a read that waits", (*world).deadlineInterrupts},
		{"a write deadline passes when nobody reads", (*world).writeDeadline},
		{"a protocol that is not served is refused", (*world).unknownProtocol},
		{"a device that is not there is unreachable", (*world).unreachable},
		{"an ended context is told as such", (*world).context},
		{"a device is not dialled by itself", (*world).self},
		{"watchers hear of what is and what changes", (*world).watch},
		{"watchers may use the network", (*world).watchReentrant},
		{"two devices dial each other at once", (*world).bothDial},
		{"many goroutines open streams", (*world).manyStreams},
		{"streams of one peer are bounded", (*world).bounded},
		{"open waits for run", (*world).openBeforeRun},
		{"connections are ended on purpose, and made anew", (*world).disconnect},
		{"a device stops", (*world).stop},
		{"a restarted device is found again", (*world).restart},
		{"learnt addresses are used and replaced", (*world).learn},
		{"where a device was before is asked when it is dialled", (*world).recall},
		{"only contacts and named devices are dialled", (*world).stranger},
		{"the address of another device leads nowhere", (*world).wrongDevice},
		{"what is no address is told as such", (*world).badAddress},
		{"an address alone tells who is there", (*world).resolve},
		{"how a device is reached is told, or why not", (*world).route},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, fx Fixture) { c.test(&world{t, fx}) })
		})
	}
}

const (
	echoes  transport.Protocol = "/test/echo/1"
	holds   transport.Protocol = "/test/hold/1" // waits for its context
	nothing transport.Protocol = "/test/nothing/1"

	// patience is how long anything may take before a test fails: longer than
	// QUIC's 30 s without a word. A device that stops in the very moment in which a
	// second connection is being made may say no word on that one.
	patience = 45 * time.Second
)

type world struct {
	*testing.T
	fx Fixture
}

// device is a Device that the test may stop.
type device struct {
	Device
	w      *world
	id     *identity.Identity
	cancel context.CancelFunc
	done   chan error

	mu        sync.Mutex
	strangers map[contact.ODID]bool
	before    map[contact.ODID][]transport.Address // where it knew others before it started
	asked     int                                  // how often that was asked
}

func (d *device) where(id contact.ODID) []transport.Address {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.before[id]
}

func (d *device) mayDial(id contact.ODID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.strangers[id]
}

// make returns a device that serves echoes and holds and does not run yet.
func (w *world) make(id *identity.Identity) *device {
	w.Helper()
	if id == nil {
		var err error
		if id, err = identity.Generate(); err != nil {
			w.Fatal(err)
		}
	}
	d := &device{w: w, id: id, strangers: make(map[contact.ODID]bool), before: make(map[contact.ODID][]transport.Address)}
	d.Device = w.fx.Device(w.T, id, d.mayDial, d.where)
	d.Serve(echoes, func(_ context.Context, s transport.Stream) {
		defer s.Close()
		io.Copy(s, s)
	})
	d.Serve(holds, func(ctx context.Context, s transport.Stream) {
		defer s.Close()
		s.Write([]byte{1})
		<-ctx.Done()
	})
	return d
}

// run starts the device; it is stopped at the end of the test.
func (d *device) run() *device {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.done = cancel, make(chan error, 1)
	go func() { d.done <- d.Run(ctx) }()
	d.w.Cleanup(d.stop)
	return d
}

// stop stops the device and waits until it has.
func (d *device) stop() {
	d.w.Helper()
	d.cancel()
	select {
	case err, first := <-d.done:
		if first {
			close(d.done)
		}
		if err != nil {
			d.w.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		d.w.Error("Run did not return")
	}
}

func (w *world) start() *device {
	w.Helper()
	return w.make(nil).run()
}

// pair returns two running devices of which the first knows where the second is.
func (w *world) pair() (a, b *device) {
	w.Helper()
	a, b = w.start(), w.start()
	a.knows(b)
	return a, b
}

// knows teaches d where o is, once o runs.
func (d *device) knows(o *device) { d.Learn(o.Self(), o.addresses()) }

// addresses returns the device's addresses when it has some.
func (d *device) addresses() []transport.Address {
	d.w.Helper()
	for deadline := time.Now().Add(patience); ; {
		if own := d.Own(); len(own) > 0 {
			return own
		}
		if time.Now().After(deadline) {
			d.w.Fatal("a running device has no address")
		}
		<-time.After(time.Millisecond)
	}
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.Cleanup(cancel)
	return ctx
}

func (d *device) open(to *device, p transport.Protocol) transport.Stream {
	d.w.Helper()
	s, err := d.Open(d.w.ctx(), to.Self(), p)
	if err != nil {
		d.w.Fatal(err)
	}
	d.w.Cleanup(func() { s.Reset() })
	s.SetDeadline(time.Now().Add(patience))
	return s
}

// try sends a text to be echoed over a new stream.
func (d *device) try(to *device) error {
	s, err := d.Open(d.w.ctx(), to.Self(), echoes)
	if err != nil {
		return err
	}
	defer s.Close()
	s.SetDeadline(time.Now().Add(patience))
	return roundTrip(s, rand.Text())
}

func (d *device) mustReach(to *device) {
	d.w.Helper()
	if err := d.try(to); err != nil {
		d.w.Fatalf("echo: %v", err)
	}
}

func roundTrip(s transport.Stream, text string) error {
	if _, err := io.WriteString(s, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("the echo differs")
	}
	return nil
}

// wants fails the test unless err wraps want and no other error of the contract.
func (w *world) wants(err, want error, doing string) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%s: %v, want %q", doing, err, want)
	}
	for _, other := range []error{transport.ErrUnreachable, transport.ErrRefused, transport.ErrAddress,
		transport.ErrSelf, transport.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if other != want && errors.Is(err, other) {
			w.Errorf("%s: the error is %q too", doing, other)
		}
	}
}

// change is what a watcher was told.
type change struct {
	peer contact.ODID
	up   bool
}

func (d *device) watch() <-chan change {
	c := make(chan change, 100)
	d.w.Cleanup(d.Watch(func(peer contact.ODID, up bool) { c <- change{peer, up} }))
	return c
}

func (w *world) expect(c <-chan change, peer *device, up bool) {
	w.Helper()
	select {
	case got := <-c:
		if want := (change{peer.Self(), up}); got != want {
			w.Errorf("the watcher was told %v of %s, want %v", got.up, got.peer.Short(), up)
		}
	case <-time.After(patience):
		w.Fatalf("the watcher was not told %v", up)
	}
}

// gone expects the watcher to be told that a device which stopped has gone, and
// that last. A second connection that was being made as it stopped may come up
// once more, and goes too.
func (w *world) gone(c <-chan change, watching, stopped *device) {
	w.Helper()
	w.expect(c, stopped, false)
	for began := time.Now(); ; {
		select {
		case got := <-c:
			if !got.up {
				w.Errorf("the watcher was told %v once more", got.up)
			}
			w.expect(c, stopped, false)
		case <-time.After(50 * time.Millisecond):
			if len(watching.Connected()) == 0 {
				return
			}
			if time.Since(began) > patience {
				w.Fatal("there is a connection that the watcher was not told of")
			}
		}
	}
}

func (w *world) silent(c <-chan change) {
	w.Helper()
	select {
	case got := <-c:
		w.Errorf("the watcher was told %v once more", got.up)
	case <-time.After(50 * time.Millisecond):
	}
}
