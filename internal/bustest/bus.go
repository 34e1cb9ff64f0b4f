// Package bustest is a desktop for tests and benchmarks: a bus of its own, a panel
// that takes icons, a notification server, and what says whether somebody is there.
// Nothing of it is on the bus of the machine.
package bustest

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// program is of the Debian package dbus-daemon.
const program = "dbus-daemon"

// ErrNoProgram says that there is no dbus-daemon on this machine.
var ErrNoProgram = errors.New("dbus-daemon is missing: install the package dbus-daemon")

// Bus is a bus that lasts until Stop.
type Bus struct {
	Address string

	daemon *exec.Cmd
	ended  chan struct{}
}

// config has no folders of services: nobody is started on this bus.
const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// Start runs a bus whose files are in dir, which should have a short path: it
// holds a socket.
func Start(ctx context.Context, dir string) (*Bus, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, ErrNoProgram
	}
	var socket strings.Builder
	if err := xml.EscapeText(&socket, []byte(filepath.Join(dir, "bus"))); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, config, socket.String()), 0o600); err != nil {
		return nil, err
	}
	b := &Bus{ended: make(chan struct{})}
	b.daemon = exec.Command(path, "--nofork", "--nopidfile", "--print-address", "--config-file="+conf)
	b.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	b.daemon.Stderr = io.Discard
	out, err := b.daemon.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.daemon.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { b.daemon.Process.Kill() })
	address, err := bufio.NewReader(out).ReadString('\n')
	stop()
	go func() {
		b.daemon.Wait()
		close(b.ended)
	}()
	if err != nil {
		b.Stop()
		return nil, fmt.Errorf("start a bus: %w", err)
	}
	b.Address = strings.TrimSpace(address)
	return b, nil
}

// Stop ends the bus.
func (b *Bus) Stop() {
	b.daemon.Process.Kill()
	<-b.ended
}

// Connect returns a connection of somebody on the bus.
func (b *Bus) Connect() (*dbus.Conn, error) {
	return dbus.Connect(b.Address, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
}

// serve puts v on the bus as an interface of a name that it takes.
func (b *Bus) serve(name string, path dbus.ObjectPath, parts map[string]any) (*dbus.Conn, error) {
	conn, err := b.Connect()
	if err != nil {
		return nil, err
	}
	for of, v := range parts {
		if err := conn.Export(v, path, of); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		return nil, errors.Join(fmt.Errorf("somebody has the name %s", name), err, conn.Close())
	}
	return conn, nil
}
