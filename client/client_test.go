package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/api/contacts/v1/contactsv1connect"
)

// daemon answers GetStatus on a socket of its own.
type daemon struct {
	contactsv1connect.UnimplementedDeviceServiceHandler
	status func(context.Context) (*contactsv1.GetStatusResponse, error)
}

func (d daemon) GetStatus(ctx context.Context, _ *contactsv1.GetStatusRequest) (*contactsv1.GetStatusResponse, error) {
	return d.status(ctx)
}

// serve starts the daemon and returns its socket.
func (d daemon) serve(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "contactsd.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(contactsv1connect.NewDeviceServiceHandler(d))
	srv := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return socket
}

func status(c *Client) (*contactsv1.GetStatusResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
}

func TestZeroValueFindsTheHomeOfTheEnvironment(t *testing.T) {
	socket := daemon{status: func(context.Context) (*contactsv1.GetStatusResponse, error) {
		return &contactsv1.GetStatusResponse{Name: "ada"}, nil
	}}.serve(t)
	t.Setenv("CONTACTSD_HOME", filepath.Dir(socket))
	var c Client
	defer c.Close()
	got, err := status(&c)
	if err != nil || got.Name != "ada" {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, socket := range map[string]string{
		"absent": filepath.Join(dir, "absent.sock"), "stale": stale, "no socket": plain,
	} {
		_, err := status(&Client{Socket: socket})
		var down *Unreachable
		if !errors.As(err, &down) || down.Socket != socket || Reason(err) != ReasonUnreachable {
			t.Errorf("%s: %v", name, err)
		}
		if text := Explain(err).Text; text != "no daemon answers at "+socket {
			t.Errorf("%s: %q", name, text)
		}
		if Hint(err) != "start it with: contactsd" {
			t.Errorf("%s: hint %q", name, Hint(err))
		}
	}
}

func TestSocketPathTooLongSaysSo(t *testing.T) {
	_, err := status(&Client{Socket: "/" + strings.Repeat("x", 120)})
	if e := Explain(err); !strings.Contains(e.Text, "at most 107") {
		t.Errorf("got %q", e.Text)
	}
}

func TestExplain(t *testing.T) {
	withInfo := connect.NewError(connect.CodePermissionDenied, errors.New("the code is wrong"))
	info, err := connect.NewErrorDetail(&contactsv1.ErrorInfo{Reason: "wrong_code", Hint: "read it again", Field: "code", Limit: "6 digits"})
	if err != nil {
		t.Fatal(err)
	}
	withInfo.AddDetail(info)
	for _, test := range []struct {
		name string
		err  error
		want Error
	}{
		{"of the daemon", withInfo, Error{connect.CodePermissionDenied, "wrong_code", "the code is wrong", "read it again", "code", "6 digits", nil}},
		{"daemon gone", connect.NewError(connect.CodeUnavailable, errors.New("EOF")), Error{Code: connect.CodeUnavailable, Reason: ReasonUnreachable,
			Text: "the daemon stopped while it was asked", Hint: "start it with: contactsd"}},
		{"without detail", connect.NewError(connect.CodeInternal, errors.New("odd")), Error{Code: connect.CodeInternal, Text: "odd"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			socket := daemon{status: func(context.Context) (*contactsv1.GetStatusResponse, error) { return nil, test.err }}.serve(t)
			_, err := status(&Client{Socket: socket})
			got := *Explain(fmt.Errorf("status: %w", err))
			if got.err = nil; got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
	if Explain(nil) != nil || Reason(nil) != "" || Hint(nil) != "" {
		t.Error("nil is explained")
	}
}

func TestTimeoutAndInterruptAreTold(t *testing.T) {
	socket := daemon{status: func(ctx context.Context) (*contactsv1.GetStatusResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}.serve(t)
	c := &Client{Socket: socket}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := c.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	if Reason(err) != ReasonTimeout {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	_, err = c.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	if Reason(err) != ReasonCanceled {
		t.Errorf("cancel: %v", err)
	}
}
