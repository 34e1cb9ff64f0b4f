package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/store"
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

func newDevice(path, listen string) (*device, error) {
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
	})
	if err == nil {
		d.Node, err = node.New(node.Config{DB: db, Identity: id, Transport: d.net})
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

// couple makes two devices that are paired.
func couple(ctx context.Context, dir string) (ana, bob *device, err error) {
	if ana, err = newDevice(dir+"-a", loopback); err != nil {
		return nil, nil, err
	}
	if bob, err = newDevice(dir+"-b", loopback); err != nil {
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
// beside them the same bytes through nothing but bbolt and a stream.
func (b *bench) durable(ctx context.Context) ([]row, error) {
	var rows []row
	for _, flight := range []struct {
		many int
		aim  float64
	}{{1, 650}, {64, 10_000}, {512, 25_000}} {
		var ours, floor []float64
		for i := range b.runs {
			dir := filepath.Join(b.dir, fmt.Sprintf("durable-%d-%d", flight.many, i))
			rate, err := featureRate(ctx, dir, flight.many)
			if err != nil {
				return nil, err
			}
			ours = append(ours, rate)
			if rate, err = bareRate(ctx, dir+"-bare", flight.many); err != nil {
				return nil, err
			}
			floor = append(floor, rate)
		}
		name := fmt.Sprintf("durable messages of 1 KiB, %d in flight", flight.many)
		rows = append(rows,
			compare(name, middle(ours), "/s", "bare bbolt and stream", middle(floor)),
			compare(name, middle(ours), "/s", "aim", flight.aim))
	}
	return rows, nil
}

// featureRate returns the messages a second between two devices.
func featureRate(ctx context.Context, dir string, many int) (float64, error) {
	ana, bob, err := couple(ctx, dir)
	if err != nil {
		return 0, err
	}
	tokens := make(chan struct{}, many)
	for range many {
		tokens <- struct{}{}
	}
	following, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	var mu sync.Mutex
	var failure error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if failure == nil && following.Err() == nil {
			failure = err
		}
	}
	delivered := 0
	work.Go(func() {
		cursor, err := ana.DB.Cursor()
		for err == nil && following.Err() == nil {
			emitted := ana.DB.Emitted()
			var entries []store.Entry
			if entries, err = ana.DB.Events(cursor, 4096); err != nil {
				break
			}
			for _, e := range entries {
				cursor = e.Cursor
				if e.Event.Type == contact.MessageState && e.Event.State == message.Delivered.String() {
					delivered++
					tokens <- struct{}{}
				}
			}
			if len(entries) > 0 {
				continue
			}
			select {
			case <-emitted:
			case <-following.Done():
			}
		}
		if err != nil {
			fail(err)
		}
	})
	body := bytes.Repeat([]byte("m"), bodySize)
	began := time.Now()
	sending, enough := context.WithTimeout(ctx, runLasts)
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
					fail(err)
					return
				}
			}
		})
	}
	callers.Wait()
	took := time.Since(began)
	stop()
	work.Wait()
	return float64(delivered) / took.Seconds(), errors.Join(failure, ana.stop(), bob.stop())
}

// middle is the median.
func middle(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
