// Package home knows where a device keeps its files, and that one daemon at a
// time may use them.
//
//	            --home H, $CONTACTSD_HOME      otherwise
//	state       H                              $XDG_STATE_HOME/contactsd
//	store       H/contacts.db                  state/contacts.db (and contacts.db-wal)
//	key         H/device.key                   state/device.key
//	lock        H/lock                         state/lock
//	config      H/config.toml                  $XDG_CONFIG_HOME/contactsd/config.toml
//	socket      H/contactsd.sock               $XDG_RUNTIME_DIR/contactsd/contactsd.sock,
//	                                           else state/contactsd.sock
//	files       H/files                        the user's folder for downloads,
//	                                           else state/files
//	spool       H/outgoing                     state/outgoing
//
// Two homes never share a file.
package home

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/adrg/xdg"
)

// Env names the variable that stands in for --home.
const Env = "CONTACTSD_HOME"

const (
	program    = "contactsd"
	socketName = "contactsd.sock"
)

// MaxSocketPath is how many bytes the path of a unix socket may have: 108 with
// the zero that ends it (unix(7)).
const MaxSocketPath = 107

// Home is the set of a device's paths, all absolute.
type Home struct {
	State  string // the directory of what follows, unless said otherwise
	Store  string
	Key    string
	Lock   string
	Config string
	Socket string
	Files  string // received files
	Spool  string // copies of what a browser sends
}

// Errors of this package.
var (
	ErrSocketPath = errors.New("socket path too long")
	ErrUnsafe     = errors.New("unsafe directory")
	ErrInUse      = errors.New("home in use")
)

// Resolve returns the paths of the home that flag names, or if it is empty the
// environment, or else XDG. It touches nothing. ErrSocketPath if the socket
// could not be bound.
func Resolve(flag string) (Home, error) {
	if dir := cmp.Or(flag, os.Getenv(Env)); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return Home{}, fmt.Errorf("find home %s: %w", dir, err)
		}
		h := within(abs)
		return h, CheckSocket(h.Socket)
	}
	state, config := xdg.StateHome, xdg.ConfigHome
	if !filepath.IsAbs(state) || !filepath.IsAbs(config) {
		return Home{}, fmt.Errorf("find home: neither HOME nor %s is set", Env)
	}
	h := within(filepath.Join(state, program))
	h.Config = filepath.Join(config, program, "config.toml")
	if filepath.IsAbs(xdg.UserDirs.Download) {
		h.Files = xdg.UserDirs.Download
	}
	// XDG has no default for this one: without it the socket lies with the state.
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		h.Socket = filepath.Join(run, program, socketName)
	}
	return h, CheckSocket(h.Socket)
}

func within(dir string) Home {
	return Home{
		State:  dir,
		Store:  filepath.Join(dir, "contacts.db"),
		Key:    filepath.Join(dir, "device.key"),
		Lock:   filepath.Join(dir, "lock"),
		Config: filepath.Join(dir, "config.toml"),
		Socket: filepath.Join(dir, socketName),
		Files:  filepath.Join(dir, "files"),
		Spool:  filepath.Join(dir, "outgoing"),
	}
}

// CheckSocket returns ErrSocketPath for a path that no unix socket can have.
func CheckSocket(path string) error {
	if len(path) > MaxSocketPath {
		return fmt.Errorf("%w: %s has %d bytes, at most %d; use a shorter --home or --socket", ErrSocketPath, path, len(path), MaxSocketPath)
	}
	return nil
}

// Prepare makes the directories of state and socket with mode 0700 where they
// are missing. ErrUnsafe if one belongs to somebody else or others can write it.
func (h Home) Prepare() error {
	for _, dir := range []string{h.State, filepath.Dir(h.Socket)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("prepare home: %w", err)
		}
		if err := checkDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("prepare home: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%w: others can write %s (mode %04o); run: chmod 700 %s", ErrUnsafe, dir, mode, dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d, not to you; use another --home", ErrUnsafe, dir, st.Uid)
	}
	return nil
}
