package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/bustest"
	"contactsd/internal/devices"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// TestMain builds the programs, for all tests.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "programs")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir, "contactsd/cmd/contactsd", "contactsd/cmd/contacts-tray")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build: %v\n%s", err, out))
		}
		programs = dir
		return m.Run()
	}())
}

var programs string // where they are

// desk is a desktop on which a tray runs, with the daemons of some people.
type desk struct {
	t      *testing.T
	ctx    context.Context
	dir    string
	bus    *bustest.Bus
	panel  *bustest.Panel
	server *bustest.Server
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("", "tray") // a short path: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &desk{t: t, ctx: ctx, dir: dir}
	if d.bus, err = bustest.Start(ctx, dir); errors.Is(err, bustest.ErrNoProgram) {
		t.Skip(err)
	}
	d.must(err)
	t.Cleanup(d.bus.Stop)
	// A browser that notes what it is to open.
	d.must(os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\necho \"$1\" >>"+dir+"/opened\n"), 0o700))
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// furnish starts a panel and a notification server.
func (d *desk) furnish() {
	d.t.Helper()
	var err error
	d.panel, err = d.bus.Panel(true)
	d.must(err)
	d.server, err = d.bus.Server("actions", "body-markup")
	d.must(err)
	d.t.Cleanup(d.panel.Close)
	d.t.Cleanup(d.server.Close)
}

func (d *desk) device(name string) *devices.Device {
	d.t.Helper()
	p := devices.New(filepath.Join(programs, "contactsd"), filepath.Join(d.dir, name), name)
	d.must(p.Start(d.ctx))
	d.t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	return p
}

func (d *desk) addressOf(p *devices.Device) string {
	d.t.Helper()
	at, err := p.Address(d.ctx, "/tcp/")
	d.must(err)
	return at
}

// tray is the program as it runs.
type tray struct {
	*exec.Cmd
	ended chan struct{}

	mu     sync.Mutex
	stderr bytes.Buffer
}

func (t *tray) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stderr.Write(p)
}

func (t *tray) said() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stderr.String()
}

// environment is that of the desktop: nothing of the machine's own session is in it.
func (d *desk) environment(bus string) []string {
	env := []string{
		"PATH=" + d.dir + ":" + os.Getenv("PATH"), "HOME=" + d.dir, "XDG_RUNTIME_DIR=" + filepath.Join(d.dir, "run"),
		"DBUS_SYSTEM_BUS_ADDRESS=" + d.bus.Address,
	}
	if bus != "" {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+bus)
	}
	return env
}

// start runs the tray of a daemon on a bus.
func (d *desk) start(bus, home string) *tray {
	d.t.Helper()
	p := &tray{Cmd: exec.Command(filepath.Join(programs, "contacts-tray"), "--home", home), ended: make(chan struct{})}
	p.Env = d.environment(bus)
	p.Stderr = p
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.must(p.Start())
	go func() {
		defer close(p.ended)
		p.Wait()
	}()
	d.t.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
		if d.t.Failed() {
			d.t.Logf("the tray said:\n%s", p.said())
		}
	})
	return p
}

// ends waits for the end of the tray and compares its exit code.
func (d *desk) ends(p *tray, code int) {
	d.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		d.t.Fatal("the tray runs on")
	}
	if got := p.ProcessState.ExitCode(); got != code {
		d.t.Fatalf("exit code %d, want %d: %s", got, code, p.said())
	}
}

// until waits until the tray looks as it should.
func (d *desk) until(what string, f func() bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	d.must(devices.Until(ctx, what, func() (bool, error) { return f(), nil }))
}

func (d *desk) tip(want string) {
	d.t.Helper()
	d.until("the icon to say "+want, func() bool {
		tip, err := d.panel.ToolTip(d.ctx)
		return err == nil && tip == want
	})
}

func (d *desk) click(label string) {
	d.t.Helper()
	d.until("a click on "+label, func() bool { return d.panel.Click(d.ctx, label) == nil })
}

// notice waits for the notification with a summary that matches.
func (d *desk) notice(summary string) bustest.Notice {
	d.t.Helper()
	late := time.After(patience)
	for {
		select {
		case n := <-d.server.Came():
			if regexp.MustCompile(summary).MatchString(n.Summary) {
				return n
			}
			d.t.Logf("also: %s: %s", n.Summary, n.Body)
		case <-late:
			d.t.Fatalf("no notification %q", summary)
		}
	}
}

func (d *desk) has(n bustest.Notice, words ...string) {
	d.t.Helper()
	for _, word := range words {
		if !strings.Contains(n.Body, word) {
			d.t.Errorf("%q does not say %q", n.Body, word)
		}
	}
}

