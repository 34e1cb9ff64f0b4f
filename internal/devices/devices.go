// Package devices runs real daemons in homes of their own on loopback, for the
// demonstration, the benchmarks, and tests of whole programs. They look for
// nobody on the network: mDNS is off, and they listen on 127.0.0.1 alone.
package devices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// Device is one daemon and its home. Its Client calls the daemon.
type Device struct {
	client.Client
	Name string
	ODID string
	// Started is how long the last Start took until the daemon answered.
	Started time.Duration
	// Log, if set before Start, gets all that the daemon says, at debug level.
	Log io.Writer

	program string
	daemon  *exec.Cmd
	exited  chan struct{} // closed when the daemon is gone
	stderr  bytes.Buffer
}

// New returns a device that program, a contactsd binary, will run in home.
func New(program, home, name string) *Device {
	return &Device{program: program, Name: name, Client: client.Client{Home: home}}
}

// Start runs the daemon, waits until it answers and can be reached, and names it.
func (d *Device) Start(ctx context.Context) error {
	d.stderr.Reset()
	d.daemon = d.command()
	d.daemon.Stderr = &d.stderr
	if d.Log != nil {
		d.daemon.Stdout = d.Log
		d.daemon.Stderr = io.MultiWriter(&d.stderr, d.Log)
	}
	began := time.Now()
	if err := d.daemon.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		d.daemon.Wait()
		close(exited)
	}()
	d.exited = exited
	d.Close() // connections to the daemon before
	err := Until(ctx, d.Name+"'s daemon to answer", func() (bool, error) {
		select {
		case <-exited:
			return false, errors.New("the daemon ended at once")
		default:
		}
		status, err := d.Status(ctx)
		if err != nil {
			return false, nil // not yet; Until says so if it never does
		}
		d.ODID = status.GetOdid()
		return len(status.GetAddresses()) > 0, nil
	})
	if err != nil {
		d.Stop(syscall.SIGKILL)
		return fmt.Errorf("%w\n%s", err, d.stderr.String())
	}
	d.Started = time.Since(began)
	_, err = d.Profile().SetProfile(ctx, &contactsv1.SetProfileRequest{Name: &d.Name})
	return err
}

func (d *Device) command() *exec.Cmd {
	level := "error"
	if d.Log != nil {
		level = "debug"
	}
	cmd := exec.Command(d.program, "--home", d.Home, "--mdns=false", "--log-level="+level,
		"--listen=/ip4/127.0.0.1/udp/0/quic-v1", "--listen=/ip4/127.0.0.1/tcp/0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Refused runs a daemon that must not start, and returns what it said. One that
// still runs when ctx ends is ended, which is an error.
func (d *Device) Refused(ctx context.Context) (said string, err error) {
	cmd := d.command()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return out.String(), nil
	}
	return out.String(), fmt.Errorf("%s's daemon was not refused: %v\n%s", d.Name, err, out.String())
}

// Stop ends the daemon with a signal, if it runs, and waits until it is gone.
func (d *Device) Stop(sig syscall.Signal) {
	if d.daemon == nil {
		return
	}
	d.daemon.Process.Signal(sig)
	<-d.exited
	d.daemon = nil
}

// PID returns the process of the daemon, 0 if none runs.
func (d *Device) PID() int {
	if d.daemon == nil {
		return 0
	}
	return d.daemon.Process.Pid
}

// Status asks the daemon how it is.
func (d *Device) Status(ctx context.Context) (*contactsv1.GetStatusResponse, error) {
	return d.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
}

// Address returns where other devices of this machine reach the daemon, by a
// transport such as "/tcp/" or "/quic-v1".
func (d *Device) Address(ctx context.Context, transport string) (string, error) {
	status, err := d.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, address := range status.GetAddresses() {
		if strings.Contains(address, "/127.0.0.1/") && strings.Contains(address+"/", transport) {
			return address, nil
		}
	}
	return "", fmt.Errorf("no address with %s among %v", transport, status.GetAddresses())
}

// Until asks every millisecond until f says yes, fails, or ctx ends.
func Until(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := f(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// Freeze stops the daemon where it is, until Thaw or Stop with SIGKILL. It
// returns when no thread of it runs any more.
func (d *Device) Freeze(ctx context.Context) error {
	if err := d.daemon.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pid := d.daemon.Process.Pid
	return Until(ctx, d.Name+"'s daemon to stop", func() (bool, error) { return stopped(pid) })
}

// Thaw lets a frozen daemon go on.
func (d *Device) Thaw() error { return d.daemon.Process.Signal(syscall.SIGCONT) }

// stopped reports whether every thread of a process is stopped (proc(5)).
func stopped(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false, err
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		if !strings.HasPrefix(state, "T") {
			return false, nil
		}
	}
	return true, nil
}
