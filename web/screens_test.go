package web_test

import (
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/identity"
)

// testScreens looks at each screen, light and dark, wide and narrow, with axe-core, and
// with -shots takes pictures.
func testScreens(t *testing.T, w world) {
	ana, bob := w.person(t, "Ana Silva"), w.person(t, "Bob")
	rules := axe(t)
	ana.opens()
	look := func(name string) {
		t.Helper()
		for _, view := range []struct {
			name          string
			width, height int64
			colours       string
		}{{"wide", 1280, 800, "light"}, {"wide", 1280, 800, "dark"}, {"narrow", 320, 640, "dark"}, {"narrow", 320, 640, "light"}} {
			where := name + "-" + view.name + "-" + view.colours
			ana.size(view.width, view.height)
			ana.colours(view.colours)
			ana.shot(where)
			if view.name == "narrow" && view.colours == "light" {
				continue // the same elements, in colours that were looked at
			}
			ana.accessible(rules, where)
			ana.fits(where)
		}
		ana.size(1280, 800)
	}
	look("first")

	ana.presses("Show my code")
	ana.until(`document.querySelector('.ring .digits')`)
	look("code")
	code := strings.TrimSpace(ana.text(".ring .digits"))
	at, err := ana.Address(t.Context(), "/tcp/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Pairing().EnterCode(t.Context(), &contactsv1.EnterCodeRequest{Code: code, At: at}); err != nil {
		t.Fatal(err)
	}
	ana.sees("#code", "Bob is now a trusted contact")
	look("paired")
	for _, remark := range []string{"Carla Mendes", "Dr. Okafor", "Grandma", "Мария", "נועה"} {
		id, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ana.Contacts().AddContact(t.Context(), &contactsv1.AddContactRequest{Odid: id.Self().String(), Remark: remark}); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range []string{"Hi Ana! The bread is in the oven.", "Noa says שלום, מה שלומך?"} {
		if _, err := bob.Messages().SendMessage(t.Context(), &contactsv1.SendMessageRequest{Contact: ana.ODID, Text: text}); err != nil {
			t.Fatal(i, err)
		}
	}
	ana.goes("/c/" + bob.ODID)
	ana.sees("#log", "oven")
	ana.types("#text", "On my way. Shall I bring cheese?")
	ana.clicks(".compose button")
	ana.sees("#log .out", "Delivered")
	bread := filepath.Join(t.TempDir(), "bread.jpg")
	if err := os.WriteFile(bread, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ana.size(1100, 640)
	ana.colours("light")
	ana.picture()
	if _, err := bob.Files().SendFile(t.Context(), &contactsv1.SendFileRequest{Contact: ana.ODID, Path: bread}); err != nil {
		t.Fatal(err)
	}
	ana.sees("#log .file", "Offered to you")
	noa := w.person(t, "Noa")
	ask := &contactsv1.AddContactRequest{Odid: ana.ODID, At: at, Wording: "It's Noa, from the choir"}
	if _, err := noa.Contacts().AddContact(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	ana.sees("#badge", "1")
	ana.uploads(bob.ODID, "holiday.mkv", 300_000_000, 120_000_000)()
	ana.sees("#uploads", "stopped sending it")
	leave := ana.uploads(bob.ODID, "wedding.mkv", 900_000_000, 3_000_000)
	ana.sees("#uploads", "wedding.mkv")
	look("chat-file")
	leave()
	for range 2 {
		ana.clicks("#uploads button")
	}
	ana.until(`!document.querySelector('#uploads li')`)
	bob.Stop(syscall.SIGKILL)
	ana.types("#text", "I am at the door")
	ana.clicks(".compose button")
	ana.sees("#log .out", "Waiting")
	look("chat")
	ana.size(3840, 2160)
	ana.shot("chat-huge")
	ana.fits("chat, huge")
	ana.size(320, 640)
	ana.does(chromedp.Evaluate[chromedp.Void](`document.documentElement.dir = 'rtl'`))
	ana.shot("chat-rtl")
	ana.fits("chat, right to left")
	ana.size(1280, 800)
	ana.goes("/")
	look("home")
	ana.goes("/pair")
	ana.types("#code-in", "12")
	ana.presses("Pair")
	ana.sees("#enter", "not a code")
	ana.presses("Add by ODID instead")
	look("add")
	ana.presses("Show a link and QR")
	ana.until(`document.querySelector('.qr')`)
	look("link")
	for _, group := range []string{"Family", "Choir"} {
		if _, err := ana.Groups().CreateGroup(t.Context(), &contactsv1.CreateGroupRequest{Group: group}); err != nil {
			t.Fatal(err)
		}
	}
	ana.goes("/c/" + bob.ODID + "/about")
	ana.presses("Block")
	ana.presses("Check whether they have me")
	ana.sees("#check", "contacts.")
	look("about")
	ana.goes("/files")
	look("files")
	ana.goes("/requests")
	look("requests")
	ana.presses("Accept")
	ana.sees("#main", "No requests wait")
	ana.sees("#list", "Noa")
	look("requests-none")
	ana.goes("/groups")
	look("groups")
	ana.goes("/settings")
	look("settings")
	ana.goes("/profile")
	look("profile-empty")
	// A picture as a camera makes it, which the page makes small.
	ana.does(chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{camera(t)}))
	ana.until(`document.querySelector('#main .avatar img')?.naturalWidth === 256`)
	ana.types("#bio", "Bread, mountains, and the choir on Thursdays.")
	ana.types("#skills", "baking, Portuguese, sewing")
	ana.types("#communities", "Choir of St. Anne")
	ana.presses("Save")
	ana.until(`document.querySelector('#skills').value === 'baking, Portuguese, sewing'`)
	ana.sees(".me", "My profile")
	look("profile")
	bob.up()
	text := "I bake on Saturdays.\nCome by!"
	if _, err := bob.Profile().SetProfile(t.Context(), &contactsv1.SetProfileRequest{Bio: &text, Skills: &contactsv1.Words{Words: []string{"bread", "cheese"}}}); err != nil {
		t.Fatal(err)
	}
	ana.goes("/c/" + bob.ODID + "/about")
	ana.sees("#main", "I bake on Saturdays.")
	look("about-told")
	ivo := w.person(t, "Ivo")
	there, err := ivo.Address(t.Context(), "/tcp/")
	if err != nil {
		t.Fatal(err)
	}
	ana.goes("/look?odid=" + ivo.ODID + "&at=" + url.QueryEscape(there))
	ana.sees("#main", "This proves nothing")
	look("look")
	ana.goes("/blocked")
	look("blocked-none")
	if _, err := ana.Contacts().BlockContacts(t.Context(), &contactsv1.BlockContactsRequest{Contacts: []string{bob.ODID}}); err != nil {
		t.Fatal(err)
	}
	ana.goes("/blocked")
	look("blocked")
	ana.goes(fmt.Sprintf("/c/%s", strings.Repeat("x", 20)))
	look("failed")
}

// uploads begins to send a file to a contact, from another browser, and stops after a
// part of it until leave is called.
func (p *person) uploads(to, name string, size, part int) (leave func()) {
	p.t.Helper()
	at, secret, _ := strings.Cut(p.login(), "/login#")
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c := http.Client{Jar: jar}
	send := func(path, kind string, size int64, body io.Reader) (*http.Response, error) {
		req, err := http.NewRequest("POST", at+path, body)
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("Origin", at)
		req.Header.Set("Content-Type", kind)
		req.ContentLength = size
		return c.Do(req)
	}
	form := url.Values{"login": {secret}}.Encode()
	res, err := send("/login", "application/x-www-form-urlencoded", int64(len(form)), strings.NewReader(form))
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	body, w := io.Pipe()
	var sending sync.WaitGroup
	sending.Go(func() {
		if res, err := send("/c/"+to+"/upload", "multipart/form-data; boundary=x", int64(size), body); err == nil {
			res.Body.Close()
		}
	})
	fmt.Fprintf(w, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=%q\r\n\r\n", name)
	for range part / 1000 {
		w.Write(make([]byte, 1000))
	}
	return func() {
		w.CloseWithError(io.ErrUnexpectedEOF)
		sending.Wait()
	}
}

// camera makes a file like those of a camera: many pixels, in many bytes.
func camera(t *testing.T) (path string) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 1600, 1200))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = uint8(i/1600/8 + noise.IntN(60))
	}
	path = filepath.Join(t.TempDir(), "me.jpg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return path
}
