package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"contactsd/desktop"
	"contactsd/desktop/bus"
	"contactsd/internal/browse"
	"contactsd/internal/home"
)

// heapTarget is how much garbage may lie about beside what is used, in percent: the
// tray does little, and memory is what it costs.
const heapTarget = 50

// run shows the tray until the user quits, ctx ends, or nobody could see it.
func run(ctx context.Context, opt options) error {
	debug.SetGCPercent(heapTarget)
	defer opt.client.Close()
	socket := opt.client.Socket
	if socket == "" {
		h, err := home.Resolve(opt.client.Home)
		if err != nil {
			return err
		}
		socket = h.Socket
	}
	address, err := bus.SessionAddress(os.Getenv)
	if err != nil {
		return err
	}
	session, err := bus.Open(ctx, bus.Config{
		Address: address, Name: nameOf(socket), Wait: opt.wait,
		Taken: "a tray for this home runs already",
	})
	if err != nil {
		return err
	}
	defer session.Close()
	seat := bus.OpenSeat(ctx, session, bus.SystemAddress(os.Getenv))
	defer seat.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	tray, err := desktop.New(desktop.Config{Client: opt.client, Screen: session, Seat: seat, Open: browse.Open, Log: log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	seen := make(chan error, 1)
	var heard sync.WaitGroup
	heard.Go(func() { seat.Run(ctx) })
	heard.Go(func() {
		defer stop()
		seen <- session.Run(ctx)
	})
	err = tray.Run(ctx)
	stop()
	heard.Wait()
	// The session's end is why the tray can't be seen any more.
	if gone := <-seen; gone != nil {
		return gone
	}
	if errors.Is(err, desktop.ErrQuit) {
		return nil
	}
	return err
}

// nameOf is the name on the bus that the tray of one daemon alone may have. Names
// have few characters, so the socket's path is hashed.
func nameOf(socket string) string {
	sum := sha256.Sum256([]byte(socket))
	return "org.contactsd.Tray.h" + hex.EncodeToString(sum[:8])
}
