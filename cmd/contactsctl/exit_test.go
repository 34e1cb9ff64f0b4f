package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/api/contacts/v1/contactsv1connect"
)

// daemon answers GetStatus alone.
type daemon struct {
	contactsv1connect.UnimplementedDeviceServiceHandler
	status func(context.Context) error
}

func (d daemon) GetStatus(ctx context.Context, _ *contactsv1.GetStatusRequest) (*contactsv1.GetStatusResponse, error) {
	return &contactsv1.GetStatusResponse{}, d.status(ctx)
}

func (d daemon) serve(t *testing.T) (socket string) {
	t.Helper()
	return serve(t, func(mux *http.ServeMux) { mux.Handle(contactsv1connect.NewDeviceServiceHandler(d)) })
}

// serve answers on a socket of its own until the test ends.
func serve(t *testing.T, routes func(*http.ServeMux)) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "contactsd.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	routes(mux)
	srv := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return socket
}

// refuse is an error as the daemon sends it.
func refuse(code connect.Code, text, reason, hint string) error {
	e := connect.NewError(code, errors.New(text))
	if d, err := connect.NewErrorDetail(&contactsv1.ErrorInfo{Reason: reason, Hint: hint}); err == nil {
		e.AddDetail(d)
	}
	return e
}

// ctl runs a command line.
func ctl(ctx context.Context, args ...string) (code int, out, talk string) {
	var o, e bytes.Buffer
	code = run(ctx, args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	for code, want := range map[connect.Code]int{
		connect.CodeInvalidArgument:    2,
		connect.CodePermissionDenied:   4,
		connect.CodeFailedPrecondition: 4,
		connect.CodeNotFound:           5,
		connect.CodeUnavailable:        1, // a peer that can't be reached
		connect.CodeResourceExhausted:  1, // a full disk
		connect.CodeDataLoss:           1,
		connect.CodeOutOfRange:         1,
		connect.CodeAborted:            1,
		connect.CodeInternal:           1,
		connect.CodeUnknown:            1,
	} {
		err := refuse(code, "it can't be done", "some_reason", "do\x1bthis")
		socket := daemon{status: func(context.Context) error { return err }}.serve(t)
		got, out, talk := ctl(t.Context(), "--socket", socket, "status")
		if got != want || out != "" || talk != "contactsctl: it can't be done\n  hint: do\\u001bthis\n" {
			t.Errorf("%v: exit %d, want %d; %q %q", code, got, want, out, talk)
		}
	}
}

func TestExitCodeOfADaemonThatIsNotThere(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	code, _, talk := ctl(t.Context(), "--socket", socket, "status")
	if code != 3 || talk != "contactsctl: no daemon answers at "+socket+"\n  hint: start it with: contactsd\n" {
		t.Errorf("exit %d, %q", code, talk)
	}
	stops := daemon{status: func(context.Context) error {
		return refuse(connect.CodeUnavailable, "the daemon is stopping", "stopping", "")
	}}.serve(t)
	if code, _, talk := ctl(t.Context(), "--socket", stops, "status"); code != 3 {
		t.Errorf("stopping: exit %d, %q", code, talk)
	}
	silent := daemon{status: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}.serve(t)
	if code, _, talk := ctl(t.Context(), "--socket", silent, "--timeout", "1ms", "status"); code != 1 || !strings.Contains(talk, "--timeout") {
		t.Errorf("silent: exit %d, %q", code, talk)
	}
}

func TestInterruptIs130AndSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	socket := daemon{status: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}.serve(t)
	if code, out, talk := ctl(ctx, "--socket", socket, "status"); code != 130 || out+talk != "" {
		t.Errorf("exit %d, %q", code, out+talk)
	}
}

func TestWrongUsageIs2(t *testing.T) {
	for line, want := range map[string]string{
		"lisst":                      "did you mean list?",
		"list extra":                 "use: contactsctl list",
		"list --colour":              "see: contactsctl list --help",
		"presence sett":              "did you mean set?",
		"pair":                       "use: contactsctl pair CODE",
		"send ana":                   "use: contactsctl send CONTACT TEXT",
		"status --timeout soon":      "write it like 10s or 2m",
		"status --timeout -1s":       "see: contactsctl status --help",
		"messages ana --limit all":   "give a whole number",
		"send ana -5 degrees":        "put -- before it",
		"help lisst":                 "see: contactsctl help",
		"completion csh":             "bash, zsh, fish, powershell",
		"set ana remark":             "use remark=…",
		"set ana name=Bob":           "use remark=…",
		"set ana remark=a remark=b":  "use remark=…",
		"profile set remark=x":       "use name=…",
		"permissions ana widen":      "narrow",
		"permissions ana narrow":     "messages, audio, video, status",
		"permissions ana narrow , ,": "messages, audio, video, status",
		"help":                       "",
		"":                           "",
	} {
		code, out, talk := ctl(t.Context(), strings.Fields(line)...)
		if want == "" {
			if code != 0 || !strings.Contains(out, "Usage:") || talk != "" {
				t.Errorf("%q: exit %d, %q", line, code, talk)
			}
			continue
		}
		first, rest, _ := strings.Cut(talk, "\n")
		if code != 2 || !strings.HasPrefix(first, "contactsctl: ") || !strings.HasPrefix(rest, "  hint: ") || !strings.Contains(rest, want) || out != "" {
			t.Errorf("%q: exit %d, %q, want hint %q", line, code, talk, want)
		}
	}
}

// enterer answers EnterCode alone.
type enterer struct {
	contactsv1connect.UnimplementedPairingServiceHandler
}

func (enterer) EnterCode(context.Context, *contactsv1.EnterCodeRequest) (*contactsv1.EnterCodeResponse, error) {
	return &contactsv1.EnterCodeResponse{Contact: ana()}, nil
}

func TestPairingThatIsNotConfirmedYetIs1(t *testing.T) {
	socket := serve(t, func(mux *http.ServeMux) {
		mux.Handle(contactsv1connect.NewPairingServiceHandler(enterer{}))
	})
	code, out, talk := ctl(t.Context(), "--socket", socket, "pair", "482", "193")
	if code != 1 || out != "" || !strings.Contains(talk, "continues by itself\n  hint: ") {
		t.Errorf("exit %d, %q, %q", code, out, talk)
	}
	code, out, _ = ctl(t.Context(), "--socket", socket, "pair", "482-193", "--json")
	if code != 1 || !strings.HasPrefix(out, `{"odid":"`) {
		t.Errorf("exit %d, %q", code, out)
	}
}
