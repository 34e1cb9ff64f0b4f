package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

const (
	idleContacts  = 40
	idleSettles   = 20 * time.Second // what connecting costs is over by then
	idleConnected = 2 * time.Minute  // two keep-alives of presence
)

// connected measures what a connected contact costs while nobody does anything: the
// CPU of both devices, beside that of as many devices that know nobody, and the bytes
// that one device tells the other.
func (b *bench) connected(ctx context.Context) (_ []row, err error) {
	var told atomic.Int64
	var all []*device
	defer func() {
		for _, d := range all {
			err = errors.Join(err, d.stop())
		}
	}()
	for i := range idleContacts + 1 {
		id, err := identity.Generate()
		if err != nil {
			return nil, err
		}
		d, err := openDeviceOver(id, b.path(fmt.Sprintf("connected-%d", i)), loopback, store.Options{NoSync: true},
			func(t *p2p.Transport) node.Transport { return weighed{t, &told} })
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	alone, err := processorTime(ctx)
	if err != nil {
		return nil, err
	}
	hub := all[0]
	for _, d := range all[1:] {
		codes, hide := showing(ctx, hub)
		_, err := d.Pairing.Enter(ctx, <-codes, pairing.EnterOptions{Address: hub.net.Own()[0]})
		hide()
		if err != nil {
			return nil, err
		}
	}
	if err := wait(ctx, idleSettles); err != nil {
		return nil, err
	}
	before := told.Load()
	together, err := processorTime(ctx)
	if err != nil {
		return nil, err
	}
	sides := 2 * idleContacts * idleConnected.Minutes()
	return []row{
		compare("CPU of an idle connected contact a minute", max(together-alone, 0)/sides, "ms", "limit", 0.13),
		compare("bytes to an idle connected contact a minute", float64(told.Load()-before)/sides, "B", "limit", 2000),
	}, nil
}

// processorTime returns what this process needs in the time of idleConnected, in ms.
func processorTime(ctx context.Context) (float64, error) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return 0, err
	}
	if err := wait(ctx, idleConnected); err != nil {
		return 0, err
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return 0, err
	}
	total := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	return float64(total(after)-total(before)) / float64(time.Millisecond), nil
}

// weighed is a network that counts the bytes written to its streams.
type weighed struct {
	*p2p.Transport
	told *atomic.Int64
}

func (w weighed) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	s, err := w.Transport.Open(ctx, peer, p)
	if err != nil {
		return nil, err
	}
	return weighedStream{s, w.told}, nil
}

func (w weighed) Serve(p transport.Protocol, h transport.Handler) {
	w.Transport.Serve(p, func(ctx context.Context, s transport.Stream) { h(ctx, weighedStream{s, w.told}) })
}

type weighedStream struct {
	transport.Stream
	told *atomic.Int64
}

func (s weighedStream) Write(b []byte) (int, error) {
	n, err := s.Stream.Write(b)
	s.told.Add(int64(n))
	return n, err
}
