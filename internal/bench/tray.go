package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/bustest"
	"contactsd/internal/devices"
)

// tray measures the tray on a bus of its own: from a message that is sent until the
// notification server has the notification of it, beside the limit and beside the
// message alone, and the memory of a tray that has told some.
func (b *bench) tray(ctx context.Context) (rows []row, err error) {
	ana, bob, stop, err := b.pair(ctx, "tray")
	if err != nil {
		return nil, err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "bus") // a short path: it holds a socket
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bus, err := bustest.Start(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer bus.Stop()
	panel, err := bus.Panel(true)
	if err != nil {
		return nil, err
	}
	defer panel.Close()
	server, err := bus.Server("actions", "body-markup")
	if err != nil {
		return nil, err
	}
	defer server.Close()
	program := exec.CommandContext(ctx, b.program("contacts-tray"), "--home", ana.Home)
	program.Env = []string{"DBUS_SESSION_BUS_ADDRESS=" + bus.Address, "DBUS_SYSTEM_BUS_ADDRESS=" + bus.Address, "PATH=" + os.Getenv("PATH")}
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := program.Start(); err != nil {
		return nil, err
	}
	defer program.Wait()
	defer program.Process.Signal(syscall.SIGTERM)
	err = devices.Until(ctx, "the tray to know the daemon", func() (bool, error) {
		tip, err := panel.ToolTip(ctx)
		return err == nil && tip == "Ana, online", nil
	})
	if err != nil {
		return nil, err
	}
	if err := meet(ctx, ana, bob); err != nil {
		return nil, err
	}
	if _, err := noticed(ctx, server); err != nil { // of the pairing
		return nil, err
	}
	var told, alone []time.Duration
	for range min(b.runs, trayRuns) {
		toTell, toArrive, err := tellOnce(ctx, ana, bob, server)
		if err != nil {
			return nil, err
		}
		told, alone = append(told, toTell), append(alone, toArrive)
	}
	pages, err := resident(program.Process.Pid)
	if err != nil {
		return nil, err
	}
	return []row{
		compare("message sent until the notification server has the notice", median(told), "ms", "limit", 200),
		compare("message sent until the notification server has the notice", median(told), "ms", "until the event of it", median(alone)),
		compare("memory of the tray (VmRSS)", pages, "MB", "limit", 25),
	}, nil
}

// trayRuns is how many notices the tray shows at once, the pairing's aside: it holds
// back more.
const trayRuns = 4

// meet pairs two devices.
func meet(ctx context.Context, shows, enters *devices.Device) error {
	digits, err := code(ctx, shows)
	if err != nil {
		return err
	}
	at, err := shows.Address(ctx, "/quic-v1/")
	if err != nil {
		return err
	}
	_, err = enters.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: digits, At: at})
	return err
}

// noticed waits for a notification.
func noticed(ctx context.Context, server *bustest.Server) (bustest.Notice, error) {
	select {
	case n := <-server.Came():
		return n, nil
	case <-ctx.Done():
		return bustest.Notice{}, ctx.Err()
	}
}

// tellOnce sends a message to ana and returns how long it took until the event of it,
// and until the notice.
func tellOnce(ctx context.Context, ana, bob *devices.Device, server *bustest.Server) (told, arrived time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	events, err := ana.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		return 0, 0, err
	}
	defer events.Close()
	if !events.Receive() {
		return 0, 0, fmt.Errorf("no events: %w", events.Err())
	}
	came := make(chan time.Time, 1)
	began := time.Now()
	go func() {
		for events.Receive() {
			if events.Msg().Event.GetType() == "message.received" {
				came <- time.Now()
				return
			}
		}
	}()
	if _, err := bob.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: ana.ODID, Text: "hello"}); err != nil {
		return 0, 0, err
	}
	if _, err := noticed(ctx, server); err != nil {
		return 0, 0, err
	}
	told = time.Since(began)
	select {
	case at := <-came:
		return told, at.Sub(began), nil
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// resident returns the memory of a process that is in RAM, files of its program
// included, in MB (proc_pid_statm(5)).
func resident(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		return 0, err
	}
	return float64(pages*os.Getpagesize()) / 1e6, nil
}
