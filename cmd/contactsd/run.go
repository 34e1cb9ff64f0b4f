package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/pflag"

	"contactsd/internal/heap"
	"contactsd/internal/home"
	"contactsd/transport/p2p"
)

type runOptions struct {
	home   string
	config string
	flags  *pflag.FlagSet
}

// run is the daemon from start to stop.
func run(ctx context.Context, opt runOptions) (err error) {
	began := time.Now()
	collect := heap.Pause() // nothing that a start makes is garbage for long
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
	p2p.LogTo(log.Handler())
	d, err := start(h, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.db.Close()) }()

	ctl := "contactsctl"
	if opt.home != "" {
		ctl += " --home " + opt.home
	}
	hello := func(ctx context.Context) {
		log.Debug("started", "took", time.Since(began))
		greet(ctx, os.Stdout, d, h.Socket, ctl)
	}
	return serve(ctx, d, hello, func(ctx context.Context) {
		if err := d.network.Rehearse(ctx); err != nil {
			log.Debug("this device does not reach itself", "err", err)
		}
		collect()
	})
}

// warmAfter is how long a device that has started is left to who waited for it.
const warmAfter = 100 * time.Millisecond

// serve runs the device and its API until ctx ends or one of them fails. Once
// both are there it says hello and, a little later, warms up, so that whoever
// comes then waits no longer than the next.
func serve(ctx context.Context, d *device, hello, warm func(context.Context)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	var nodeErr, apiErr, pageErr error
	parts.Go(func() {
		defer stop()
		nodeErr = d.node.Run(ctx)
	})
	parts.Go(func() {
		defer stop()
		apiErr = d.api.Run(ctx)
	})
	if d.page != nil {
		parts.Go(func() {
			defer stop()
			pageErr = d.page.Run(ctx)
		})
	}
	parts.Go(func() {
		select {
		case <-d.api.Ready():
		case <-ctx.Done():
			return
		}
		daemon.SdNotify(false, daemon.SdNotifyReady)
		parts.Go(func() {
			select {
			case <-time.After(warmAfter):
				warm(ctx)
			case <-ctx.Done():
			}
		})
		hello(ctx)
		<-ctx.Done()
		daemon.SdNotify(false, daemon.SdNotifyStopping)
	})
	parts.Wait()
	return errors.Join(nodeErr, apiErr, pageErr)
}
