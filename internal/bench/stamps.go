package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/internal/asker"
	"contactsd/message"
	"contactsd/stamp"
)

// What a flood of bad stamps is measured with.
const (
	floodAsks      = 10_000
	floodDevices   = 100
	floodFor       = 20 * time.Second // at least, so that what was saved up counts for little
	floodShare     = 2                // % of one core
	floodLatencies = 200              // messages
	stampSamples   = 5                // at most, of each difficulty
)

// stamps measures how long stamps take to make, of each price and difficulty, and what a
// flood of bad ones costs.
func (b *bench) stamps(ctx context.Context) (rows []row, err error) {
	for bits := 4; bits <= 8; bits += 2 {
		for _, a := range contact.Acts() {
			if a.Stamps() == 0 {
				continue
			}
			took, err := b.stampTime(ctx, bits, a.Stamps())
			if err != nil {
				return nil, err
			}
			each, hashes := hashTime(), float64(int(a.Stamps())<<bits)
			name := fmt.Sprintf("%d stamps of %d bits, to %s", a.Stamps(), bits, a)
			rows = append(rows, compare(name, took, "s", "hashes alone", each.Seconds()*hashes))
		}
	}
	more, err := b.flood(ctx)
	return append(rows, more...), err
}

// hashTime returns how long one hash takes.
func hashTime() time.Duration {
	from := time.Now()
	const many = 20
	for range many {
		stamp.Argon2{}.Sum(nil)
	}
	return time.Since(from) / many
}

// stampTime returns the mean time, in seconds, in which so many stamps are made.
func (b *bench) stampTime(ctx context.Context, bits, many int) (float64, error) {
	s, err := asker.New(1)
	if err != nil {
		return 0, err
	}
	runs := min(b.runs, stampSamples)
	from := time.Now()
	for i := range runs {
		ask := contact.Ask{ID: contact.AskID{byte(i)}, Permissions: contact.Messages, Wording: "May I?"}
		c := stamp.NewMint().Challenge(s.Self(), bits, many)
		if _, err := s.Stamp(ctx, stamp.Argon2{}, contact.ODID{1}, ask, &c); err != nil {
			return 0, err
		}
	}
	return time.Since(from).Seconds() / float64(runs), nil
}

// flood has a hundred devices that never work send ten thousand requests with bad
// stamps to a device whose paired contact writes to it, and measures what examining them
// takes, and the contact's messages beside those without a flood.
func (b *bench) flood(ctx context.Context) (rows []row, err error) {
	ana, bob, err := couple(ctx, b.path("flood"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ana.stop(), bob.stop()) }()
	quiet, err := latency(ctx, ana, bob)
	if err != nil {
		return nil, err
	}
	flooding, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var attack sync.WaitGroup
	from, before := time.Now(), bob.Relation.Stamps()
	attack.Go(func() { stop(badAsks(flooding, bob)) })
	crowded, err := latency(ctx, ana, bob)
	if err != nil {
		return nil, err
	}
	attack.Wait()
	if err := context.Cause(flooding); !errors.Is(err, context.Canceled) {
		return nil, err
	}
	took, n := time.Since(from), bob.Relation.Stamps()
	examined := n.Good + n.Bad - before.Good - before.Bad
	share := 100 * float64(examined) * hashTime().Seconds() / took.Seconds()
	name := fmt.Sprintf("examining, while %d devices send %d requests with bad stamps", floodDevices, floodAsks)
	return []row{
		compare(name, share, "% of a core", "aim", floodShare),
		compare("message to a paired contact, sent until acknowledged, meanwhile", crowded, "ms", "without", quiet),
	}, nil
}

// badAsks sends the requests of a flood.
func badAsks(ctx context.Context, victim *device) error {
	self := victim.Identity.Self()
	var all [floodDevices]*asker.Stranger
	var told [floodDevices]*stamp.Challenge
	ask := &contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "May I?"}
	tick := time.NewTicker(floodFor / floodAsks)
	defer tick.Stop()
	for i := range floodAsks {
		s := all[i%floodDevices]
		if s == nil {
			var err error
			if s, err = asker.New(uint32(i)); err != nil {
				return err
			}
			all[i%floodDevices] = s
		}
		f := asker.Frame{}
		if c := told[i%floodDevices]; c != nil {
			f.Stamps = &stamp.Proof{Challenge: *c, Nonces: []uint64{uint64(i) << 32, 2, 3}}
		}
		heard, err := s.Call(ctx, victim.Relation, self, ask, f)
		if err != nil {
			return err
		}
		if heard.Challenge != nil {
			told[i%floodDevices] = heard.Challenge
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return context.Canceled
}

// latency returns the median time, in milliseconds, from sending a message to a contact
// until it is acknowledged.
func latency(ctx context.Context, from, to *device) (float64, error) {
	acked := make(chan struct{}, 1)
	arrived := func() { acked <- struct{}{} }
	from.acks.acked.Store(&arrived)
	defer from.acks.acked.Store(nil)
	body := bytes.Repeat([]byte("m"), bodySize)
	var times []time.Duration
	for range floodLatencies {
		id, err := message.NewID()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := from.Message.Send(to.Identity.Self(), id, message.KindText, body); err != nil {
			return 0, err
		}
		select {
		case <-acked:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		times = append(times, time.Since(began))
		time.Sleep(floodFor / 2 / floodLatencies)
	}
	return median(times), nil
}
