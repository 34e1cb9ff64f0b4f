package home

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/adrg/xdg"
)

// setenv empties the environment but for these and reads it anew.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{Env, "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, env[name])
	}
	xdg.Reload()
}

func TestResolve(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		flag string
		env  map[string]string
		want Home
	}{
		{"flag before environment", "/h", map[string]string{Env: "/e", "HOME": "/u"}, within("/h")},
		{"relative flag", "h", map[string]string{"HOME": "/u"}, within(filepath.Join(wd, "h"))},
		{"environment before XDG", "", map[string]string{Env: "/e", "HOME": "/u", "XDG_RUNTIME_DIR": "/r"}, within("/e")},
		{"XDG", "", map[string]string{"HOME": "/u", "XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c", "XDG_RUNTIME_DIR": "/r"}, Home{
			State: "/s/contactsd", Store: "/s/contactsd/contacts.db", Key: "/s/contactsd/device.key", Lock: "/s/contactsd/lock",
			Config: "/c/contactsd/config.toml", Socket: "/r/contactsd/contactsd.sock", Files: "/u/Downloads", Spool: "/s/contactsd/outgoing",
		}},
		{"HOME alone", "", map[string]string{"HOME": "/u"}, Home{
			State: "/u/.local/state/contactsd", Store: "/u/.local/state/contactsd/contacts.db",
			Key: "/u/.local/state/contactsd/device.key", Lock: "/u/.local/state/contactsd/lock",
			Config: "/u/.config/contactsd/config.toml", Socket: "/u/.local/state/contactsd/contactsd.sock", Files: "/u/Downloads", Spool: "/u/.local/state/contactsd/outgoing",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			setenv(t, test.env)
			got, err := Resolve(test.flag)
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func TestSocketPathTooLong(t *testing.T) {
	fits := "/" + strings.Repeat("x", MaxSocketPath-len("/"+"/"+socketName))
	if h, err := Resolve(fits); err != nil || len(h.Socket) != MaxSocketPath {
		t.Errorf("%d bytes: %v", len(h.Socket), err)
	}
	_, err := Resolve(fits + "x")
	if !errors.Is(err, ErrSocketPath) || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("got %v", err)
	}
}

func TestPrepareMakesPrivateDirectories(t *testing.T) {
	h := within(filepath.Join(t.TempDir(), "a", "b"))
	h.Socket = filepath.Join(t.TempDir(), "run", socketName)
	for range 2 {
		if err := h.Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{h.State, filepath.Dir(h.Socket)} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestPrepareRefusesWhatOthersCanWrite(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o707, 0o777 | os.ModeSticky} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := within(dir).Prepare(); !errors.Is(err, ErrUnsafe) {
			t.Errorf("state %v: %v", mode, err)
		}
		h := within(t.TempDir())
		h.Socket = filepath.Join(dir, socketName)
		if err := h.Prepare(); !errors.Is(err, ErrUnsafe) {
			t.Errorf("socket %v: %v", mode, err)
		}
	}
}

func TestOneDaemonAHome(t *testing.T) {
	h := within(t.TempDir())
	first, err := h.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Acquire()
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second: %v", err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := h.Acquire()
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again.Release()
}
