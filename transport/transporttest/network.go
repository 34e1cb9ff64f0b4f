package transporttest

import (
	"context"
	"io"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

func (w *world) unreachable() {
	a, gone := w.start(), w.make(nil)
	_, err := a.Open(w.ctx(), gone.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open without an address")
	w.wants(a.Dial(w.ctx(), gone.Self()), transport.ErrUnreachable, "dial without an address")
	a.Learn(gone.Self(), []transport.Address{w.fx.Nowhere(gone.Self())})
	_, err = a.Open(w.ctx(), gone.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open")
	w.wants(a.Dial(w.ctx(), gone.Self()), transport.ErrUnreachable, "dial")
	if n := len(a.Connected()); n != 0 {
		w.Errorf("connected with %d devices", n)
	}
}

func (w *world) context() {
	a, b := w.pair()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := a.Open(ended, b.Self(), echoes)
	w.wants(err, context.Canceled, "open with an ended context")
	w.wants(a.Dial(ended, b.Self()), context.Canceled, "dial with an ended context")
	a.mustReach(b)
}

func (w *world) self() {
	a := w.start()
	_, err := a.Open(w.ctx(), a.Self(), echoes)
	w.wants(err, transport.ErrSelf, "open")
	w.wants(a.Dial(w.ctx(), a.Self(), a.addresses()...), transport.ErrSelf, "dial")
	_, err = a.Resolve(w.ctx(), a.addresses()[0])
	w.wants(err, transport.ErrSelf, "resolve")
}

func (w *world) watch() {
	a, b := w.pair()
	before := a.watch()
	w.silent(before)
	if err := a.Dial(w.ctx(), b.Self()); err != nil {
		w.Fatal(err)
	}
	w.expect(before, b, true)
	if got := a.Connected(); !slices.Equal(got, []contact.ODID{b.Self()}) {
		w.Errorf("connected with %d devices", len(got))
	}
	after := a.watch()
	w.expect(after, b, true)

	told := make(chan change, 10)
	cancel := a.Watch(func(peer contact.ODID, up bool) { told <- change{peer, up} })
	w.expect(told, b, true)
	cancel()
	b.stop()
	w.expect(before, b, false)
	w.expect(after, b, false)
	w.silent(told)
	if n := len(a.Connected()); n != 0 {
		w.Errorf("connected with %d devices after the disconnect", n)
	}
}

func (w *world) watchReentrant() {
	a, b := w.pair()
	done := make(chan []contact.ODID, 1)
	var cancel func()
	ready := make(chan struct{})
	cancel = a.Watch(func(peer contact.ODID, up bool) {
		<-ready
		now := a.Connected()
		a.Learn(peer, nil)
		cancel()
		done <- now
	})
	close(ready)
	a.mustReach(b)
	select {
	case now := <-done:
		if !slices.Contains(now, b.Self()) {
			w.Error("a watcher was told of a connection that is not listed")
		}
	case <-time.After(patience):
		w.Error("the watcher hangs")
	}
}

func (w *world) bothDial() {
	for range 5 {
		a, b := w.pair()
		b.knows(a)
		seenA, seenB := a.watch(), b.watch()
		results := make(chan error, 2)
		go func() { results <- a.try(b) }()
		go func() { results <- b.try(a) }()
		for range 2 {
			if err := <-results; err != nil {
				w.Errorf("echo: %v", err)
			}
		}
		w.expect(seenA, b, true)
		w.expect(seenB, a, true)
		if n, m := len(a.Connected()), len(b.Connected()); n != 1 || m != 1 {
			w.Errorf("connected with %d and %d devices", n, m)
		}
		b.stop()
		w.gone(seenA, a, b)
		a.stop()
	}
}

func (w *world) openBeforeRun() {
	b := w.start()
	a := w.make(nil)
	a.knows(b)
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := a.Open(short, b.Self(), echoes)
	w.wants(err, context.DeadlineExceeded, "open of a device that does not run")
	result := make(chan error)
	go func() { result <- a.try(b) }()
	a.run()
	if err := <-result; err != nil {
		w.Errorf("echo: %v", err)
	}
}

func (w *world) stop() {
	a, b := w.pair()
	ended := make(chan struct{})
	b.Serve("/test/until/1", func(ctx context.Context, s transport.Stream) {
		defer close(ended)
		s.Write([]byte{1})
		if _, err := io.ReadAll(s); err == nil {
			w.Error("a handler's read ended well when its device stopped")
		}
		<-ctx.Done()
		s.Reset()
	})
	s := a.open(b, "/test/until/1")
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		w.Fatal(err)
	}
	seenA, seenB := a.watch(), b.watch()
	w.expect(seenA, b, true)
	w.expect(seenB, a, true)
	b.stop()
	select {
	case <-ended:
	default:
		w.Error("Run returned before the handler")
	}
	if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
		w.Errorf("read from a device that stopped: %v", err)
	}
	w.expect(seenA, b, false)
	w.expect(seenB, a, false)
	_, err := b.Open(w.ctx(), a.Self(), echoes)
	w.wants(err, transport.ErrClosed, "open after the stop")
	w.wants(b.Dial(w.ctx(), a.Self(), a.addresses()...), transport.ErrClosed, "dial after the stop")
	_, err = b.Resolve(w.ctx(), a.addresses()[0])
	w.wants(err, transport.ErrClosed, "resolve after the stop")
	_, err = a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open to a device that stopped")
}

func (w *world) restart() {
	a, b := w.pair()
	seen := a.watch()
	a.mustReach(b)
	w.expect(seen, b, true)
	for range 3 {
		b.stop()
		w.expect(seen, b, false)
		b = w.make(b.id).run()
		b.addresses()
		a.mustReach(b)
		w.expect(seen, b, true)
	}
}

func (w *world) learn() {
	a, b, c := w.start(), w.start(), w.start()
	nowhere := []transport.Address{w.fx.Nowhere(b.Self())}
	a.knows(b)
	a.Learn(b.Self(), nowhere)
	_, err := a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open after the address was replaced")
	a.Learn(b.Self(), c.addresses())
	_, err = a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open at the address of another device")
	a.Learn(b.Self(), slices.Concat([]transport.Address{"", "garbage", "/ip4/1.2.3.4"}, b.addresses(), nowhere))
	a.mustReach(b)
	a.Learn(a.Self(), b.addresses())
}

func (w *world) recall() {
	a, b, c := w.start(), w.start(), w.start()
	knows := func(peer *device, want bool, when string) {
		w.Helper()
		if a.Knows(peer.Self()) != want {
			w.Errorf("%s: Knows is %t", when, !want)
		}
	}
	knows(b, false, "a device of which nothing was ever heard")
	a.mu.Lock()
	a.before[b.Self()] = b.addresses()
	a.before[c.Self()] = slices.Concat([]transport.Address{"garbage"}, b.addresses())
	a.strangers[c.Self()] = true
	a.mu.Unlock()
	knows(b, false, "a device that nobody has asked about")
	seen := a.watch()
	a.mustReach(b)
	w.expect(seen, b, true)
	knows(b, true, "a device that was reached where it was before")
	a.mu.Lock()
	asked := a.asked
	a.mu.Unlock()
	if err := a.Dial(w.ctx(), b.Self()); err != nil {
		w.Error(err)
	}
	a.mu.Lock()
	if a.asked != asked {
		w.Error("where a device is was asked again though it is known")
	}
	a.mu.Unlock()
	knows(c, false, "a device that is no contact any more")
	a.Learn(b.Self(), []transport.Address{w.fx.Nowhere(b.Self())})
	b.stop()
	w.expect(seen, b, false)
	_, err := a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open where the device is no longer")
}

func (w *world) stranger() {
	a, b := w.start(), w.make(nil)
	a.strangers[b.Self()] = true
	b.run()
	a.knows(b)
	_, err := a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open to a stranger")
	w.wants(a.Dial(w.ctx(), b.Self()), transport.ErrUnreachable, "dial a stranger whose address is not known")
	if err := a.Dial(w.ctx(), b.Self(), b.addresses()...); err != nil {
		w.Fatalf("dial a stranger that the user named: %v", err)
	}
	a.mustReach(b)
	b.mustReach(a)

	c := w.start()
	a.mu.Lock()
	a.strangers[c.Self()] = true
	a.mu.Unlock()
	c.knows(a)
	c.mustReach(a)
	a.mustReach(c)
}

func (w *world) wrongDevice() {
	a, b, c := w.start(), w.start(), w.start()
	if err := a.Dial(w.ctx(), b.Self(), c.addresses()...); err == nil {
		w.Error("dialled a device at the address of another")
	}
	if slices.Contains(a.Connected(), b.Self()) {
		w.Error("connected with a device that is not there")
	}
	a.knows(b)
	a.mustReach(b)
}

func (w *world) badAddress() {
	a, b := w.pair()
	for _, text := range []transport.Address{"", "garbage", "http://example.org", "/ip4/127.0.0.1"} {
		w.wants(a.Dial(w.ctx(), b.Self(), text), transport.ErrAddress, "dial "+string(text))
		_, err := a.Resolve(w.ctx(), text)
		w.wants(err, transport.ErrAddress, "resolve "+string(text))
	}
}

func (w *world) resolve() {
	a, b := w.start(), w.make(nil)
	a.strangers[b.Self()] = true
	b.run()
	for _, addr := range b.addresses() {
		id, err := a.Resolve(w.ctx(), addr)
		if err != nil || id != b.Self() {
			w.Errorf("resolve: %s, %v", id.Short(), err)
		}
	}
	a.mustReach(b)
	gone := w.make(nil)
	_, err := a.Resolve(w.ctx(), w.fx.Nowhere(gone.Self()))
	w.wants(err, transport.ErrUnreachable, "resolve where nobody is")
}

// route follows one device through being unknown, known, connected, gone, and back.
func (w *world) route() {
	a, b := w.start(), w.start()
	if r := a.Route(b.Self()); len(r.Known)+len(r.Connections) > 0 || !r.FailedAt.IsZero() || r.Why != "" {
		w.Errorf("of a device of which nothing is known: %+v", r)
	}
	w.wants(a.Dial(w.ctx(), b.Self()), transport.ErrUnreachable, "dial without an address")
	if r := a.Route(b.Self()); !r.FailedAt.IsZero() {
		w.Errorf("nothing was dialled, and that failed: %+v", r)
	}
	a.knows(b)
	if n := len(a.Route(b.Self()).Known); n != len(b.addresses()) {
		w.Errorf("%d addresses are known of %d", n, len(b.addresses()))
	}
	began := time.Now()
	a.mustReach(b)
	for d, inbound := range map[*device]bool{a: false, b: true} {
		other := map[bool]*device{true: a, false: b}[inbound].Self()
		r := d.Route(other)
		if len(r.Connections) == 0 || !r.FailedAt.IsZero() || r.Why != "" {
			w.Fatalf("of a connected device: %+v", r)
		}
		c := r.Connections[0]
		if c.Transport == "" || c.Address == "" || c.Inbound != inbound || c.Since.Before(began) || c.Since.After(time.Now()) || c.Distance != transport.SameMachine {
			w.Errorf("connection %+v, of the one who was dialled: %v", c, inbound)
		}
		if n := d.Tally().Connections[c.Transport]; n == 0 {
			w.Errorf("a connection over %s that is not counted", c.Transport)
		}
	}
	if got := len(a.Route(b.Self()).Known); got == 0 {
		w.Error("where a connected device is, is not known any more")
	}
	if n := a.Tally(); n.Dialled != 1 || n.Failed != 0 {
		w.Errorf("%d dialled, %d failed; want one and none", n.Dialled, n.Failed)
	}
	seen := a.watch()
	w.expect(seen, b, true)
	b.stop()
	w.expect(seen, b, false)
	if r := a.Route(b.Self()); len(r.Connections) > 0 {
		w.Errorf("connected with a device that stopped: %+v", r)
	}
	_, err := a.Open(w.ctx(), b.Self(), echoes)
	w.wants(err, transport.ErrUnreachable, "open to a device that stopped")
	if r := a.Route(b.Self()); r.FailedAt.IsZero() || r.Why == "" {
		w.Errorf("after it stopped: %+v", r)
	}
	if n := a.Tally(); n.Failed == 0 {
		w.Error("a dial that failed is not counted")
	}
	a.knows(w.make(b.id).run())
	a.mustReach(b)
	if r := a.Route(b.Self()); len(r.Connections) == 0 || !r.FailedAt.IsZero() {
		w.Errorf("once it is back: %+v", r)
	}
}

func (w *world) disconnect() {
	a, b := w.pair()
	a.mustReach(b)
	mine, theirs := a.watch(), b.watch()
	w.expect(mine, b, true)
	w.expect(theirs, a, true)
	st, err := a.Open(w.ctx(), b.Self(), holds)
	if err != nil {
		w.Fatal(err)
	}
	a.Disconnect(b.Self())
	w.expect(mine, b, false)
	w.expect(theirs, a, false)
	if _, err := st.Read(make([]byte, 1)); err == nil {
		w.Error("a stream goes on")
	}
	a.Disconnect(b.Self()) // nothing is left to end
	a.mustReach(b)
}
