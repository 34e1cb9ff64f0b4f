package main

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"path/filepath"

	"contactsd/api/server"
	"contactsd/client"
	"contactsd/contact"
	"contactsd/internal/home"
	"contactsd/web"
)

// What the configuration can say of the page beside an address.
const (
	pageAuto = "auto"
	pageOff  = "off"
)

func checkPage(at string) error {
	if at == pageAuto || at == pageOff {
		return nil
	}
	if err := web.CheckListen(at); err != nil {
		return hinted{fmt.Errorf("page %q is no address of this machine alone", at), "use 127.0.0.1:PORT, auto or off"}
	}
	return nil
}

// newPage makes the page of a device, nil if it is off. One that nobody gave an
// address has a port of its own, which stays the same from start to start unless
// something else has taken it.
func newPage(at string, self contact.ODID, h home.Home, log *slog.Logger) (*web.Server, error) {
	cfg := web.Config{Client: &client.Client{Socket: h.Socket}, Dir: filepath.Dir(h.Socket), Spool: h.Spool, Log: log}
	switch at {
	case pageOff:
		return nil, nil
	case pageAuto:
		cfg.Listen = fmt.Sprintf("127.0.0.1:%d", ownPort(self))
		if page, err := web.New(cfg); err == nil {
			return page, nil
		}
		cfg.Listen = "127.0.0.1:0"
	default:
		cfg.Listen = at
	}
	return web.New(cfg)
}

// ownPort is one of 10,000 below those that Linux gives to connections (from 32768,
// ip(7)).
func ownPort(self contact.ODID) int {
	return 20_000 + int(binary.BigEndian.Uint16(self[:])%10_000)
}

// opener lets the API hand out logins.
func opener(page *web.Server) func(file bool) (server.Login, error) {
	if page == nil {
		return nil
	}
	return func(file bool) (server.Login, error) {
		l, err := page.Login(file)
		return server.Login{URL: l.URL, File: l.File, Expires: l.Expires}, err
	}
}
