package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/internal/devices"
	"contactsd/message"
	"contactsd/store"
)

// backlog measures durable messages between two devices of which one once had
// many waiting for the other, beside two of which neither had.
func (b *bench) backlog(ctx context.Context) ([]row, error) {
	ana, bob, err := couple(ctx, b.path("before"))
	if err != nil {
		return nil, err
	}
	ana, bob, err = b.drain(ctx, ana, bob)
	if err != nil {
		return nil, err
	}
	cleo, dora, err := couple(ctx, b.path("without"))
	if err != nil {
		return nil, errors.Join(err, ana.stop(), bob.stop())
	}
	var rows []row
	for _, flight := range flights() {
		var after, without []float64
		for range b.runs {
			for _, pair := range []struct {
				from, to *device
				rates    *[]float64
			}{{ana, bob, &after}, {cleo, dora, &without}} {
				rate, pairErr := rateBetween(ctx, pair.from, pair.to, flight.many, uponAck)
				err = errors.Join(err, pairErr, delivered(ctx, pair.from))
				*pair.rates = append(*pair.rates, rate)
			}
		}
		name := fmt.Sprintf("durable messages of 1 KiB, %d in flight, after %s had waited", flight.many, count(b.manyMessages))
		rows = append(rows, compare(name, middle(after), "/s", "without", middle(without)))
	}
	return rows, errors.Join(err, ana.stop(), bob.stop(), cleo.stop(), dora.stop())
}

// drain has messages wait at one device and then delivers them, as many at a time
// as may wait for a contact. It returns the devices as they run afterwards; what is
// written meanwhile is not synced.
func (b *bench) drain(ctx context.Context, ana, bob *device) (*device, *device, error) {
	fast := store.Options{NoSync: true}
	if err := errors.Join(ana.stop(), bob.stop()); err != nil {
		return nil, nil, err
	}
	for left := b.manyMessages; left > 0; left -= message.MaxQueued {
		var err error
		if ana, err = ana.again(fast); err != nil {
			return nil, nil, err
		}
		err = enqueue(ana.Node, []contact.ODID{bob.Identity.Self()}, min(left, message.MaxQueued))
		if err != nil {
			return nil, nil, errors.Join(err, ana.stop())
		}
		if bob, err = bob.again(fast); err != nil {
			return nil, nil, errors.Join(err, ana.stop())
		}
		if err := errors.Join(delivered(ctx, ana), ana.stop(), bob.stop()); err != nil {
			return nil, nil, err
		}
	}
	if err := errors.Join(settled(ana.path), settled(bob.path)); err != nil {
		return nil, nil, err
	}
	a, err := ana.again(store.Options{})
	if err != nil {
		return nil, nil, err
	}
	o, err := bob.again(store.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, a.stop())
	}
	return a, o, devices.Until(ctx, "the devices to connect", func() (bool, error) { return len(a.Network.Connected()) > 0, nil })
}

// delivered waits until nothing waits at a device.
func delivered(ctx context.Context, d *device) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	return devices.Until(ctx, "messages to be delivered", func() (bool, error) {
		n, err := d.Message.Counts()
		return n.Queued == 0, err
	})
}
