package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/presence"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
	"contactsd/transport/p2p"
)

// Contacts that are told of a change, and how soon the last of them must know.
const (
	someListeners, someTime = 100, 4.6  // ms
	manyListeners, manyTime = 1000, 38. // ms
)

// fanout measures from setting a state to the last of many connected contacts
// seeing it: in this process, and over libp2p on loopback.
func (b *bench) fanout(ctx context.Context) ([]row, error) {
	var rows []row
	for _, m := range []struct {
		name  string
		many  int
		limit float64
		net   func(*identity.Identity) (listener, error)
	}{
		{fmt.Sprintf("a change of presence until the last of %d contacts knows, in memory", someListeners), someListeners, someTime, inMemory()},
		{fmt.Sprintf("a change of presence until the last of %s contacts knows, in memory", count(manyListeners)), manyListeners, manyTime, inMemory()},
		{fmt.Sprintf("a change of presence until the last of %d contacts knows, TCP", someListeners), someListeners, someTime, overTCP},
	} {
		took, err := b.told(ctx, m.many, m.net)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		floor, err := b.commit()
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			compare(m.name, took, "ms", "limit", m.limit),
			compare(m.name, took, "ms", "the commit of the choice", floor))
	}
	return rows, nil
}

// listener is a network that can be run.
type listener interface {
	transport.Network
	transport.Addresses
	Run(context.Context) error
}

func inMemory() func(*identity.Identity) (listener, error) {
	n := memnet.New(memnet.Options{})
	return func(id *identity.Identity) (listener, error) { return n.Device(id.Self()), nil }
}

func overTCP(id *identity.Identity) (listener, error) {
	t, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopback}, MayDial: func(contact.ODID) bool { return true }})
	if err != nil {
		return nil, err
	}
	return t, t.Listen()
}

// ear is one device with presence and nothing else.
type ear struct {
	listener
	*presence.Service
}

// told connects a device with many that may see its state, and returns the median
// of what a change takes until the last of them has seen it, in ms.
func (b *bench) told(ctx context.Context, many int, network func(*identity.Identity) (listener, error)) (took float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	var opened []*store.DB
	defer func() {
		cancel()
		running.Wait()
		for _, db := range opened {
			err = errors.Join(err, db.Close())
		}
	}()
	// The listeners share a store: they say nothing, so nothing of theirs is in it.
	for i := range 2 {
		db, err := store.Open(b.path(fmt.Sprintf("fanout-%d-%d", len(opened), time.Now().UnixNano()+int64(i))), store.Options{}, presence.Tables()...)
		if err != nil {
			return 0, err
		}
		opened = append(opened, db)
	}
	hear := func(db *store.DB, view contact.View) (*ear, error) {
		id, err := identity.Generate()
		if err != nil {
			return nil, err
		}
		net, err := network(id)
		if err != nil {
			return nil, err
		}
		s, err := presence.New(presence.Config{
			DB: db, Network: net, Identity: id, Addresses: net, NoGossip: true,
			Relation: func(*store.Tx, contact.ODID) (contact.View, bool, error) { return view, true, nil },
		})
		if err != nil {
			return nil, err
		}
		net.Serve(presence.Protocol, func(ctx context.Context, st transport.Stream) { s.Handle(ctx, st, contact.Serve) })
		running.Go(func() { _ = net.Run(ctx) })
		running.Go(func() { _ = s.Run(ctx) })
		return &ear{net, s}, nil
	}
	teller, err := hear(opened[0], contact.View{Status: contact.StatusAccepted, Given: contact.PairedDefault})
	if err != nil {
		return 0, err
	}
	heard := make(chan string, 4*many)
	for range many {
		e, err := hear(opened[1], contact.View{Status: contact.StatusAccepted, Received: contact.PairedDefault})
		if err != nil {
			return 0, err
		}
		e.Service.Watch(func(_ contact.ODID, p presence.Presence) { heard <- p.Text })
		at := teller.Own()
		for len(at) == 0 { // it is about to run
			if err := wait(ctx, time.Millisecond); err != nil {
				return 0, err
			}
			at = teller.Own()
		}
		if err := e.Dial(ctx, teller.Self(), at...); err != nil {
			return 0, err
		}
	}
	all := func(text string) error {
		late := time.NewTimer(time.Minute)
		defer late.Stop()
		for n := 0; n < many; {
			select {
			case got := <-heard:
				if got == text {
					n++
				}
			case <-late.C:
				return fmt.Errorf("%d of %d know after a minute", n, many)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	var times []time.Duration
	for i := range b.runs + 2 { // the first ones settle
		text := fmt.Sprintf("state %d", i)
		began := time.Now()
		if err := teller.Set(presence.Busy, text); err != nil {
			return 0, err
		}
		if err := all(text); err != nil {
			return 0, err
		}
		if i >= 2 {
			times = append(times, time.Since(began))
		}
		if err := wait(ctx, 1100*time.Millisecond); err != nil { // a device may change its mind so often
			return 0, err
		}
	}
	return median(times), nil
}

// wait waits.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
