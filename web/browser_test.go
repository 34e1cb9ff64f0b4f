package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
)

// shots is where pictures of the screens go; none are made without.
var shots = flag.String("shots", "", "write pictures of the screens to this `folder`")

// picture is where the picture of the README goes.
var picture = flag.String("picture", "", "write the picture of the README to this `file`")

// patience is how long a test waits for what must happen.
const patience = 45 * time.Second

// TestBrowser drives a real Chromium. Its parts share it, and the daemon that is built
// for them.
func TestBrowser(t *testing.T) {
	w := world{browser(t), programs(t)}
	t.Run("many contacts", func(t *testing.T) { testManyContacts(t, w) })
	for name, part := range map[string]func(*testing.T, world){
		"story": testStory, "attacks": testAttacks, "screens": testScreens,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, w)
		})
	}
}

// world is what the parts share.
type world struct {
	browser   context.Context
	contactsd string // the program
}

// browser starts one Chromium for a test; each window of it has cookies of its own.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser for several seconds")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is missing: install the package chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("disable-gpu", true), chromedp.Flag("force-device-scale-factor", "1"))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium has no sandbox for root
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // closes it, so that its profile can be deleted
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// programs builds the daemon.
func programs(t *testing.T) (contactsd string) {
	t.Helper()
	contactsd = filepath.Join(t.TempDir(), "contactsd")
	if out, err := exec.Command("go", "build", "-o", contactsd, "contactsd/cmd/contactsd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return contactsd
}

// person has a device and a window on its page.
type person struct {
	*devices.Device
	t      *testing.T
	window context.Context
}

// person starts a device, and opens a window of the browser that nobody is logged
// in to.
func (w world) person(t *testing.T, name string) *person {
	t.Helper()
	dir, err := os.MkdirTemp("", "page") // short: a socket's path is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &person{Device: devices.New(w.contactsd, filepath.Join(dir, "h"), name), t: t}
	p.up()
	t.Cleanup(func() { p.Stop(syscall.SIGTERM) })
	window, closeWindow := chromedp.NewContext(w.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeWindow)
	if err := chromedp.Do(window); err != nil { // the window is there as long as this context
		t.Fatal(err)
	}
	p.window = window
	// A window that is not looked at lets go of its stream.
	if _, err := chromedp.Call(window, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	p.size(1280, 800)
	return p
}

func (p *person) up() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// does drives the window.
func (p *person) does(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.window, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.Name, err, p.looks())
	}
}

// gets drives the window and returns what comes of it.
func gets[T any](p *person, step chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.window, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, step)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", p.Name, err, p.looks())
	}
	return got
}

// looks is what the window shows, for a test that failed.
func (p *person) looks() string {
	ctx, cancel := context.WithTimeout(p.window, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	stream, _ := chromedp.Run(ctx, chromedp.Evaluate[string](
		`JSON.stringify({hidden: document.hidden, stream: document.getElementById('live')?._htmx?.sse, said: document.getElementById('live')?.innerText})`))
	return at + "\n" + stream + "\n" + text
}

func (p *person) size(width, height int64) {
	p.t.Helper()
	p.does(chromedp.EmulateViewport(width, height))
}

func (p *person) colours(scheme string) {
	p.t.Helper()
	p.media("prefers-color-scheme", scheme)
}

// media has the window be as somebody likes it, who also likes nothing to move.
func (p *person) media(feature, value string) {
	p.t.Helper()
	_, err := chromedp.Call(p.window, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: feature, Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		p.t.Fatal(err)
	}
}

// login takes one from the socket.
func (p *person) login() string {
	p.t.Helper()
	r, err := p.Page().OpenPage(p.t.Context(), &contactsv1.OpenPageRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Url
}

// opens opens the page with a login.
func (p *person) opens() {
	p.t.Helper()
	p.does(chromedp.Navigate(p.login()), chromedp.WaitVisible(chromedp.CSS(".app")))
	p.live()
}

// live waits until changes are shown.
func (p *person) live() {
	p.t.Helper()
	p.until(`document.getElementById('live')?._htmx?.sse?.reader`)
}

// origin is where the page is.
func (p *person) origin() string {
	p.t.Helper()
	at, _, _ := strings.Cut(p.login(), "/login")
	return at
}

// goes opens a screen by its address.
func (p *person) goes(path string) {
	p.t.Helper()
	p.does(chromedp.Navigate(p.origin()+path), chromedp.WaitVisible(chromedp.CSS(".app")))
	p.live()
}

// until waits until an expression is true in the window, also when that goes on to
// another page meanwhile.
func (p *person) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.window, patience)
	defer cancel()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); yes && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("%s: waited in vain for %s\n%s", p.Name, expression, p.looks())
		}
	}
}

