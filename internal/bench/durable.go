package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

// How the durable messages are measured.
const (
	bodySize = 1 << 10
	runLasts = 1500 * time.Millisecond
	loopback = "/ip4/127.0.0.1/tcp/0"
)

// device is a whole node in this process, on a store that syncs, over TCP on
// loopback: what the daemon is without its API.
type device struct {
	*node.Node
	net  *p2p.Transport
	stop func() error
}

func newDevice(path, listen string, log slog.Handler) (*device, error) {
	id, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(path, store.Options{}, node.Tables()...)
	if err != nil {
		return nil, err
	}
	d := &device{}
	d.net, err = p2p.New(p2p.Config{
		Identity: id, Listen: []string{listen},
		MayDial: func(peer contact.ODID) bool { return d.Relation.MayDial(peer) },
		Where:   func(peer contact.ODID) []transport.Address { return d.Relation.Where(peer) },
	})
	if err == nil {
		d.Node, err = node.New(node.Config{DB: db, Identity: id, Transport: d.net, Log: slog.New(log)})
	}
	if err == nil {
		err = d.net.Listen()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	d.stop = func() error {
		cancel()
		return errors.Join(<-ended, db.Close())
	}
	return d, nil
}

// couple makes two devices that are paired, of which the first logs.
func couple(ctx context.Context, dir string, log slog.Handler) (ana, bob *device, err error) {
	if ana, err = newDevice(dir+"-a", loopback, log); err != nil {
		return nil, nil, err
	}
	if bob, err = newDevice(dir+"-b", loopback, slog.DiscardHandler); err != nil {
		return nil, nil, errors.Join(err, ana.stop())
	}
	code, hide := showing(ctx, ana)
	defer hide()
	_, err = bob.Pairing.Enter(ctx, <-code, pairing.EnterOptions{Address: ana.net.Own()[0]})
	if err != nil {
		return nil, nil, errors.Join(err, ana.stop(), bob.stop())
	}
	return ana, bob, nil
}

// durable measures messages of 1 KiB that are on the sender's disk before Send
// returns and on the receiver's before it acknowledges, at so many in flight, and
// beside them the same bytes through nothing but bbolt and a stream. In both the
// next message goes when one was acknowledged; or else, as programs see it that
// follow the events, when it is written down that it was.
func (b *bench) durable(ctx context.Context) ([]row, error) {
	var rows []row
	for _, flight := range []struct {
		many int
		aim  float64
	}{{1, 650}, {64, 10_000}, {512, 25_000}} {
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

// upon says when another message may be sent.
type upon int

const (
	uponAck   upon = iota // when the sender has the acknowledgement
	uponEvent             // when the sender's store has it
)

// ackLog is the log of a device, of which it takes acknowledgements.
type ackLog struct {
	slog.Handler
	acked func()
}

func (ackLog) Enabled(context.Context, slog.Level) bool { return true }

func (l ackLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == message.LogAcknowledged {
		l.acked()
	}
	return nil
}

// featureRate returns the messages a second between two devices.
func featureRate(ctx context.Context, dir string, many int, next upon) (rate float64, err error) {
	tokens := make(chan struct{}, many)
	for range many {
		tokens <- struct{}{}
	}
	var delivered atomic.Int64
	arrived := func() {
		delivered.Add(1)
		tokens <- struct{}{}
	}
	var log slog.Handler = slog.DiscardHandler
	if next == uponAck {
		log = ackLog{log, arrived}
	}
	ana, bob, err := couple(ctx, dir, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ana.stop(), bob.stop()) }()
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	if next == uponEvent {
		work.Go(func() { stop(follow(following, ana.DB, arrived)) })
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
