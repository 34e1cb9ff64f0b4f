package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"contactsd/client"
)

// Limits of what a browser may send.
const (
	maxForm           = 256 << 10 // bytes: a text of 64 KiB with every byte escaped
	maxHeader         = 16 << 10  // bytes
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
)

// stopTimeout is how long a stop waits for requests that are under way.
const stopTimeout = time.Second

// Config is what a Server works with.
type Config struct {
	Client *client.Client // calls the daemon whose page this is
	Listen string         // 127.0.0.1:PORT; port 0 chooses one
	Dir    string         // where files that lead to a login are written, of this user alone
	Spool  string         // where copies of what browsers send are kept, in a folder of this user alone
	Log    *slog.Logger
}

// Server is the page of one daemon.
type Server struct {
	client   *client.Client
	listener net.Listener
	host     string // the only one it answers to
	dir      string
	log      *slog.Logger
	access   *access
	spool    *spool
	uploads  *uploads
	pages    *pages
	handler  http.Handler
}

// New returns a server that is bound to its address, so that Login can name it; Run
// answers there. The error is ErrListen for an address that is not on this
// machine, else that of the network.
func New(cfg Config) (*Server, error) {
	if cfg.Client == nil || cfg.Dir == "" || cfg.Spool == "" {
		return nil, errors.New("page: Client, Dir and Spool are required")
	}
	if err := CheckListen(cfg.Listen); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	s := &Server{
		client:   cfg.Client,
		listener: l,
		host:     l.Addr().String(),
		dir:      cfg.Dir,
		log:      cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		access:   newAccess(),
		spool:    newSpool(cfg.Spool),
		uploads:  newUploads(),
		pages:    newPages(),
	}
	s.handler = s.guard(s.routes())
	s.clearFiles() // of a process that was killed
	return s, nil
}

// ErrListen says that the page would be open to other machines.
var ErrListen = errors.New("not an address for the page")

// CheckListen returns ErrListen unless address is 127.0.0.1:PORT.
func CheckListen(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return fmt.Errorf("%w: %q; write it like 127.0.0.1:8750, with port 0 to choose one", ErrListen, address)
	}
	return nil
}

// URL returns the address of the page, without a login.
func (s *Server) URL() string { return "http://" + s.host + "/" }

// Close gives the address back. It is for a server that is not run.
func (s *Server) Close() error { return s.listener.Close() }

// Run answers until ctx ends, and returns when all requests have ended: streams
// are ended at once, others get a second.
func (s *Server) Run(ctx context.Context) error {
	defer s.clearFiles()
	requests, cancel := context.WithCancel(context.Background())
	defer cancel()
	srv := &http.Server{
		Handler:           s.handler,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       withPeer,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var serving sync.WaitGroup
	var served error
	ended := make(chan struct{})
	serving.Go(func() {
		defer close(ended)
		served = srv.Serve(s.listener)
	})
	tidying, rest := context.WithCancel(ctx)
	serving.Go(func() { s.tidy(tidying) })
	s.log.Debug("page: listening", "address", s.host)
	select {
	case <-ctx.Done():
	case <-ended:
	}
	rest()
	s.access.endAll()
	grace, stop := context.WithTimeout(context.Background(), stopTimeout)
	defer stop()
	if srv.Shutdown(grace) != nil {
		cancel()
		srv.Close()
	}
	serving.Wait()
	if !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("page: %w", served)
	}
	return nil
}
