package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"
)

// Who may call: a process of the same user or of root, as the kernel says
// (SO_PEERCRED, unix(7)), and no web page. A page could reach the socket only
// through some proxy, and would then show by its Origin or by a Host of its
// making; nothing of ours has either.

type credentialsKey struct{}

// withCredentials notes in a connection's context why it is refused, or nil.
func withCredentials(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, credentialsKey{}, verdict{checkCredentials(c)})
}

type verdict struct{ err error }

func checkCredentials(c net.Conn) error {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket")
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	return allowUser(cred.Uid, uint32(os.Geteuid()))
}

func allowUser(caller, self uint32) error {
	if caller != self && caller != 0 {
		return fmt.Errorf("user %d may not use the daemon of user %d", caller, self)
	}
	return nil
}

// guard refuses whoever may not call, before anything is read.
func (s *Server) guard(next http.Handler) http.Handler {
	refuse := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admit(r); err != nil {
			told := refusal(err)
			s.counts.ended(callUnread, told)
			refuse.Write(w, r, told)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func admit(r *http.Request) error {
	v, ok := r.Context().Value(credentialsKey{}).(verdict)
	switch {
	case !ok:
		return errors.New("caller unknown")
	case v.err != nil:
		return v.err
	case r.Header.Get("Origin") != "":
		return errors.New("web pages may not call the daemon")
	case !expectedHost(r.Host):
		return fmt.Errorf("unexpected host %q: use localhost", r.Host)
	}
	return nil
}

func expectedHost(host string) bool {
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	return name == "contactsd" || name == "localhost"
}