// sees waits until a part of the screen says something.
func (p *person) sees(part, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.checkVisibility() && e.innerText.includes(%q))", part, text))
}

// clicks takes a selector of CSS, or an XPath.
func (p *person) clicks(what string) {
	p.t.Helper()
	click := chromedp.Click(chromedp.CSS(what), chromedp.NodeVisible)
	if strings.HasPrefix(what, "//") {
		click = chromedp.Click(what, chromedp.NodeVisible)
	}
	ctx, cancel := context.WithTimeout(p.window, patience)
	defer cancel()
	for {
		err := chromedp.Do(ctx, click)
		if err == nil {
			return
		}
		// The page put a new one in its place since it was found: a person clicks on that.
		if !strings.Contains(err.Error(), "Could not find node") {
			p.t.Fatalf("%s: %v\n%s", p.Name, err, p.looks())
		}
	}
}

// presses clicks the button or link of the screen that is called like this.
func (p *person) presses(label string) {
	p.t.Helper()
	p.clicks(fmt.Sprintf(`//main//*[(self::button or self::a or self::summary) and contains(normalize-space(.), %q)]`, label))
}

func (p *person) types(into, text string) {
	p.t.Helper()
	p.does(chromedp.SendKeys(chromedp.CSS(into), text, chromedp.NodeVisible))
}

// text returns what a part of the screen says.
func (p *person) text(part string) string {
	p.t.Helper()
	return strings.TrimSpace(gets(p, chromedp.Text(chromedp.CSS(part), chromedp.NodeVisible)))
}

// fits checks that nothing is wider than the window.
func (p *person) fits(where string) {
	p.t.Helper()
	over := gets(p, chromedp.Evaluate[string](`(() => {
		const wide = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.hide, .sprite, svg') && !(document.getElementById('main').offsetWidth <= 1 && e.closest('main')) && getComputedStyle(e).position !== 'absolute'
			&& (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1));
		return document.documentElement.scrollWidth > innerWidth || wide.length ? wide.map(e => e.tagName + '.' + e.className).join(' ') || 'the document' : '';
	})()`))
	if over != "" {
		p.t.Errorf("%s, %s: wider than the window: %s", p.Name, where, over)
	}
}

// shot writes a picture of the window, if pictures are wanted.
func (p *person) shot(name string) {
	p.t.Helper()
	if *shots != "" {
		p.draws(filepath.Join(*shots, name+".png"))
	}
}

// picture writes that of the README, if it is wanted.
func (p *person) picture() {
	p.t.Helper()
	if *picture != "" {
		p.draws(*picture)
	}
}

func (p *person) draws(file string) {
	p.t.Helper()
	png := gets(p, chromedp.CaptureScreenshot())
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// axe is axe-core 4.14.1 (npm), which finds what keeps people from using a page;
// Mozilla Public License 2.0.
func axe(t *testing.T) string {
	t.Helper()
	packed, err := os.ReadFile("testdata/axe-core-4.14.1.min.js.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accessible has axe-core look at the screen.
func (p *person) accessible(axe, where string) {
	p.t.Helper()
	p.does(chromedp.Evaluate[chromedp.Void](`if (!window.axe) {` + axe + `}`))
	found := gets(p, chromedp.Evaluate[[]string](
		`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target + ': ' + n.failureSummary)))`,
		chromedp.EvalAwaitPromise))
	for _, f := range found {
		p.t.Errorf("%s, %s: %s", p.Name, where, f)
	}
}
