package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/node"
	"contactsd/pairing"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

// device is a whole node in this process, on a store that syncs, over TCP on
// loopback: what the daemon is without its API.
type device struct {
	*node.Node
	path string // of the store
	net  *p2p.Transport
	acks ackLog
	stop func() error
}

// ackLog is the log of a device, of which it takes that messages were acknowledged.
type ackLog struct {
	slog.Handler
	acked *atomic.Pointer[func()] // called for each, nil to log nothing
}

func (l ackLog) Enabled(context.Context, slog.Level) bool { return l.acked.Load() != nil }

func (l ackLog) Handle(_ context.Context, r slog.Record) error {
	if acked := l.acked.Load(); acked != nil && r.Message == message.LogAcknowledged {
		(*acked)()
	}
	return nil
}

func newDevice(path, listen string) (*device, error) {
	id, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	return openDevice(id, path, listen, store.Options{})
}

// again starts a device that was stopped, where it was.
func (d *device) again(opt store.Options) (*device, error) {
	return openDevice(d.Identity, d.path, d.net.ListenAddresses()[0], opt)
}

func openDevice(id *identity.Identity, path, listen string, opt store.Options) (*device, error) {
	return openDeviceOver(id, path, listen, opt, func(t *p2p.Transport) node.Transport { return t })
}

// openDeviceOver is openDevice that puts something between the node and its network.
func openDeviceOver(id *identity.Identity, path, listen string, opt store.Options, over func(*p2p.Transport) node.Transport) (*device, error) {
	db, err := store.Open(path, opt, node.Tables()...)
	if err != nil {
		return nil, err
	}
	d := &device{path: path, acks: ackLog{slog.DiscardHandler, new(atomic.Pointer[func()])}}
	d.net, err = p2p.New(p2p.Config{
		Identity: id, Listen: []string{listen},
		MayDial: func(peer contact.ODID) bool { return d.Relation.MayDial(peer) },
		Where:   func(peer contact.ODID) []transport.Address { return d.Relation.Where(peer) },
	})
	if err == nil {
		d.Node, err = node.New(node.Config{DB: db, Identity: id, Transport: over(d.net), Log: slog.New(d.acks)})
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
