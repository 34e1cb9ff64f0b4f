package profile

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// asks asks d for its profile as o, whatever o's own service would do, and returns
// the answer; ok is false if there is none.
func (o *device) asks(d *device) (a answer, ok bool) {
	o.t.Helper()
	st := o.opens(d)
	defer st.Reset()
	a, err := converse(st, 0)
	return a, err == nil
}

func (o *device) opens(d *device) transport.Stream {
	o.t.Helper()
	if err := o.net.Dial(o.t.Context(), d.self()); err != nil {
		o.t.Fatal(err)
	}
	st, err := o.net.Open(o.t.Context(), d.self(), Protocol)
	if err != nil {
		o.t.Fatal(err)
	}
	return st
}

// TestOneStrangerGetsFewProfiles: of a thousand questions three are answered, the rest
// refused in words, nothing is written, and nobody else is worse off.
func TestOneStrangerGetsFewProfiles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, eve, bob, cleo := w.device(1), w.device(2), w.device(3), w.device(4)
		ana.adds(cleo)
		ana.sets(full(t, "Ana"))
		commits := ana.db.Commits()
		profiles := 0
		for range 1000 {
			a, ok := eve.asks(ana)
			switch {
			case !ok || a.Kind != kindProfile && a.Kind != kindLater:
				t.Fatalf("%+v, %v", a, ok)
			case a.Kind == kindProfile:
				profiles++
			}
		}
		synctest.Wait()
		if passed := 1000 * 10 * time.Millisecond; profiles < 3 || profiles > 3+int(passed/forStrangers().everyOfOne) {
			t.Errorf("%d answered", profiles)
		}
		if known, _, _ := ana.strangers(); ana.db.Commits() != commits || known != 1 {
			t.Errorf("%d commits, %d devices are remembered", ana.db.Commits()-commits, known)
		}
		if _, err := eve.of(ana); !errors.Is(err, ErrLater) {
			t.Errorf("%v", err)
		}
		bob.seen(ana)
		cleo.seen(ana)
		pass(2 * time.Minute)
		eve.seen(ana)
	})
}

// TestCrowdOfStrangersIsBounded: many keys get no more than the rate of all, and
// little is remembered of them, for a while.
func TestCrowdOfStrangersIsBounded(t *testing.T) {
	terms := forStrangers()
	d := newDoor(terms)
	now := time.Now()
	admitted := 0
	for i := range 100_000 {
		if d.admit(contact.ODID{byte(i), byte(i >> 8), byte(i >> 16)}, now) {
			admitted++
		}
		now = now.Add(time.Millisecond)
	}
	if admitted < terms.burst+99 || admitted > terms.burst+101 {
		t.Errorf("%d admitted in 100 s", admitted)
	}
	if len(d.of) > terms.devicesAtMost {
		t.Errorf("%d are remembered", len(d.of))
	}
	d.admit(contact.ODID{9, 9, 9, 9}, now.Add(time.Hour))
	if len(d.of) != 1 {
		t.Errorf("%d are remembered after an hour", len(d.of))
	}
}

// TestSlowAskersHoldFewPlaces: who opens streams and says nothing, or a byte now and
// then, gets two of the strangers' places for 10 s, and contacts have their own.
func TestSlowAskersHoldFewPlaces(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ana, cleo := w.device(1), w.device(2)
		ana.adds(cleo)
		ana.sets(full(t, "Ana"))
		var open []transport.Stream
		for seed := range byte(20) {
			eve := w.device(100 + seed)
			for range 5 {
				open = append(open, eve.opens(ana))
			}
		}
		for _, st := range open {
			_, _ = st.Write([]byte{3}) // a length, and then nothing
		}
		pass(100 * time.Millisecond)
		if _, busy, ofOne := ana.strangers(); busy != forStrangers().streams || ofOne > forStrangers().streamsOfOne {
			t.Errorf("%d places are taken, %d by one", busy, ofOne)
		}
		cleo.seen(ana)
		pass(serveTimeout)
		if _, busy, ofOne := ana.strangers(); busy != 0 || ofOne != 0 {
			t.Errorf("%d places are still taken", busy)
		}
		w.device(99).seen(ana)
		for _, st := range open {
			_ = st.Reset()
		}
	})
}

