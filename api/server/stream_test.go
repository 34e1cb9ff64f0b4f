package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/contact"
	"contactsd/store"
)

// remarks makes n durable changes.
func (u *user) remarks(peer string, n int) {
	u.t.Helper()
	c, err := u.server.find(peer)
	if err != nil {
		u.t.Fatal(err)
	}
	for i := range n {
		if err := u.node.Relation.SetRemark(c.ODID, fmt.Sprintf("%s %d", u.t.Name(), i)); err != nil {
			u.t.Fatal(err)
		}
	}
}

// TestEventsGoOnExactlyOverReconnectsAndRestarts follows the events while the
// connection is dropped and the daemon is restarted again and again: each is
// seen once, in order, none is missing.
func TestEventsGoOnExactlyOverReconnectsAndRestarts(t *testing.T) {
	u := newWorld(t).user("ada")
	peer := stranger(t)
	u.add(peer, "bob")
	last := uint64(0)
	for round := range 12 {
		u.remarks(peer, 20)
		var header []string
		query := "?after=0"
		if last > 0 {
			query, header = "", []string{"Last-Event-ID", strconv.FormatUint(last, 10)}
		}
		res, lines := u.sse(u.ctx(), query, header...)
		for range 7 + round%5 {
			id, err := strconv.ParseUint(nextID(t, lines), 10, 64)
			if err != nil || id != last+1 {
				t.Fatalf("after event %d comes %d, %v", last, id, err)
			}
			last = id
		}
		res.Body.Close()
		if round%3 == 0 {
			u.restart()
		}
		u.remarks(peer, 3)
	}
	watch, err := u.Events().WatchEvents(u.ctx(), &contactsv1.WatchEventsRequest{After: strconv.FormatUint(last, 10)})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	newest, err := u.node.DB.Cursor()
	if err != nil {
		t.Fatal(err)
	}
	for last < newest && watch.Receive() {
		if e := watch.Msg().Event; e != nil && e.Cursor != "" {
			if e.Cursor != strconv.FormatUint(last+1, 10) {
				t.Fatalf("after event %d comes %s", last, e.Cursor)
			}
			last++
		}
	}
	if last != newest {
		t.Errorf("ends at %d of %d, %v", last, newest, watch.Err())
	}
}

