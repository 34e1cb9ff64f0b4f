package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

// bareProtocol carries numbered bodies one way and the last durable number back.
const bareProtocol transport.Protocol = "/contacts/bench/1"

var bareBucket = []byte("bench")

// barer is one end of the prototype: a bbolt file and a transport, nothing else.
type barer struct {
	db   *bbolt.DB
	id   *identity.Identity
	net  *p2p.Transport
	stop func() error
}

func newBarer(path string) (*barer, error) {
	id, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return nil, err
	}
	net, err := p2p.New(p2p.Config{Identity: id, Listen: []string{loopback}, MayDial: func(contact.ODID) bool { return true }})
	if err == nil {
		err = net.Listen()
	}
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bareBucket); return err })
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- net.Run(ctx) }()
	return &barer{db: db, id: id, net: net, stop: func() error {
		cancel()
		return errors.Join(<-ended, db.Close())
	}}, nil
}

// put commits bodies first, first+1, … in one transaction and deletes those before done.
func (b *barer) put(first uint64, bodies [][]byte, from, done uint64) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bareBucket)
		for i, body := range bodies {
			if err := bucket.Put(binary.BigEndian.AppendUint64(nil, first+uint64(i)), body); err != nil {
				return err
			}
		}
		for n := from; n < done; n++ {
			if err := bucket.Delete(binary.BigEndian.AppendUint64(nil, n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// receive commits what has come while the commit before ran, and says how far it is.
func (b *barer) receive(_ context.Context, st transport.Stream) {
	defer st.Reset()
	bodies := make(chan []byte, 1024)
	go func() {
		defer close(bodies)
		r := bufio.NewReaderSize(st, 64<<10)
		for {
			body := make([]byte, bodySize)
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			bodies <- body
		}
	}()
	next := uint64(1)
	for body := range bodies {
		batch := [][]byte{body}
		for len(bodies) > 0 && len(batch) < 512 {
			batch = append(batch, <-bodies)
		}
		if b.put(next, batch, 0, 0) != nil {
			return
		}
		next += uint64(len(batch))
		if _, err := st.Write(binary.BigEndian.AppendUint64(nil, next)); err != nil {
			return
		}
	}
}

// bareRate returns the messages a second that the prototype moves: each is
// committed, sent, committed by the receiver and acknowledged before its place in
// flight is taken by another; what was acknowledged is deleted with a later commit.
func bareRate(ctx context.Context, dir string, many int) (rate float64, err error) {
	ana, err := newBarer(dir + "-a")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ana.stop()) }()
	bob, err := newBarer(dir + "-b")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, bob.stop()) }()
	bob.net.Serve(bareProtocol, bob.receive)
	if err := ana.net.Dial(ctx, bob.id.Self(), bob.net.Own()...); err != nil {
		return 0, err
	}
	st, err := ana.net.Open(ctx, bob.id.Self(), bareProtocol)
	if err != nil {
		return 0, err
	}
	defer st.Reset()

	var mu sync.Mutex
	acked := uint64(1)
	news := make(chan struct{}, 1)
	go func() {
		for {
			var next [8]byte
			if _, err := io.ReadFull(st, next[:]); err != nil {
				return
			}
			mu.Lock()
			acked = binary.BigEndian.Uint64(next[:])
			mu.Unlock()
			select {
			case news <- struct{}{}:
			default:
			}
		}
	}()
	body := make([]byte, bodySize)
	w := bufio.NewWriterSize(st, 64<<10)
	next, deleted := uint64(1), uint64(1)
	began := time.Now()
	for time.Since(began) < runLasts {
		mu.Lock()
		done := acked
		mu.Unlock()
		free := many - int(next-done)
		if free == 0 {
			select {
			case <-news:
				continue
			case <-time.After(runLasts):
				return 0, errors.New("the bare prototype hangs")
			}
		}
		bodies := make([][]byte, free)
		for i := range bodies {
			bodies[i] = body
		}
		if err := ana.put(next, bodies, deleted, done); err != nil {
			return 0, err
		}
		deleted = done
		for _, body := range bodies {
			if _, err := w.Write(body); err != nil {
				return 0, err
			}
		}
		if err := w.Flush(); err != nil {
			return 0, err
		}
		next += uint64(free)
	}
	mu.Lock()
	defer mu.Unlock()
	return float64(acked-1) / time.Since(began).Seconds(), nil
}
