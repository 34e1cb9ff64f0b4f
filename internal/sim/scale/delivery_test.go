package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// dialled counts streams that are opened, and has each take as long to fail as a
// dial of the model does.
type dialled struct {
	*memnet.Device
	attempts atomic.Int64
}

func (d *dialled) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	d.attempts.Add(1)
	st, err := d.Device.Open(ctx, peer, p)
	if errors.Is(err, transport.ErrUnreachable) {
		<-ctx.Done()
	}
	return st, err
}

// mailer is a real device with messages and nothing else.
func mailer(t *testing.T, net *memnet.Network, seed byte) (*message.Service, *dialled) {
	t.Helper()
	id, err := identity.FromSeed([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{NoSync: true}, message.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialled{Device: net.Device(id.Self())}
	svc, err := message.New(message.Config{DB: db, Network: d, Relation: friends})
	if err != nil {
		t.Fatal(err)
	}
	d.Serve(message.Protocol, func(ctx context.Context, st transport.Stream) { svc.Handle(ctx, st, contact.Serve) })
	stopNetwork, stopService := background(t, d.Run), background(t, svc.Run)
	t.Cleanup(func() {
		stopService()
		stopNetwork()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return svc, d
}

func write(t *testing.T, s *message.Service, to contact.ODID, body []byte) {
	t.Helper()
	id, err := message.NewID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(to, id, "text", body); err != nil {
		t.Fatal(err)
	}
}

// A message to a contact that is away for a day is tried as often as in the model.
func TestAttemptsAreThoseOfRealDelivery(t *testing.T) {
	var real int64
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{})
		svc, d := mailer(t, net, 1)
		write(t, svc, odidOf(&device{id: 7}), []byte("hello"))
		pass(24 * time.Hour)
		real = d.attempts.Load()
	})
	s := &sender{Errands: Errands{}, rng: smallRand(), sizes: measureSizes(statusText, nil)}
	l := &lane{queue: []time.Duration{0}}
	s.try(l)
	s.run(24 * time.Hour)
	if model := s.result.Attempts; math.Abs(model/float64(real)-1) > 0.1 {
		t.Errorf("%d attempts in a day, %.0f in the model", real, model)
	}
}

// The frames of a delivery are those of the model, byte for byte.
func TestBytesAreThoseOfRealDelivery(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 100)
	written := 0
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		net := memnet.New(memnet.Options{Tap: func(_, _ contact.ODID, _ transport.Protocol, b []byte) bool {
			count.Add(int64(len(b)))
			return true
		}})
		svc, a := mailer(t, net, 1)
		_, b := mailer(t, net, 2)
		if err := a.Dial(t.Context(), b.Self(), memnet.AddressOf(b.Self())); err != nil {
			t.Fatal(err)
		}
		write(t, svc, b.Self(), body)
		pass(time.Minute)
		written = int(count.Load())
	})
	sizes := measureSizes(statusText, nil)
	// The numbers of the model are two bytes longer, those of a sequence that has
	// gone on for a while: one in the message, one in its acknowledgement each.
	if model := sizes.hello + sizes.message(len(body)) + sizes.ack; written < model-8 || written > model {
		t.Errorf("%d bytes for a message, %d in the model", written, model)
	}
}
