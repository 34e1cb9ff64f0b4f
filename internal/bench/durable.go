package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/message"
	"contactsd/store"
)

// How the durable messages are measured.
const (
	bodySize = 1 << 10
	runLasts = 1500 * time.Millisecond
)

// flight is how many messages are under way at once, and the aim of that.
type flight struct {
	many int
	aim  float64
}

func flights() []flight { return []flight{{1, 650}, {64, 10_000}, {512, 25_000}} }

// upon says when another message may be sent.
type upon int

const (
	uponAck   upon = iota // when the sender has the acknowledgement
	uponEvent             // when the sender's store has it
)

// durable measures messages of 1 KiB that are on the sender's disk before Send
// returns and on the receiver's before it acknowledges, at so many in flight, and
// beside them the same bytes through nothing but bbolt and a stream. In both the
// next message goes when one was acknowledged; or else, as programs see it that
// follow the events, when it is written down that it was.
func (b *bench) durable(ctx context.Context) ([]row, error) {
	var rows []row
	for _, flight := range flights() {
		var ours, told, floor []float64
		for i := range b.runs {
			dir := filepath.Join(b.dir, fmt.Sprintf("durable-%d-%d", flight.many, i))
			rate, err := featureRate(ctx, dir+"-acks", flight.many, uponAck)
			if err != nil {
				return nil, err
			}
			ours = append(ours, rate)
			if rate, err = featureRate(ctx, dir+"-events", flight.many, uponEvent); err != nil {
				return nil, err
			}
			told = append(told, rate)
			if rate, err = bareRate(ctx, dir+"-bare", flight.many); err != nil {
				return nil, err
			}
			floor = append(floor, rate)
		}
		name := fmt.Sprintf("durable messages of 1 KiB, %d in flight", flight.many)
		rows = append(rows,
			compare(name, middle(ours), "/s", "bare bbolt and stream", middle(floor)),
			compare(name, middle(ours), "/s", "aim", flight.aim),
			compare(name+", by events", middle(told), "/s", "bare bbolt and stream", middle(floor)))
	}
	return rows, nil
}

// featureRate returns the messages a second between two new devices.
func featureRate(ctx context.Context, dir string, many int, next upon) (float64, error) {
	ana, bob, err := couple(ctx, dir)
	if err != nil {
		return 0, err
	}
	rate, err := rateBetween(ctx, ana, bob, many, next)
	return rate, errors.Join(err, ana.stop(), bob.stop())
}

// rateBetween returns the messages a second from one device to the other.
func rateBetween(ctx context.Context, ana, bob *device, many int, next upon) (float64, error) {
	tokens := make(chan struct{}, 2*many)
	for range many {
		tokens <- struct{}{}
	}
	var delivered atomic.Int64
	arrived := func() {
		delivered.Add(1)
		tokens <- struct{}{}
	}
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	if next == uponEvent {
		work.Go(func() { stop(follow(following, ana.DB, arrived)) })
	} else {
		ana.acks.acked.Store(&arrived)
		defer ana.acks.acked.Store(nil)
	}
	body := bytes.Repeat([]byte("m"), bodySize)
	began := time.Now()
	sending, enough := context.WithTimeout(following, runLasts)
	defer enough()
	var callers sync.WaitGroup
	for range min(many, 512) {
		callers.Go(func() {
			for {
				select {
				case <-tokens:
				case <-sending.Done():
					return
				}
				id, err := message.NewID()
				if err == nil {
					_, err = ana.Message.Send(bob.Identity.Self(), id, message.KindText, body)
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	callers.Wait()
	took := time.Since(began)
	n := delivered.Load()
	stop(nil)
	work.Wait()
	if err := context.Cause(following); !errors.Is(err, context.Canceled) {
		return 0, err
	}
	return float64(n) / took.Seconds(), nil
}

// follow calls arrived for each message that an event calls delivered, until ctx ends.
func follow(ctx context.Context, db *store.DB, arrived func()) error {
	cursor, err := db.Cursor()
	if err != nil {
		return err
	}
	for {
		emitted := db.Emitted()
		entries, err := db.Events(cursor, 4096)
		if err != nil {
			return err
		}
		for _, e := range entries {
			cursor = e.Cursor
			if e.Event.Type == contact.MessageState && e.Event.State == message.Delivered.String() {
				arrived()
			}
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-emitted:
		case <-ctx.Done():
			return nil
		}
	}
}

// middle is the median.
func middle(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
