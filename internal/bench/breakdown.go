package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"contactsd/pairing"
	"contactsd/store"
	"contactsd/transport"
)

// breakdown says where the time of a pairing goes: reaching a device of which
// only the address is known, and from there until both name the pairing. The
// devices are fresh, in this process, and have rehearsed as the daemon does. Six
// commits follow upon each other, so what one takes on this disk is the measure.
func (b *bench) breakdown(ctx context.Context) ([]row, error) {
	commit, err := b.commit()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, way := range []struct{ name, listen string }{
		{"QUIC", "/ip4/127.0.0.1/udp/0/quic-v1"},
		{"TCP", loopback},
	} {
		var reach, dial, session []time.Duration
		for i := range b.runs {
			t, err := apart(ctx, filepath.Join(b.dir, fmt.Sprintf("apart-%s-%d", way.name, i)), way.listen)
			if err != nil {
				return nil, err
			}
			reach, dial, session = append(reach, t[0]), append(dial, t[1]), append(session, t[2])
		}
		rows = append(rows,
			compare("of a pairing: who is there, and a connection, "+way.name, median(reach), "ms", "a connection alone", median(dial)),
			compare("of a pairing: session and statements, "+way.name, median(session), "ms", "six commits", 6*commit))
	}
	return rows, nil
}

// apart pairs two devices and returns how long it took to reach one by its
// address, to reach it again when it was known, and to pair over that connection.
func apart(ctx context.Context, dir, listen string) (took [3]time.Duration, err error) {
	ana, err := newDevice(dir+"-a", listen)
	if err != nil {
		return took, err
	}
	defer func() { err = errors.Join(err, ana.stop()) }()
	bob, err := newDevice(dir+"-b", listen)
	if err != nil {
		return took, err
	}
	defer func() { err = errors.Join(err, bob.stop()) }()
	for _, d := range []*device{ana, bob} {
		if err := d.net.Rehearse(ctx); err != nil {
			return took, err
		}
	}
	at := ana.net.Own()[0]
	began := time.Now()
	peer, err := bob.net.Resolve(ctx, at)
	if err != nil {
		return took, err
	}
	took[0] = time.Since(began)

	other, err := newDevice(dir+"-c", listen)
	if err != nil {
		return took, err
	}
	defer func() { err = errors.Join(err, other.stop()) }()
	if err := other.net.Rehearse(ctx); err != nil {
		return took, err
	}
	began = time.Now()
	if err := other.net.Dial(ctx, peer, at); err != nil {
		return took, err
	}
	took[1] = time.Since(began)

	code, hide := showing(ctx, ana)
	defer hide()
	began = time.Now()
	if _, err := bob.Pairing.Enter(ctx, <-code, pairing.EnterOptions{At: peer, Address: at}); err != nil {
		return took, err
	}
	took[2] = time.Since(began)
	return took, nil
}

// showing opens a window and hands out its codes.
func showing(ctx context.Context, d *device) (codes chan string, hide context.CancelFunc) {
	codes = make(chan string, 8)
	ctx, hide = context.WithCancel(ctx)
	go d.Pairing.Show(ctx, pairing.ShowOptions{}, func(s pairing.Shown) { codes <- s.Digits })
	return codes, hide
}

// commit returns the median of a durable transaction that writes one record.
func (b *bench) commit() (ms float64, err error) {
	table := store.NewTable[transport.Address]("bench", 1)
	db, err := store.Open(filepath.Join(b.dir, "commit"), store.Options{}, table)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var times []time.Duration
	for i := range 20 * b.runs {
		began := time.Now()
		err := db.Update(func(tx *store.Tx) error { return table.Put(tx, store.Uint64(uint64(i)), "a record") })
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	return median(times), nil
}
