package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/pairing"
	"contactsd/store"
)

// What an outbox is measured with that has many queues.
const (
	manyAway   = 100 // contacts that are away
	manyQueues = 1000
)

// fair measures durable messages to a contact that is there while messages wait for
// a hundred that are away, and dialling each of them hangs, beside the same without.
func (b *bench) fair(ctx context.Context) (rows []row, err error) {
	ana, bob, err := couple(ctx, b.path("crowded"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ana.stop(), bob.stop()) }()
	away, silence, err := b.away(ctx, ana, manyAway)
	if err != nil {
		return nil, err
	}
	defer silence()
	if err := enqueue(ana.Node, away, 10*len(away)); err != nil {
		return nil, err
	}
	cleo, dora, err := couple(ctx, b.path("quiet"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cleo.stop(), dora.stop()) }()
	const many = 64
	var crowded, quiet []float64
	for range b.runs {
		for _, peer := range away {
			ana.Message.Wake(peer) // each is due at once, whatever failed before
		}
		with, err := rateBetween(ctx, ana, bob, many, uponAck)
		if err != nil {
			return nil, err
		}
		without, err := rateBetween(ctx, cleo, dora, many, uponAck)
		if err != nil {
			return nil, err
		}
		crowded, quiet = append(crowded, with), append(quiet, without)
	}
	name := fmt.Sprintf("durable messages of 1 KiB, %d in flight, with %d contacts away that messages wait for", many, manyAway)
	return []row{compare(name, middle(crowded), "/s", "0.9 times without", 0.9*middle(quiet))}, nil
}

// away pairs a device with others that are gone then: what listens at their
// addresses until silence is called takes connections and says nothing.
func (b *bench) away(ctx context.Context, d *device, many int) (peers []contact.ODID, silence func(), err error) {
	var listeners []net.Listener
	silence = func() {
		for _, l := range listeners {
			l.Close()
		}
	}
	defer func() {
		if err != nil {
			silence()
		}
	}()
	for i := range many {
		id, err := identity.Generate()
		if err != nil {
			return nil, nil, err
		}
		other, err := openDevice(id, b.path(fmt.Sprintf("away-%d", i)), loopback, store.Options{NoSync: true})
		if err != nil {
			return nil, nil, err
		}
		code, hide := showing(ctx, other)
		at := other.net.ListenAddresses()[0]
		_, err = d.Pairing.Enter(ctx, <-code, pairing.EnterOptions{Address: other.net.Own()[0]})
		hide()
		if err = errors.Join(err, other.stop()); err != nil {
			return nil, nil, err
		}
		l, err := listenSilently(at)
		if err != nil {
			return nil, nil, err
		}
		listeners = append(listeners, l)
		peers = append(peers, id.Self())
	}
	return peers, silence, nil
}

// listenSilently listens where a device did that has stopped; nobody accepts.
func listenSilently(address string) (net.Listener, error) {
	port, ok := strings.CutPrefix(address, strings.TrimSuffix(loopback, "0"))
	if !ok {
		return nil, fmt.Errorf("%s is not on loopback", address)
	}
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
}

// waiting measures the memory of a daemon that has a million messages in a thousand
// queues, and of one that has as many queues as contacts.
func (b *bench) waiting(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	queues := min(20*manyQueues, b.manyContacts)
	var rows []row
	for _, l := range []load{
		{contacts: manyQueues, queues: manyQueues, messages: b.manyMessages},
		{contacts: queues, queues: queues, messages: max(b.fewerMessages(), queues)},
	} {
		f, err := b.fill(fmt.Sprintf("waiting-%d", l.queues), l)
		if err != nil {
			return nil, err
		}
		if err := f.Start(ctx); err != nil {
			return nil, err
		}
		defer f.Stop(syscall.SIGTERM)
		started := float64(f.Started.Microseconds()) / 1000
		time.Sleep(calm)
		memory, _, err := usage([]int{f.PID()})
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("%s messages for %s contacts", count(l.messages), count(l.queues))
		rows = append(rows,
			compare("memory of an idle daemon (RssAnon), "+what, memory, "MiB", "limit", 120e6/(1<<20)),
			compare("start until the daemon answers, "+what, started, "ms", "limit", 100))
	}
	return rows, nil
}
