package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// config is what starts the daemon. Settings that users change while it runs
// live in its store.
type config struct {
	Listen   []string `toml:"listen"`    // multiaddrs; port 0 chooses one and keeps it
	MDNS     bool     `toml:"mdns"`      // find devices of the same LAN
	Page     string   `toml:"page"`      // 127.0.0.1:PORT, auto for a port of its own, off
	LogLevel string   `toml:"log_level"` // debug, info, warn, error
}

func defaults() config {
	c := config{
		Listen:   []string{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"},
		MDNS:     true,
		Page:     pageAuto,
		LogLevel: "info",
	}
	if hasIPv6() {
		c.Listen = append(c.Listen, "/ip6/::/udp/0/quic-v1", "/ip6/::/tcp/0")
	}
	return c
}

// hasIPv6 tries: a kernel can have it and refuse it.
func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Addr: [16]byte(net.IPv6loopback)}) == nil
}

// loadConfig reads the file at path over the defaults, the environment over the
// file, and flags over both. A missing file is fine unless it was named; a key
// that nobody knows is an error, for it is a mistyped one.
func loadConfig(path string, named bool, flags *pflag.FlagSet, env func(string) (string, bool)) (config, error) {
	c := defaults()
	meta, err := toml.DecodeFile(path, &c)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case errors.As(err, new(*fs.PathError)):
		return c, fmt.Errorf("configuration: %w", err)
	case err != nil:
		return c, fmt.Errorf("configuration %s: %w", path, err)
	case len(meta.Undecoded()) > 0:
		return c, hinted{fmt.Errorf("configuration %s: unknown key %q", path, meta.Undecoded()[0].String()), "there are listen, mdns, page and log_level"}
	}
	if v, ok := env("CONTACTSD_LISTEN"); ok && v != "" {
		c.Listen = strings.Fields(strings.ReplaceAll(v, ",", " "))
	}
	if v, ok := env("CONTACTSD_MDNS"); ok && v != "" {
		if c.MDNS, err = strconv.ParseBool(v); err != nil {
			return c, fmt.Errorf("CONTACTSD_MDNS: %q is neither true nor false", v)
		}
	}
	if v, ok := env("CONTACTSD_PAGE"); ok && v != "" {
		c.Page = v
	}
	if v, ok := env("CONTACTSD_LOG_LEVEL"); ok && v != "" {
		c.LogLevel = v
	}
	if flags.Changed("listen") {
		c.Listen, _ = flags.GetStringArray("listen")
	}
	if flags.Changed("mdns") {
		c.MDNS, _ = flags.GetBool("mdns")
	}
	if flags.Changed("page") {
		c.Page, _ = flags.GetString("page")
	}
	if flags.Changed("log-level") {
		c.LogLevel, _ = flags.GetString("log-level")
	}
	return c, checkPage(c.Page)
}

// logger writes to stderr at the configured level.
func (c config) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, hinted{fmt.Errorf("unknown log level %q", c.LogLevel), "use debug, info, warn or error"}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})), nil
}
