package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/transport/memnet"
)

// sends sends a file as the page does.
func (l *lived) sends(to, name string, data []byte, header ...string) (status int, html string) {
	l.t.Helper()
	body, kind := formOf(l.t, "file", name, data)
	return l.acts("/c/"+to+"/upload", body, append([]string{"Content-Type", kind}, header...)...)
}

// out returns the only file that is sent.
func (l *lived) out() *contactsv1.File {
	l.t.Helper()
	got, err := l.api.Files().ListFiles(l.t.Context(), &contactsv1.ListFilesRequest{})
	if err != nil || len(got.Files) != 1 {
		l.t.Fatal(got, err)
	}
	return got.Files[0]
}

// tidied waits until no copy is left.
func (l *lived) tidied() {
	l.t.Helper()
	l.tidyAsTold(l.t.Context())
	l.spool.empty(l.t)
}

func TestUploadIsOfferedAndRemoved(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	events := bob.events("/live")
	await(t, events, "sync: ")
	if status, html := ana.sends(bob.odid, "../bread & butter.txt", []byte("flour")); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	f := ana.out()
	text, err := os.ReadFile(f.Path)
	if err != nil || string(text) != "flour" || f.Name != "bread & butter.txt" || filepath.Dir(filepath.Dir(f.Path)) != ana.spool.dir || f.Odid != bob.odid {
		t.Fatalf("%v, %q, %v", f, text, err)
	}
	await(t, events, "files: ")
	folder := t.TempDir()
	if _, err := bob.api.Files().AcceptFile(t.Context(), &contactsv1.AcceptFileRequest{Id: f.Id, Folder: folder}); err != nil {
		t.Fatal(err)
	}
	for { // each change is a reason to look again
		await(t, events, "file-"+f.Id+": ")
		if text, err := os.ReadFile(filepath.Join(folder, "bread & butter.txt")); err == nil && string(text) == "flour" {
			break
		}
	}
	ana.tidied()
}

