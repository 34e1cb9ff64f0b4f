// Package server answers the local API from the features of a node. It has no
// rules of its own: it names contacts, turns what features answer into the
// schema of api/contacts/v1, and their errors into codes, reasons and hints
// (errors.go).
//
// It listens on a unix socket. Who may call is decided in guard.go.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"connectrpc.com/connect"

	"contactsd/api/contacts/v1/contactsv1connect"
	"contactsd/internal/home"
	"contactsd/node"
)

// Limits of what a caller may send.
const (
	maxRequest        = 512 << 10 // bytes: a text of 64 KiB with every byte escaped, and more
	maxBatchRequest   = 8 << 20   // bytes, of the calls about messages
	maxHeader         = 16 << 10  // bytes
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
)

// stopTimeout is how long a stop waits for calls that are under way.
const stopTimeout = time.Second

// Config is what a Server works with.
type Config struct {
	Node    *node.Node
	Socket  string // path, in a directory that others can't write
	Store   string // path of the store that Node works on, may be empty
	Version string // of the daemon
	Log     *slog.Logger
	// OpenPage makes a login of the Contacts page, in a file if asked to; nil without
	// a page.
	OpenPage func(file bool) (Login, error)
}

// Server is the local API of one node.
type Server struct {
	node    *node.Node
	socket  string
	store   string
	version string
	started time.Time
	log     *slog.Logger
	http    http.Handler
	ready   chan struct{}
	calls   sync.RWMutex // held for reading during each call
	counts  callCounts

	openPage func(file bool) (Login, error) // nil without a page

	stopping context.Context // ends when Run's context does; streams watch it
	stop     context.CancelFunc
}

// New returns a server; Run starts it.
func New(cfg Config) (*Server, error) {
	if cfg.Node == nil || cfg.Socket == "" {
		return nil, errors.New("api server: Node and Socket are required")
	}
	if err := home.CheckSocket(cfg.Socket); err != nil {
		return nil, err
	}
	s := &Server{
		node:    cfg.Node,
		socket:  cfg.Socket,
		store:   cfg.Store,
		started: time.Now(),
		version: cmp.Or(cfg.Version, "devel"),
		log:     cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		ready:   make(chan struct{}),

		openPage: cfg.OpenPage,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.http = s.routes()
	return s, nil
}

// Ready is closed when the socket listens.
func (s *Server) Ready() <-chan struct{} { return s.ready }

func (s *Server) routes() http.Handler {
	opts := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxRequest),
		connect.WithCompression("gzip", nil, nil), // a waste of time within one machine
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
		connect.WithInterceptors(explainer{s}),
	}
	mux := http.NewServeMux()
	mux.Handle(contactsv1connect.NewDeviceServiceHandler(device{s}, opts...))
	mux.Handle(contactsv1connect.NewProfileServiceHandler(profiles{s}, opts...))
	mux.Handle(contactsv1connect.NewPairingServiceHandler(pairs{s}, opts...))
	mux.Handle(contactsv1connect.NewContactsServiceHandler(contacts{s}, opts...))
	mux.Handle(contactsv1connect.NewBlocklistServiceHandler(blocklist{s}, opts...))
	mux.Handle(contactsv1connect.NewChecksServiceHandler(checks{s}, opts...))
	mux.Handle(contactsv1connect.NewGroupsServiceHandler(groups{contacts{s}}, opts...))
	mux.Handle(contactsv1connect.NewRequestsServiceHandler(asks{s}, opts...))
	mux.Handle(contactsv1connect.NewSpamServiceHandler(spams{s}, opts...))
	mux.Handle(contactsv1connect.NewCreditsServiceHandler(credits{s}, opts...))
	mux.Handle(contactsv1connect.NewCardsServiceHandler(cards{s}, opts...))
	mux.Handle(contactsv1connect.NewPresenceServiceHandler(presences{s}, opts...))
	mux.Handle(contactsv1connect.NewMessagesServiceHandler(messages{s}, append(opts, connect.WithReadMaxBytes(maxBatchRequest))...))
	mux.Handle(contactsv1connect.NewFilesServiceHandler(files{s}, opts...))
	mux.Handle(contactsv1connect.NewEventsServiceHandler(events{s}, opts...))
	mux.Handle(contactsv1connect.NewPageServiceHandler(page{s}, opts...))
	mux.HandleFunc("GET /v1/events", s.serveEvents)
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	calls := s.giveReasons(mux)
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.RLock()
		defer s.calls.RUnlock()
		calls.ServeHTTP(w, r)
	}))
}

// Run serves until ctx ends, and returns when all calls have ended: streams are
// ended at once, others get a second. Whoever calls it holds the home's lock, so
// a socket that is there already is a dead daemon's.
func (s *Server) Run(ctx context.Context) error {
	l, err := listen(s.socket)
	if err != nil {
		return err
	}
	calls, cancelCalls := context.WithCancel(context.Background())
	defer cancelCalls()
	srv := &http.Server{
		Handler:           s.http,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ConnContext:       withCredentials,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	defer context.AfterFunc(ctx, s.stop)()
	var serving sync.WaitGroup
	var served error
	serving.Go(func() {
		defer s.stop()
		served = srv.Serve(l)
	})
	close(s.ready)
	s.log.Debug("api: listening", "socket", s.socket)

	<-s.stopping.Done()
	grace, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		cancelCalls()
		srv.Close()
	}
	serving.Wait()
	s.calls.Lock() // the last call has ended
	defer s.calls.Unlock()
	if !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("api server: %w", served)
	}
	return nil
}

// listen binds the socket with mode 0600.
func listen(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("api server: %s is there and is no socket; move it away", path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("api server: remove the socket of a daemon that is gone: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("api server: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("api server: %w", err)
	}
	return l, nil
}
