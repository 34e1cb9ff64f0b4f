package pairing

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/transport"
	"contactsd/transport/memnet"
)

// located is a stream of a peer that connects from a place.
type located struct {
	transport.Stream
	place string
}

func (l located) Place() string { return l.place }

// at has the devices connect to d from a place.
func (d *device) at(place string, devices ...*device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range devices {
		d.places[o.id.Self()] = place
	}
}

// Two sources that both always have somebody waiting are served in turn, whatever
// the number of each.
func TestSourcesAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		p.spend()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		served := make(map[string]int)
		var group sync.WaitGroup
		for _, source := range []string{"crowd", "crowd", "crowd", "crowd", "crowd", "one", "other"} {
			group.Go(func() {
				for p.wait(ctx, source, roundBurst) == nil {
					mu.Lock()
					served[source]++
					mu.Unlock()
				}
			})
		}
		<-time.After(30*time.Second + time.Millisecond)
		cancel()
		group.Wait()
		if served["crowd"] != 10 || served["one"] != 10 || served["other"] != 10 {
			t.Errorf("%v in 30 s", served)
		}
	})
}

func TestPacerSavesUpAtMostItsBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		<-time.After(time.Hour)
		start := time.Now()
		for range roundBurst + 2 {
			if err := p.wait(t.Context(), "a", roundBurst); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 2*roundEvery || d > 2*roundEvery+time.Millisecond {
			t.Errorf("%d rounds took %v", roundBurst+2, d)
		}
	})
}

// Whoever gives up leaves no hole: the next one is served in its place.
func TestPacerForgetsWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		p.spend()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- p.wait(ctx, "a", roundBurst) }()
		synctest.Wait()
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- p.wait(t.Context(), "b", roundBurst) }()
		<-time.After(roundEvery / 2)
		cancel()
		if err := <-gone; !errors.Is(err, errPace) {
			t.Errorf("%v", err)
		}
		if err := <-done; err != nil || time.Since(start) > roundEvery+time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if len(p.waiting) != 0 {
			t.Errorf("%d still wait", len(p.waiting))
		}
	})
}

func TestPacerRemembersBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		for i := range 3 * maxServed {
			if err := p.wait(t.Context(), string(rune('a'+i)), roundBurst); err != nil {
				t.Fatal(err)
			}
		}
		if len(p.served) != maxServed {
			t.Errorf("%d sources are remembered", len(p.served))
		}
	})
}

// Many keys in one place have two sessions, however many more there is room for.
func TestOnePlaceHasTwoSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		s.watchCodes(ShowOptions{})
		var lines []*line
		for i := range 3 {
			d := newDevice(t, n, byte(10+i))
			s.at("192.0.2.0/24", d)
			lines = append(lines, opened(t, d, s))
		}
		elsewhere := opened(t, newDevice(t, n, 20), s)
		if !lines[0].isReset() || lines[1].isReset() || lines[2].isReset() || elsewhere.isReset() {
			t.Error("the oldest of the place should yield, and nobody else")
		}
	})
}

// A crowd of keys in one place, all guessing, delays an honest device elsewhere by a
// few rounds only, and shuts it out never.
func TestCrowdInOnePlaceDelaysOthersByARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{Latency: time.Millisecond})
		s, honest := newDevice(t, n, 1), newDevice(t, n, 2)
		w := s.watchCodes(ShowOptions{})
		code := w.code(t)
		s.pace.spend()
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 6 {
			d := newDevice(t, n, byte(10+i))
			s.at("192.0.2.0/24", d)
			group.Go(func() {
				for ctx.Err() == nil {
					d.Enter(ctx, wrongOf(code.Digits), EnterOptions{At: s.id.Self()})
					<-time.After(10 * time.Millisecond)
				}
			})
		}
		<-time.After(3 * time.Second)
		start := time.Now()
		if _, err := honest.Enter(t.Context(), code.Code, EnterOptions{At: s.id.Self()}); err != nil {
			t.Errorf("the honest device: %v", err)
		}
		if d := time.Since(start); d > 2*roundEvery {
			t.Errorf("it took %v", d)
		}
		cancel()
		group.Wait()
	})
}

// Places full of proofs that wait make room for whoever comes from where nobody was
// served for longer: it is the one served last that goes, and it is told why.
func TestNewcomerTakesThePlaceOfWhomWasServedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Options{})
		s := newDevice(t, n, 1)
		code := s.watchCodes(ShowOptions{}).code(t)
		var lines []*line
		var crowd []*device
		for i := range maxSessions {
			d := newDevice(t, n, byte(10+i))
			crowd = append(crowd, d)
			guess(t, d, s, wrongOf(code.Digits))
		}
		s.pace.spend()
		for _, d := range crowd {
			l := opened(t, d, s)
			if err := l.send(typeProve, prove{1, mustShare(t).Y, fill(cpaceTag, 0)}.encode()); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, l)
		}
		synctest.Wait()
		if _, err := newDevice(t, n, 2).Enter(t.Context(), code.Code, EnterOptions{At: s.id.Self()}); err != nil {
			t.Errorf("the newcomer: %v", err)
		}
		_, body, err := lines[maxSessions-1].recv(maxBody, typeReject)
		if err != nil || body[0] != byte(reasonBusy) {
			t.Errorf("who was served last: %x, %v", body, err)
		}
	})
}