func TestCopyGoesWithItsTransfer(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	for _, how := range []string{"cancel", "reject", "cleared"} {
		events := bob.events("/live")
		await(t, events, "sync: ")
		if status, html := ana.sends(bob.odid, how, []byte(how)); status != http.StatusNoContent {
			t.Fatal(status, html)
		}
		id := ana.out().Id
		await(t, events, "files: ")
		switch how {
		case "reject":
			if _, err := bob.api.Files().RejectFile(t.Context(), &contactsv1.RejectFileRequest{Id: id}); err != nil {
				t.Fatal(err)
			}
		default:
			if status, html := ana.acts("/file/"+id+"/cancel", "", htmx()...); status != http.StatusOK {
				t.Fatal(status, html)
			}
		}
		ana.tidied()
		if _, err := ana.api.Files().ClearFiles(t.Context(), &contactsv1.ClearFilesRequest{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopyOfNoTransferGoes: a process was killed while a file came, or before it was
// offered.
func TestCopyOfNoTransferGoes(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	c, err := ana.spool.create("019abcde-0000-7000-8000-000000000001", "half.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	c.settled()
	ana.tidied()
}

// begun is an upload of which a part was sent.
type begun struct {
	net.Conn
	l *lived
}

// begins sends a part of a file, as if it had so many bytes, and waits until it came.
func (l *lived) begins(to, name, part string, length int) *begun {
	l.t.Helper()
	c, err := net.Dial("tcp", l.host)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	changed, end := l.uploads.watch()
	defer end()
	head := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n"
	if _, err := fmt.Fprintf(c, "POST /c/%s/upload HTTP/1.1\r\nHost: %[2]s\r\nOrigin: http://%[2]s\r\nCookie: %s\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n%s%s",
		to, l.host, l.cookie, length, head, part); err != nil {
		l.t.Fatal(err)
	}
	for range changed {
		if all := l.uploads.list(); len(all) > 0 && all[len(all)-1].Name == copyName(name) {
			return &begun{c, l}
		}
	}
	return nil
}

// said is the answer.
func (b *begun) said() string {
	b.l.t.Helper()
	text, err := io.ReadAll(b)
	if err != nil {
		b.l.t.Fatal(err)
	}
	return string(text)
}

// until waits until what is shown of uploads is so.
func (l *lived) until(so func([]uploading) bool) {
	changed, end := l.uploads.watch()
	defer end()
	for !so(l.uploads.list()) {
		<-changed
	}
}

func failed(all []uploading) bool { return len(all) == 1 && all[0].Fault != nil }

// TestAttackOfAnUploadThatLies: whatever was announced, what does not come whole leaves
// nothing behind.
func TestAttackOfAnUploadThatLies(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	evil := `<script>alert(1)</script>`
	for name, end := range map[string]func(*begun){
		evil:       func(b *begun) { b.Close() },
		"cut":      func(b *begun) { b.Conn.(interface{ CloseWrite() error }).CloseWrite(); b.said() },
		"no end":   func(b *begun) { fmt.Fprint(b, strings.Repeat("y", 10_000)); b.said() },
		"shutdown": func(b *begun) { b.l.access.endAll(); b.said(); b.l.cookie = b.l.session() },
	} {
		end(ana.begins(bob.odid, name, "half", 10_000))
		ana.until(failed)
		ana.spool.empty(t)
		_, html := ana.page("/uploads", htmx()...)
		contains(t, html, "the browser stopped sending it", "Close")
		if strings.Contains(html, evil) {
			t.Errorf("alive: %s", html)
		}
		if _, html := ana.acts("/uploads/"+ana.uploads.list()[0].ID+"/end", "", htmx()...); html != "" {
			t.Errorf("closed: %s", html)
		}
	}
	got, err := ana.api.Files().ListFiles(t.Context(), &contactsv1.ListFilesRequest{})
	if err != nil || len(got.Files) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestUploadIsCancelled(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	events := ana.events("/live")
	await(t, events, "sync: ")
	b := ana.begins(bob.odid, "film.mkv", "half", 10_000)
	await(t, events, "uploads: ")
	_, html := ana.page("/uploads", htmx()...)
	contains(t, html, "film.mkv", "<progress", `max="10000"`, "10 kB", "Cancel")
	ana.acts("/uploads/"+ana.uploads.list()[0].ID+"/end", "", htmx()...)
	if said := b.said(); !strings.Contains(said, "422") || !strings.Contains(said, "Cancelled.") {
		t.Error(said)
	}
	ana.until(func(all []uploading) bool { return len(all) == 0 })
	ana.spool.empty(t)
}

func TestUploadThatDoesNotFitIsRefusedInWords(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	refused := func(length int, says string) {
		t.Helper()
		if said := ana.begins(bob.odid, "x", "", length).said(); !strings.Contains(said, "422") || !strings.Contains(said, says) {
			t.Errorf("not %q but %s", says, said)
		}
		ana.acts("/uploads/"+ana.uploads.list()[0].ID+"/end", "", htmx()...)
	}
	refused(maxUpload+1, "more than 8 GB")
	refused(1<<62, "more than 8 GB")
	ana.spool.free = func(string) (int64, error) { return spareSpace + 1000, nil }
	refused(5000, "too little space")
	ana.spool.free = func(string) (int64, error) { return maxSpool, nil }
	ana.spool.used = maxSpool - 1
	refused(5000, "more than 16 GB")
	ana.spool.used = 0
	ana.spool.empty(t)
	for what, send := range map[string]func() (int, string){
		"no form": func() (int, string) { return ana.acts("/c/"+bob.odid+"/upload", "file=x") },
		"no file": func() (int, string) {
			return ana.acts("/c/"+bob.odid+"/upload", "--x--", "Content-Type", "multipart/form-data; boundary=x")
		},
		"no bound": func() (int, string) {
			return ana.acts("/c/"+bob.odid+"/upload", "--x--", "Content-Type", "multipart/form-data")
		},
	} {
		if status, html := send(); status != http.StatusUnprocessableEntity || !strings.Contains(html, "No file came.") {
			t.Errorf("%s: %d %s", what, status, html)
		}
	}
	if status, _ := ana.sends("odid1nobody", "x", []byte("x")); status != http.StatusNotFound {
		t.Errorf("to nobody: %d", status)
	}
}

func TestFewUploadsAtOnce(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	for i := range maxUploading {
		ana.begins(bob.odid, fmt.Sprint(i), "half", 10_000)
	}
	for range 2 * maxUnsent {
		if said := ana.begins(bob.odid, "one more", "half", 10_000).said(); !strings.Contains(said, "under way") {
			t.Fatal(said)
		}
	}
	if all := ana.uploads.list(); len(all) != maxUploading+maxUnsent {
		t.Errorf("%d are shown", len(all))
	}
}

// zeros is a file that nobody holds.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), z.left)
	clear(b[:n])
	z.left -= n
	return n, nil
}

// TestUploadIsNotInMemory sends 64 MiB and counts what was allocated.
func TestUploadIsNotInMemory(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	const size = 64 << 20
	head, tail := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big\"\r\n\r\n", "\r\n--x--\r\n"
	body := io.MultiReader(strings.NewReader(head), &zeros{size}, strings.NewReader(tail))
	req, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+ana.host+"/c/"+bob.odid+"/upload", body) // of no known length
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	req.Header.Set("Origin", "http://"+ana.host)
	req.Header.Set("Cookie", ana.cookie)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatal(res, err)
	}
	res.Body.Close()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > size/4 {
		t.Errorf("%d bytes were allocated", got)
	}
	if info, err := os.Stat(ana.out().Path); err != nil || info.Size() != size {
		t.Errorf("%v, %v", info, err)
	}
}
