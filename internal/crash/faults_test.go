package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
	"contactsd/node"
	"contactsd/store"
)

// pair is two devices under load that a test does something to.
type pair struct {
	*lab
	t        *testing.T
	ana, bob *side
}

func underLoad(t *testing.T, program string) *pair {
	t.Helper()
	homes, clean, err := freshHomes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clean)
	return underLoadAt(t, program, homes)
}

func underLoadAt(t *testing.T, program string, homes [2]string) *pair {
	t.Helper()
	l, err := open(t.Context(), program, homes, lanes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	p := &pair{lab: l, t: t, ana: l.sides[0], bob: l.sides[1]}
	p.load(t.Context())
	p.healthyFor(300 * time.Millisecond)
	return p
}

func (p *pair) try(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// healthyFor has messages go both ways for a while, at a rate that counts.
func (p *pair) healthyFor(d time.Duration) {
	p.t.Helper()
	p.try(p.recover(p.t.Context()))
	p.delivered, p.healthy = 0, 0
	p.try(p.run(p.t.Context(), d))
	if p.rate() < leastRate {
		p.t.Fatalf("%v: %.0f messages/s, at least %d", errVoid, p.rate(), leastRate)
	}
}

// end has everything delivered and compares what both hold.
func (p *pair) end() {
	p.t.Helper()
	n, err := p.settle(p.t.Context())
	p.try(err)
	p.t.Logf("%d messages, all there once and in order", n)
	for _, s := range p.sides {
		p.whole(s)
	}
}

// whole examines the store of a device that is down.
func (p *pair) whole(s *side) {
	p.t.Helper()
	r, err := node.Check(s.store(), s.odid)
	p.try(err)
	if len(r.Damage) > 0 {
		p.t.Fatalf("%s's store: %v", s.Name, r.Damage)
	}
}

// frozenFor is how long a daemon is stopped by SIGSTOP.
func frozenFor() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CRASH_FROZEN")); err == nil {
		return d
	}
	return 3 * time.Second
}

func TestFrozenDaemonGoesOnWhereItWas(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	for _, s := range p.sides {
		p.try(s.Freeze(t.Context()))
		pause(t.Context(), frozenFor())
		p.try(s.Thaw())
		began := time.Now()
		p.try(devices.Until(t.Context(), "messages to go both ways as before", func() (bool, error) {
			if time.Since(began) > patience {
				return false, errors.New("they don't")
			}
			p.delivered, p.healthy = 0, 0
			err := errors.Join(p.recover(t.Context()), p.run(t.Context(), 200*time.Millisecond))
			return p.rate() >= leastRate, err
		}))
		t.Logf("as before %v after %s went on", time.Since(began).Round(time.Millisecond), s.Name)
	}
	p.end()
}

// quiet stops the writers, so that a test can say what was when. More may be
// written after load.
func (p *pair) quiet() {
	p.t.Helper()
	_, err := p.settle(p.t.Context())
	p.try(err)
	p.errs = nil
}

func (p *pair) start(s *side) {
	p.t.Helper()
	p.try(p.lab.start(p.t.Context(), s))
}

func (p *pair) again() {
	p.t.Helper()
	for _, s := range p.sides {
		p.start(s)
	}
	p.load(p.t.Context())
	p.healthyFor(100 * time.Millisecond)
}

// copied keeps a copy of the store of a device that is down.
func (p *pair) copied(s *side) string {
	p.t.Helper()
	path := fmt.Sprintf("%s.%d.copy", s.Home, time.Now().UnixNano())
	p.try(store.Copy(s.store(), path))
	return path
}

func (p *pair) restored(s *side, path string) {
	p.t.Helper()
	_, err := node.Restore(path, s.store(), s.odid)
	p.try(err)
	p.whole(s)
	s.restored = true
}

// For its own messages a restored receiver is a restored sender, and the other way
// round, so each of these tests both.
func TestDeviceRestoredTwiceFromOneCopyMissesAndRepeatsNothing(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	p.quiet()
	old := p.copied(p.bob)
	for range 2 {
		p.again()
		p.quiet()
		p.restored(p.bob, old)
	}
	p.again()
	p.end()
}

