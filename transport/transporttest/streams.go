package transporttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

func (w *world) identity() {
	a, b := w.pair()
	seen := make(chan contact.ODID, 2)
	for _, d := range []*device{a, b} {
		if d.Self() != d.id.Self() {
			w.Error("Self is not the identity's ODID")
		}
		d.Serve("/test/who/1", func(_ context.Context, s transport.Stream) {
			seen <- s.Peer()
			s.Close()
		})
	}
	for _, from := range []*device{a, b} { // b's stream goes back over a's connection
		to := b
		if from == b {
			to = a
		}
		if s := from.open(to, "/test/who/1"); s.Peer() != to.Self() {
			w.Errorf("the opener's stream is with %s", s.Peer().Short())
		} else if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			w.Errorf("read: %v", err)
		}
		if peer := <-seen; peer != from.Self() {
			w.Errorf("the server's stream is with %s", peer.Short())
		}
	}
}

func (w *world) echo() {
	a, b := w.pair()
	s := a.open(b, echoes)
	for i := range 50 {
		if err := roundTrip(s, strings.Repeat("x", i*i+1)); err != nil {
			w.Fatalf("message %d: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
	if _, err := s.Read(make([]byte, 1)); err == nil {
		w.Error("read from a closed stream")
	}
	if _, err := s.Write([]byte("x")); err == nil {
		w.Error("wrote to a closed stream")
	}
}

func (w *world) serverFirst() {
	a, b := w.pair()
	for range 2 { // the second stream knows that the protocol is served
		s := a.open(b, holds)
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			w.Errorf("read: %v", err)
		}
		s = a.open(b, echoes)
		if err := s.CloseWrite(); err != nil {
			w.Errorf("close before a word: %v", err)
		}
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			w.Errorf("the echo of nothing: %v", err)
		}
	}
}

func (w *world) big() {
	a, b := w.pair()
	want := make([]byte, 8<<20)
	rand.Read(want)
	s := a.open(b, echoes)
	go func() {
		s.Write(want)
		s.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(got, want) {
		w.Errorf("%d of %d bytes came back, the same: %v, error: %v", len(got), len(want), bytes.Equal(got, want), err)
	}
}

func (w *world) halfClose() {
	a, b := w.pair()
	b.Serve("/test/sum/1", func(_ context.Context, s transport.Stream) {
		defer s.Close()
		all, err := io.ReadAll(s)
		fmt.Fprintf(s, "%d %v", len(all), err)
	})
	s := a.open(b, "/test/sum/1")
	s.Write(make([]byte, 1000))
	if err := s.CloseWrite(); err != nil {
		w.Errorf("close write: %v", err)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		w.Error("wrote after CloseWrite")
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "1000 <nil>" {
		w.Errorf("the answer after the half-close: %q, %v", got, err)
	}
}

func (w *world) resetByOpener() {
	a, b := w.pair()
	seen := make(chan error, 1)
	b.Serve("/test/read/1", func(_ context.Context, s transport.Stream) {
		s.Write([]byte{1})
		_, err := io.ReadAll(s)
		s.Reset()
		seen <- err
	})
	s := a.open(b, "/test/read/1")
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		w.Fatal(err) // before the server has the stream it might never see it
	}
	s.Write([]byte("x"))
	s.Reset()
	if err := <-seen; err == nil {
		w.Error("the server took the reset for an end")
	}
	if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
		w.Errorf("read after the own reset: %v", err)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		w.Error("wrote after the own reset")
	}
}

func (w *world) resetByServer() {
	a, b := w.pair()
	b.Serve("/test/reset/1", func(_ context.Context, s transport.Stream) {
		s.Read(make([]byte, 1))
		s.Reset()
	})
	s := a.open(b, "/test/reset/1")
	s.Write([]byte("x"))
	if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
		w.Errorf("read after the peer's reset: %v", err)
	}
	a.mustReach(b)
}

func (w *world) resetAfterClose() {
	a, b := w.pair()
	const size = 50_000
	b.Serve("/test/give/1", func(_ context.Context, s transport.Stream) {
		defer s.Reset()
		s.Write(make([]byte, size))
		s.Close()
	})
	for range 5 {
		s := a.open(b, "/test/give/1")
		if got, err := io.ReadAll(s); err != nil || len(got) != size {
			w.Errorf("read %d of %d bytes: %v", len(got), size, err)
		}
	}
}

func (w *world) readDeadline() {
	a, b := w.pair()
	for _, fresh := range []bool{true, false} {
		s := a.open(b, echoes)
		if !fresh {
			if err := roundTrip(s, "x"); err != nil {
				w.Fatal(err)
			}
		}
		for _, d := range []time.Duration{20 * time.Millisecond, -time.Second} {
			s.SetDeadline(time.Now().Add(d))
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				w.Errorf("read past the deadline: %v", err)
			}
		}
		s.SetDeadline(time.Now().Add(patience))
		if err := roundTrip(s, "and on"); err != nil {
			w.Errorf("echo after the deadline: %v", err)
		}
	}
}

func (w *world) deadlineInterrupts() {
	a, b := w.pair()
	s := a.open(b, echoes)
	time.AfterFunc(20*time.Millisecond, func() { s.SetDeadline(time.Unix(1, 0)) })
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.Errorf("read: %v", err)
	}
}

func (w *world) writeDeadline() {
	a, b := w.pair()
	s := a.open(b, holds)
	s.SetDeadline(time.Now().Add(100 * time.Millisecond))
	chunk := make([]byte, 1<<20)
	for range 64 {
		if _, err := s.Write(chunk); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				w.Errorf("write: %v", err)
			}
			return
		}
	}
	w.Error("64 MiB were taken that nobody reads")
}

func (w *world) unknownProtocol() {
	a, b := w.pair()
	for range 2 {
		_, err := a.Open(w.ctx(), b.Self(), nothing)
		w.wants(err, transport.ErrRefused, "open")
	}
	a.mustReach(b)
	_, err := b.Open(w.ctx(), a.Self(), nothing)
	w.wants(err, transport.ErrRefused, "open the other way")
}

func (w *world) manyStreams() {
	a, b := w.pair()
	a.mustReach(b)
	var failed atomic.Value
	var group sync.WaitGroup
	for i := range 32 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		group.Go(func() {
			for range 20 {
				if err := from.try(to); err != nil {
					failed.Store(err)
					return
				}
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		w.Error(err)
	}
}

func (w *world) bounded() {
	a, b := w.pair()
	a.mustReach(b)
	var serving, most, served atomic.Int32
	b.Serve("/test/busy/1", func(ctx context.Context, s transport.Stream) {
		if n := serving.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer serving.Add(-1)
		defer s.Close()
		s.Write([]byte{1})
		s.Read(make([]byte, 1))
	})
	const streams = 300
	var group sync.WaitGroup
	all := make(chan struct{})
	for range streams {
		group.Go(func() {
			s, err := a.Open(w.ctx(), b.Self(), "/test/busy/1")
			if err != nil {
				return
			}
			defer s.Reset()
			s.SetDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := io.ReadFull(s, make([]byte, 1)); err == nil {
				served.Add(1)
				<-all // so that nobody gets its place
			}
		})
	}
	time.AfterFunc(time.Second, func() { close(all) })
	group.Wait()
	if n := served.Load(); n < 64 || n >= streams || most.Load() > n {
		w.Errorf("of %d streams at once %d were served, %d at once", streams, n, most.Load())
	}
	for deadline := time.Now().Add(patience); serving.Load() > 0 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	a.mustReach(b)
}