// TestSlowReaderOfEventsIsTold leaves two streams unread while more happens than
// the journal keeps. What is read then has no hole that is not told.
func TestSlowReaderOfEventsIsTold(t *testing.T) {
	u := newWorld(t).userWith("ada", store.Options{NoSync: true, JournalLimit: 64})
	_, lines := u.sse(u.ctx(), "?after=0")
	first, err := strconv.ParseUint(nextID(t, lines), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	watch, err := u.Events().WatchEvents(u.ctx(), &contactsv1.WatchEventsRequest{After: "0"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	for range 80 {
		err := u.node.DB.Update(func(tx *store.Tx) error {
			for range 100 {
				if err := tx.Emit(contact.Event{Type: contact.ContactChanged, At: 1, Contact: u.id.Self()}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	last, told := first, ""
	for lines.Scan() && told == "" {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			if n, err := strconv.ParseUint(id, 10, 64); err != nil || n != last+1 {
				t.Fatalf("after event %d comes %s", last, id)
			}
			last++
		}
		if lines.Text() == "event: error" && lines.Scan() {
			told = strings.TrimPrefix(lines.Text(), "data: ")
		}
	}
	var e struct{ Code, Message, Reason, Hint string }
	if err := json.Unmarshal([]byte(told), &e); err != nil || e.Code != "out_of_range" || e.Reason != "cursor" || e.Hint == "" || e.Message == "" {
		t.Errorf("the reader of server-sent events is told %q, %v", told, err)
	}
	next := uint64(0)
	for watch.Receive() {
		if ev := watch.Msg().Event; ev != nil {
			if next++; ev.Cursor != strconv.FormatUint(next, 10) {
				t.Fatalf("event %d is %s", next, ev.Cursor)
			}
		}
	}
	fails(t, watch.Err(), "cursor")
	if e := client.Explain(watch.Err()); e.Code.String() != "out_of_range" || e.Hint == "" {
		t.Errorf("the watcher is told %+v", e)
	}
	if newest, err := u.node.DB.Cursor(); err != nil || last >= newest || next >= newest {
		t.Errorf("read %d and %d of %d events, so nobody was slow; %v", last, next, newest, err)
	}
}

// TestWhatOthersWroteIsKeptAsItCame: text is not changed on its way through, only
// refused where it can't be taken.
func TestWhatOthersWroteIsKeptAsItCame(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.user("ada"), w.user("bob")
	const turned, commands = "B\u202eob\u2066 \u200f\ufeff\U000e0041", "a\x1b[2J\x00\x07\r\nb\u202ec"
	name := turned
	if _, err := ada.Profile().SetProfile(ada.ctx(), &contactsv1.SetProfileRequest{Name: &name}); err != nil {
		t.Fatal(err)
	}
	ada.pair(bob)
	c, err := bob.Contacts().GetContact(bob.ctx(), &contactsv1.GetContactRequest{Contact: ada.odid})
	if err != nil || c.Contact.Name != turned {
		t.Errorf("name %q, %v", c.GetContact().GetName(), err)
	}
	remark := turned
	if r, err := bob.Contacts().SetContact(bob.ctx(), &contactsv1.SetContactRequest{Contact: ada.odid, Remark: &remark}); err != nil || r.Contact.Remark != turned {
		t.Errorf("remark %v, %v", r, err)
	}
	remark = commands
	_, err = bob.Contacts().SetContact(bob.ctx(), &contactsv1.SetContactRequest{Contact: ada.odid, Remark: &remark})
	fails(t, err, "invalid")
	if r, err := bob.Presence().SetPresence(bob.ctx(), &contactsv1.SetPresenceRequest{State: "busy", Text: turned}); err != nil || r.Presence.Text != turned {
		t.Errorf("presence %v, %v", r, err)
	}
	_, err = bob.Presence().SetPresence(bob.ctx(), &contactsv1.SetPresenceRequest{State: "busy", Text: commands})
	fails(t, err, "invalid")
	if _, err := ada.Messages().SendMessage(ada.ctx(), &contactsv1.SendMessageRequest{Contact: "bob", Text: commands}); err != nil {
		t.Fatal(err)
	}
	bob.until("the message", func() bool {
		got, err := bob.Messages().ListMessages(bob.ctx(), &contactsv1.ListMessagesRequest{Contact: ada.odid})
		return err == nil && len(got.Messages) == 1 && got.Messages[0].Text == commands
	})
	_, lines := bob.sse(bob.ctx(), "?after=0")
	for range 5 { // none of it breaks the lines of the stream
		nextID(t, lines)
	}
}

// TestAnotherUserIsRefusedByTheKernelsWord connects as another user, in a thread
// that became one.
func TestAnotherUserIsRefusedByTheKernelsWord(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	u := newWorld(t).user("ada")
	for dir := u.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dialAs(65534, u.Socket); err != unix.EACCES {
		t.Errorf("the mode of the socket lets another user connect: %v", err)
	}
	// With the mode out of the way the daemon itself must refuse.
	if err := os.Chmod(u.Socket, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{
		"POST /contacts.v1.DeviceService/GetStatus HTTP/1.1\r\nHost: contactsd\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"GET /v1/events?after=0 HTTP/1.1\r\nHost: contactsd\r\n\r\n",
		"GET /nowhere HTTP/1.1\r\nHost: contactsd\r\n\r\n",
	} {
		conn, err := dialAs(65534, u.Socket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, call)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%.40s: %v, %v", call, res, err)
		}
		conn.Close()
	}
	if conn, err := dialAs(0, u.Socket); err != nil {
		t.Errorf("root: %v", err)
	} else {
		conn.Close()
	}
}

// dialAs connects to a unix socket as a user. The thread that becomes the user
// ends with it.
func dialAs(uid int, path string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		id := uintptr(uid)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
			err = errno
			return
		}
		var fd int
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		f := os.NewFile(uintptr(fd), path)
		defer f.Close()
		if err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return
		}
		conn, err = net.FileConn(f)
	}()
	<-done
	return conn, err
}
