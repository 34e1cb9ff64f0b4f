package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/pflag"

	"contactsd/api/server"
	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/heap"
	"contactsd/internal/home"
	"contactsd/node"
	"contactsd/store"
	"contactsd/transport/p2p"
)

type runOptions struct {
	home   string
	config string
	flags  *pflag.FlagSet
}

// run is the daemon from start to stop.
func run(ctx context.Context, opt runOptions) (err error) {
	defer heap.Floor()()
	h, err := home.Resolve(opt.home)
	if err != nil {
		return err
	}
	path, named := h.Config, false
	if opt.config != "" {
		path, named = opt.config, true
	}
	cfg, err := loadConfig(path, named, opt.flags, os.LookupEnv)
	if err != nil {
		return usageError{err}
	}
	log, err := cfg.logger()
	if err != nil {
		return usageError{err}
	}
	if err := h.Prepare(); err != nil {
		return err
	}
	lock, err := h.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	id, err := openIdentity(h)
	if err != nil {
		return err
	}
	db, err := store.Open(h.Store, store.Options{}, node.Tables()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	p2p.LogTo(log.Handler())
	n, network, err := open(db, id, cfg, log)
	if err != nil {
		return err
	}
	api, err := server.New(server.Config{Node: n, Socket: h.Socket, Store: h.Store, Version: version, Log: log})
	if err != nil {
		return err
	}
	ctl := "contactsctl"
	if opt.home != "" {
		ctl += " --home " + opt.home
	}
	hello := func(ctx context.Context) { greet(ctx, os.Stdout, n, h.Socket, ctl) }
	return serve(ctx, n, api, hello, func(ctx context.Context) {
		if err := network.Rehearse(ctx); err != nil {
			log.Debug("this device does not reach itself", "err", err)
		}
	})
}

// serve runs the device and its API until ctx ends or one of them fails. Once
// both are there it says hello and warms up, so that whoever comes first waits no
// longer than the next.
func serve(ctx context.Context, n *node.Node, api *server.Server, hello, warm func(context.Context)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	var nodeErr, apiErr error
	parts.Go(func() {
		defer stop()
		nodeErr = n.Run(ctx)
	})
	parts.Go(func() {
		defer stop()
		apiErr = api.Run(ctx)
	})
	parts.Go(func() {
		select {
		case <-api.Ready():
		case <-ctx.Done():
			return
		}
		daemon.SdNotify(false, daemon.SdNotifyReady)
		parts.Go(func() {
			warm(ctx)
			runtime.GC() // what starting left behind is not collected while somebody waits
		})
		hello(ctx)
		<-ctx.Done()
		daemon.SdNotify(false, daemon.SdNotifyStopping)
	})
	parts.Wait()
	return errors.Join(nodeErr, apiErr)
}

// open makes the device and listens where it did the last time, so that addresses
// which others know stay good, or anew if something else listens there now.
func open(db *store.DB, id *identity.Identity, cfg config, log *slog.Logger) (*node.Node, *p2p.Transport, error) {
	before, err := node.ListenOn(db, cfg.Listen)
	if err != nil {
		return nil, nil, err
	}
	n, network, err := compose(db, id, cfg.MDNS, before, log)
	if err != nil && !slices.Equal(before, cfg.Listen) {
		log.Warn("can't listen where this device did before, choosing other ports", "err", err)
		n, network, err = compose(db, id, cfg.MDNS, cfg.Listen, log)
	}
	if err != nil {
		return nil, nil, err
	}
	return n, network, node.Listening(db, cfg.Listen, network.ListenAddresses())
}

// compose makes a device, and has its network listen last: whoever connects has
// the device asked from that moment on.
func compose(db *store.DB, id *identity.Identity, mdns bool, on []string, log *slog.Logger) (*node.Node, *p2p.Transport, error) {
	var n *node.Node
	network, err := p2p.New(p2p.Config{
		Identity: id,
		Listen:   on,
		MDNS:     mdns,
		MayDial:  func(peer contact.ODID) bool { return n.Relation.MayDial(peer) },
		Log:      log,
	})
	if err != nil {
		return nil, nil, err
	}
	n, err = node.New(node.Config{DB: db, Identity: id, Transport: network, Neighbourhood: network, Log: log})
	if err != nil {
		return nil, nil, err
	}
	return n, network, network.Listen()
}

// openIdentity loads the device's key, or makes it with a new home. A store
// without its key is an accident that a new key would make worse: contacts would
// see another device.
func openIdentity(h home.Home) (*identity.Identity, error) {
	_, err := os.Stat(h.Key)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(h.Store); err == nil {
			return nil, hinted{
				fmt.Errorf("%s is missing, though %s is there", h.Key, h.Store),
				"restore the key from a backup; a new one would make this another device",
			}
		}
	}
	return identity.LoadOrCreate(h.Key)
}