// What waits in the copy has arrived when it is put back.
func TestDeviceRestoredWithAQueueRepeatsNothing(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	p.bob.Stop(syscall.SIGKILL)
	pause(t.Context(), 200*time.Millisecond)
	close(p.halt)
	p.try(devices.Until(t.Context(), "Ana's writers to end", func() (bool, error) { return p.ana.sent.under() == 0, nil }))
	p.ana.Stop(syscall.SIGKILL)
	old := p.copied(p.ana)
	p.start(p.bob)
	p.start(p.ana)
	p.halt = make(chan struct{}) // for quiet, which ends writers that have ended
	p.quiet()
	for range 2 {
		p.restored(p.ana, old)
		p.again()
		p.quiet()
	}
	p.again()
	p.end()
}

// By hand it is not the same, as the package message says, but for messages that
// nobody cancels it is.
func TestStoreCopiedBackByHandMissesAndRepeatsNothing(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	p.quiet()
	for _, s := range p.sides {
		old := p.copied(s)
		p.again()
		p.quiet()
		p.try(os.Rename(old, s.store()))
		s.restored, s.cursor = true, ""
	}
	p.again()
	p.end()
}

func TestSlowReaderOfEventsHoldsNobodyUp(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	var readers []interface{ Close() error }
	for range 8 {
		stream, err := p.ana.Events().WatchEvents(t.Context(), &contactsv1.WatchEventsRequest{After: "0"})
		p.try(err)
		readers = append(readers, stream)
	}
	p.healthyFor(2 * time.Second)
	for _, r := range readers {
		r.Close()
	}
	p.end()
}

func TestStaleSocketAndLockDoNotKeepADaemonFromStarting(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	p.ana.Stop(syscall.SIGKILL)
	if _, err := os.Stat(p.ana.Home + "/contactsd.sock"); err != nil {
		t.Fatalf("there is nothing stale: %v", err)
	}
	p.start(p.ana)
	p.healthyFor(100 * time.Millisecond)
	p.end()
}

func TestSecondDaemonIsRefusedAndDisturbsNothing(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	for range 5 {
		second := devices.New(daemon(t, ""), p.ana.Home, "second")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := second.Refused(ctx)
		cancel()
		p.try(err)
		wantWords(t, out, "is used by another contactsd", "hint: stop that one or use another --home")
		// Nor can anybody look into a store that is in use, or replace it.
		_, err = store.Open(p.ana.store(), store.Options{ReadOnly: true})
		if err == nil {
			t.Fatal("a store in use could be opened")
		}
	}
	p.healthyFor(200 * time.Millisecond)
	p.end()
}

func wantWords(t *testing.T, said string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Fatalf("%q does not say %q", said, w)
		}
	}
}

// call asks a daemon something; it may have no descriptor left to answer.
func call(t *testing.T, d *devices.Device) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _ = d.Status(ctx)
}

func TestDamagedStoreIsRefusedWithWhatToDo(t *testing.T) {
	p := underLoad(t, daemon(t, ""))
	p.quiet()
	whole, err := os.ReadFile(p.ana.store())
	p.try(err)
	damaged := [][]byte{nil, whole[:1], make([]byte, len(whole))}
	chance := chance(t)
	for range rounds(20) {
		damaged = append(damaged, whole[:chance.IntN(len(whole))])
	}
	refused := 0
	for _, file := range damaged {
		p.try(os.WriteFile(p.ana.store(), file, 0o600))
		if r, err := node.Check(p.ana.store(), p.ana.odid); err == nil && len(r.Damage) == 0 {
			continue // what was cut off is space that the store had not used yet
		}
		refused++
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		said, err := p.ana.Refused(ctx)
		cancel()
		p.try(err)
		wantWords(t, said, "damaged store", "hint: ", "contactsd restore FILE")
		if strings.Contains(said, "goroutine ") || strings.Contains(said, "panic") {
			t.Fatalf("%d of %d bytes: %s", len(file), len(whole), said)
		}
		if after, err := os.ReadFile(p.ana.store()); err != nil || !bytes.Equal(after, file) {
			t.Fatalf("the refused file was changed, %v", err)
		}
	}
	if refused < 3 {
		t.Fatalf("only %d of %d files were damaged", refused, len(damaged))
	}
	p.try(os.WriteFile(p.ana.store(), whole, 0o600))
	p.again()
	p.end()
}