// serves makes a device answer as it likes.
func (o *device) serves(f func(ctx context.Context, st transport.Stream)) {
	o.stop()
	o.net = o.world.net.Device(o.self())
	o.net.Serve(Protocol, f)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := o.net.Run(ctx); err != nil {
			o.t.Error(err)
		}
	}()
	o.stop = func() { cancel(); <-done }
	o.t.Cleanup(o.stop)
	synctest.Wait()
}

// TestHostileAnswers: whatever a device answers, who asked gets an error in time, has
// kept what it had, and allocated little.
func TestHostileAnswers(t *testing.T) {
	megabyte := binary.AppendUvarint(nil, 1<<20)
	for name, tt := range map[string]struct {
		serve func(ctx context.Context, st transport.Stream)
		want  error
	}{
		"a megabyte": {func(_ context.Context, st transport.Stream) {
			_, _ = st.Write(append(megabyte, make([]byte, 1<<20)...))
			_ = st.Close()
		}, ErrMalformed},
		"a length": {func(_ context.Context, st transport.Stream) {
			_, _ = st.Write([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
			_ = st.Close()
		}, ErrMalformed},
		"garbage": {func(_ context.Context, st transport.Stream) {
			_, _ = st.Write([]byte{2, 0xff, 0xff})
			_ = st.Close()
		}, ErrMalformed},
		"nothing": {func(_ context.Context, st transport.Stream) { _ = st.Close() }, transport.ErrRefused},
		"half a frame": {func(_ context.Context, st transport.Stream) {
			_, _ = st.Write([]byte{100, 0xa1})
			_ = st.Close()
		}, transport.ErrRefused},
		"silence": {func(ctx context.Context, st transport.Stream) {
			_, _ = io.Copy(io.Discard, st)
			<-ctx.Done()
			_ = st.Reset()
		}, transport.ErrUnreachable},
		"a byte a second": {func(ctx context.Context, st transport.Stream) {
			defer st.Reset()
			_, err := st.Write([]byte{0x80, 0x80, 1})
			for tick := time.NewTicker(time.Second); err == nil; {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					_, err = st.Write([]byte{0xa0})
				}
			}
		}, transport.ErrUnreachable},
		"a name with an escape": {func(_ context.Context, st transport.Stream) {
			_ = transport.WriteFrame(st, answer{Rev: 9, Name: "\x1b[2J"}, maxAnswer)
			_ = st.Close()
		}, ErrMalformed},
	} {
		for _, listed := range []bool{false, true} {
			bubble(t, func(t *testing.T, w *world) {
				bob, eve := w.device(1), w.device(2)
				if listed {
					bob.adds(eve)
				}
				eve.serves(tt.serve)
				began := time.Now()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := bob.of(eve)
				runtime.ReadMemStats(&after)
				if !errors.Is(err, tt.want) || time.Since(began) > fetchTimeout+time.Second {
					t.Errorf("%s: %v after %v, want %v", name, err, time.Since(began), tt.want)
				}
				if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
					t.Errorf("%s: %d bytes allocated", name, got)
				}
				if _, ok := bob.kept(eve); ok {
					t.Errorf("%s: something is kept", name)
				}
			})
		}
	}
}

// TestHostileAnswerLeavesWhatIsKept: a contact whose device goes bad is shown as it
// was.
func TestHostileAnswerLeavesWhatIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bob, ana := w.device(1), w.device(2)
		bob.adds(ana)
		want := ana.sets(full(t, "Ana"))
		bob.seen(ana)
		ana.serves(func(_ context.Context, st transport.Stream) {
			_ = transport.WriteFrame(st, answer{Rev: want.Rev + 1, Bio: "\x1b[2J"}, maxAnswer)
			_ = st.Close()
		})
		k, err := bob.of(ana)
		if err != nil || k.Live {
			t.Fatalf("%+v, %v", k, err)
		}
		equal(t, k.Profile, want)
	})
}
