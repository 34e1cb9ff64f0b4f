package bus

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Missing says what of the desktop is not there, and what to do.
type Missing struct {
	What string
	Hint string
}

func (m *Missing) Error() string { return m.What }

// SessionAddress returns where the session bus of the environment is: what
// DBUS_SESSION_BUS_ADDRESS says, else the socket that systemd makes for each user.
// *Missing if there is none.
func SessionAddress(env func(string) string) (string, error) {
	if address := env("DBUS_SESSION_BUS_ADDRESS"); address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address, nil
	}
	if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		path := filepath.Join(dir, "bus")
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			return "unix:path=" + dbus.EscapeBusAddressValue(path), nil
		}
	}
	return "", &Missing{
		"there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set",
		"start the tray from within a desktop session; without one, contactsctl open shows the page",
	}
}

// SystemAddress returns where the system bus is.
func SystemAddress(env func(string) string) string {
	if address := env("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/var/run/dbus/system_bus_socket"
}

// dial connects to a bus. *Missing if nothing answers there.
func dial(address string) (*dbus.Conn, error) {
	// Signals in their order, and none dropped: an action may come right before the
	// end of its notification.
	conn, err := dbus.Connect(address, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, &Missing{fmt.Sprintf("the bus at %s does not answer: %v", address, err), "start the tray from within a desktop session"}
	}
	return conn, nil
}