// TestStory: from the icon to the code in one act, a pairing, a message, a file, and
// a request that is accepted in its notification.
func TestStory(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	ana, bob, eve := d.device("ana"), d.device("bob"), d.device("eve <b>&")
	tray := d.start(d.bus.Address, ana.Home)
	d.tip("ana, online")

	d.click("Show my code")
	code := d.notice(`^Your code is \d{3}-\d{3}$`)
	d.has(code, "Type it on the other device")
	digits := strings.TrimPrefix(code.Summary, "Your code is ")
	_, err := bob.Pairing().EnterCode(d.ctx, &contactsv1.EnterCodeRequest{Code: digits, At: d.addressOf(ana)})
	d.must(err)
	d.has(d.notice("^Paired$"), "bob")
	d.until("the code to go", func() bool {
		select {
		case id := <-d.server.Dismissed():
			return id == code.ID
		default:
			return false
		}
	})

	_, err = bob.Messages().SendMessage(d.ctx, &contactsv1.SendMessageRequest{Contact: "ana", Text: "the secret of the day"})
	d.must(err)
	message := d.notice("^A new message$")
	d.has(message, "from bob")
	_, err = bob.Messages().SendMessage(d.ctx, &contactsv1.SendMessageRequest{Contact: "ana", Text: "the secret of the night"})
	d.must(err)
	if again := d.notice("^2 new messages$"); again.Replaces != message.ID {
		t.Errorf("the second message replaces %d, want %d", again.Replaces, message.ID)
	}
	file := filepath.Join(d.dir, "plan.txt")
	d.must(os.WriteFile(file, []byte("a plan"), 0o600))
	_, err = bob.Files().SendFile(d.ctx, &contactsv1.SendFileRequest{Contact: "ana", Path: file})
	d.must(err)
	d.has(d.notice("^A file is offered$"), "bob", "plan.txt", "6 bytes")

	_, err = eve.Contacts().AddContact(d.ctx, &contactsv1.AddContactRequest{Odid: ana.ODID, At: d.addressOf(ana), Wording: "<i>let me in</i>"})
	d.must(err)
	request := d.notice("^A new request$")
	d.has(request, "eve &lt;b&gt;&amp;", eve.ODID[:12], "&lt;i&gt;let me in&lt;/i&gt;")
	d.tip("ana, online, 1 request")
	d.must(d.server.Choose(request.ID, "accept"))
	d.tip("ana, online")
	d.until("eve to be a contact", func() bool {
		c, err := ana.Contacts().GetContact(d.ctx, &contactsv1.GetContactRequest{Contact: eve.ODID})
		return err == nil && c.Contact.Relation == "accepted"
	})

	d.click("Busy")
	d.tip("ana, busy")
	d.click("Open Contacts")
	d.until("the page to open", func() bool {
		opened, err := os.ReadFile(filepath.Join(d.dir, "opened"))
		return err == nil && strings.Contains(string(opened), ana.Home)
	})
	d.click("Quit")
	d.ends(tray, 0)
	if said := tray.said(); said != "" {
		t.Errorf("said %q", said)
	}
}

// TestDaemonComesAndGoes: the tray shows it, and tells what happened in between.
func TestDaemonComesAndGoes(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	home := filepath.Join(d.dir, "ana")
	d.start(d.bus.Address, home)
	d.tip("contactsd is not running")
	ana, bob := d.device("ana"), d.device("bob")
	d.tip("ana, online")
	ana.Stop(syscall.SIGKILL)
	d.tip("contactsd is not running")
	d.must(ana.Start(d.ctx))
	d.tip("ana, online")
	_, err := bob.Contacts().AddContact(d.ctx, &contactsv1.AddContactRequest{Odid: ana.ODID, At: d.addressOf(ana), Wording: "it's me"})
	d.must(err)
	request := d.notice("^A new request$")
	d.has(request, "bob")
	// Answered elsewhere, its notification goes.
	_, err = ana.Requests().AnswerRequests(d.ctx, &contactsv1.AnswerRequestsRequest{All: true, Answer: "reject"})
	d.must(err)
	select {
	case id := <-d.server.Dismissed():
		if id != request.ID {
			t.Errorf("notification %d was taken back, want %d", id, request.ID)
		}
	case <-time.After(patience):
		t.Error("the notification of a request that was answered stays")
	}
}

// TestAwayAndBack: as the desktop tells, at once. Who was away when the tray ended
// stays it.
func TestAwayAndBack(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	login, err := d.bus.Login()
	d.must(err)
	t.Cleanup(login.Close)
	ana := d.device("ana")
	p := d.start(d.bus.Address, ana.Home)
	d.tip("ana, online")
	d.must(login.Hint("IdleHint", true))
	d.must(login.Hint("IdleSinceHint", uint64(time.Now().Add(-10*time.Minute).UnixMicro())))
	d.tip("ana, away")
	d.must(p.Process.Signal(syscall.SIGTERM))
	d.ends(p, 0)
	own, err := ana.Presence().GetPresence(d.ctx, &contactsv1.GetPresenceRequest{})
	if err != nil || own.Presence.State != "away" {
		t.Errorf("then %v, %v", own, err)
	}
	again := d.start(d.bus.Address, ana.Home)
	d.tip("ana, away")
	d.must(login.Hint("IdleHint", false))
	d.tip("ana, online")
	d.click("Quit")
	d.ends(again, 0)
}

func TestNothingRunsUnseen(t *testing.T) {
	d := newDesk(t)
	home := filepath.Join(d.dir, "ana")
	for name, c := range map[string]struct{ bus, says string }{
		"no bus":   {"", "there is no session bus"},
		"dead bus": {"unix:path=" + filepath.Join(d.dir, "none"), "does not answer"},
		"no panel": {d.bus.Address, "no panel of this desktop shows tray icons"},
	} {
		p := d.start(c.bus, home)
		d.ends(p, 1)
		if !strings.Contains(p.said(), c.says) || !strings.Contains(p.said(), "hint: ") {
			t.Errorf("%s: said %q", name, p.said())
		}
	}
	d.furnish()
	p := d.start(d.bus.Address, home)
	d.tip("contactsd is not running")
	second := d.start(d.bus.Address, home)
	d.ends(second, 1)
	if !strings.Contains(second.said(), "runs already") {
		t.Errorf("a second one said %q", second.said())
	}
	d.bus.Stop()
	d.ends(p, 1)
	if !strings.Contains(p.said(), "the session bus is gone") {
		t.Errorf("said %q", p.said())
	}
}
